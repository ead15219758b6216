"""`render` for Python: a run's report, written and sealed like that of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.errors import MissingDependencyError
from auditor.report.images import ImageMode
from auditor.report.render import render as write_report
from auditor.store.reader import Run, read_run
from auditor.store.verify import refuse_altered
from auditor.store.writer import reopen_run


def render(
    run: Run | str | Path,
    *,
    formats: Sequence[str] | None = None,
    template_dir: str | Path | None = None,
    images: ImageMode | None = None,
) -> list[Path]:
    """Write the report of a run into its directory, then seal the run.

    A run without its seal, `manifest.json`, counts as unfinished: the next `execute` of the same
    spec would go on with it, and `auditor verify` has nothing to hold it against.

    Args:
        run: A run as `read_run` gives it, or the run directory that `execute` returned.
        formats: What to write, such as `html` and `pdf`; what the run's spec says by default.
        template_dir: Templates found here replace those of the package.
        images: How example pictures are shown; as the run's spec says by default.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        ValueError: a format that does not exist.
        RenderError: a template cannot be rendered.
        MissingDependencyError: PDF was asked for and the system library Pango is missing; every
            other format has been written, and the run is sealed.
        ArtifactError: it is no run directory, a file of it is damaged, or it was altered since it
            was sealed.
        ExecutionError: the report cannot be written, or another process writes the run.
    """
    found = run if isinstance(run, Run) else read_run(run)
    templates = None if template_dir is None else Path(template_dir)
    with reopen_run(found.paths.root) as writer:
        if writer.paths.manifest.is_file():
            figures = (f"audits/{audit.id}/figures/" for audit in found.record.audits)
            refuse_altered(found.paths.root, rewritten=("report/", *figures))
        try:
            files = write_report(
                found,
                formats=found.spec.report.formats if formats is None else formats,
                template_dir=templates,
                images=images,
            )
        except MissingDependencyError:
            writer.seal()
            raise
        writer.seal()
        return files
