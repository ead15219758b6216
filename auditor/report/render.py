"""From a run directory to its report: read, word, draw, set. Nothing outside it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.report.html import render_html
from auditor.report.images import ImageMode
from auditor.report.page import make_page
from auditor.report.pdf import render_pdf
from auditor.report.plates import Plates
from auditor.store.atomic import write_bytes, write_text
from auditor.store.reader import Run


def render(
    run: Run,
    *,
    formats: Sequence[str],
    template_dir: Path | None = None,
    images: ImageMode | None = None,
) -> list[Path]:
    """Write the report of a run into its directory.

    Args:
        run: The run, as read from its directory.
        formats: `html`, `pdf` or both.
        template_dir: Templates found here replace those of the package.
        images: How example pictures are shown; as the run's spec says by default.

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
    if unknown := set(formats) - {"html", "pdf"}:
        raise ValueError(f"there is no report format {sorted(unknown)[0]!r}")
    page = make_page(run)
    plates = Plates(run, images or run.spec.report.images)
    html = render_html(page, plates, template_dir)
    for (audit, name), svg in plates.figures.items():
        keep(run.paths.audit(audit).figure(name), svg)
    if "html" in formats:
        write_text(run.paths.html, html)
    if "pdf" in formats:
        write_bytes(run.paths.pdf, render_pdf(run, page, html))
    files = {"html": run.paths.html, "pdf": run.paths.pdf}
    return [files[name] for name in formats]


def keep(path: Path, svg: str) -> None:
    """Write a figure, unless it is there already: every format draws the same ones."""
    if not path.is_file() or path.read_text() != svg:
        write_text(path, svg)
