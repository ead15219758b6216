"""From a run directory to its report: read, word, draw, set. Nothing outside it is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from auditor.report.exports.export import export
from auditor.report.html import render_html
from auditor.report.images import ImageMode
from auditor.report.page import make_page
from auditor.report.pdf import render_pdf
from auditor.report.plates import Plates
from auditor.report.privacy import for_audience, pseudonyms
from auditor.spec.formats import EXPORTS, FILE_NAMES, FORMATS, Format
from auditor.store.atomic import write_bytes, write_text
from auditor.store.reader import Run
from auditor.store.sign import Signer


def render(
    run: Run,
    *,
    formats: Sequence[str],
    template_dir: Path | None = None,
    images: ImageMode | None = None,
    signer: Signer | None = None,
) -> list[Path]:
    """Write the report of a run into its directory.

    Args:
        run: The run, as read from its directory.
        formats: What to write: `html`, `pdf`, or an export of `auditor.spec.formats`.
        template_dir: Templates found here replace those of the package.
        images: How much is shown; as the run's spec says by default. A report that shows
            otherwise than the spec says is written beside that one, as `report-<images>.html`.
        signer: Who signs the PDF, where anybody does.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        ValueError: a format that does not exist.
        RenderError: a template cannot be rendered.
        MissingDependencyError: PDF was asked for and the system library Pango is missing; every
            other format has been written by then.
        ArtifactError: a file of the run is damaged.
        ExecutionError: the report cannot be written.
    """
    if unknown := set(formats).difference(FORMATS):
        raise ValueError(f"there is no report format {sorted(unknown)[0]!r}")
    mode = images or run.spec.report.images
    wanted = [known for name in formats for known in FORMATS if known == name]
    files = {name: report_file(run, name, mode) for name in wanted}
    shown = for_audience(run, mode)
    for name in EXPORTS:
        if name in files:
            write_bytes(files[name], export(shown, name))
    if files.keys() & {"html", "pdf"}:
        render_page(run, shown, files, mode, template_dir=template_dir, signer=signer)
    return [files[name] for name in wanted]


def render_page(
    run: Run,
    shown: Run,
    files: Mapping[Format, Path],
    mode: ImageMode,
    *,
    template_dir: Path | None,
    signer: Signer | None,
) -> None:
    """Write the report as HTML, as PDF, or as both from one page."""
    page = make_page(shown)
    plates = Plates(shown, mode, pseudonyms(run).key)
    html = render_html(page, plates, template_dir)
    if mode == run.spec.report.images:
        for (audit, name), svg in plates.figures.items():
            keep(run.paths.audit(audit).figure(name), svg)
    if "html" in files:
        write_text(files["html"], html)
    if "pdf" in files:
        write_bytes(files["pdf"], render_pdf(shown, page, html, images=mode, signer=signer))


def report_file(run: Run, name: Format, mode: ImageMode) -> Path:
    """Where the report of one audience lies: beside the spec's own, where it shows otherwise."""
    variant = "" if mode == run.spec.report.images else f"-{mode}"
    stem, dot, suffix = FILE_NAMES[name].partition(".")
    return run.paths.report / f"{stem}{variant}{dot}{suffix}"


def keep(path: Path, svg: str) -> None:
    """Write a figure, unless it is there already: every format draws the same ones."""
    if not path.is_file() or path.read_text() != svg:
        write_text(path, svg)
