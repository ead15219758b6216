"""Render a run that has ended, seal it, copy the report where asked, and say what is where.

Shared by `run` and `report`. The page comes first; where the system library for PDF is missing,
the page stays and one line says how to get the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli.terminal import say, shown
from auditor.cli.verdict import verdict_sentence
from auditor.errors import MissingDependencyError, SpecError
from auditor.spec.formats import ENDINGS, FORMATS, Format, format_of

if TYPE_CHECKING:
    from auditor.report.images import ImageMode
    from auditor.results.run_record import RunRecord
    from auditor.store.manifest import Manifest
    from auditor.store.reader import Run
    from auditor.store.sign import Signer
    from auditor.store.writer import RunWriter


@dataclass(frozen=True)
class Rendered:
    """What came of rendering a run.

    Attributes:
        record: The run's record as it was sealed.
        files: Format -> file in the run directory.
        copies: Files that the user asked for elsewhere.
        notes: Lines that the user should read, such as how to get a missing PDF.
        exit_code: 0, or 2 where a file that was asked for by name could not be made.
    """

    record: RunRecord
    files: Mapping[Format, Path]
    copies: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    exit_code: int = 0


def requested_format(path: Path) -> Format:
    """The format that a file name asks for.

    Raises:
        SpecError: the suffix is none that exists.
    """
    found = format_of(path.name)
    if found is None:
        raise SpecError(
            f"-o {path}: there is no report format {path.suffix or 'without a suffix'}",
            hint=f"The formats are {', '.join(ENDINGS)}; `--format` has them by name.",
        )
    return found


def named_formats(names: Sequence[str]) -> tuple[Format, ...]:
    """The formats that `--format` asks for by name.

    Raises:
        SpecError: there is none of that name.
    """
    from auditor.near import suggest

    for name in names:
        if name not in FORMATS:
            hint = suggest(name, FORMATS, "format")
            raise SpecError(f"--format {name}: there is no such format", hint=hint)
    return tuple(known for known in FORMATS if known in names)


def render_run(
    run_dir: Path,
    wanted: Mapping[Path, Format],
    signer: Signer | None = None,
    formats: Sequence[Format] = (),
) -> Rendered:
    """Render and seal a run that has just ended; `wanted` maps copies to their formats."""
    from auditor.store.reader import read_run
    from auditor.store.writer import reopen_run

    with reopen_run(run_dir) as writer:
        run = read_run(run_dir)
        return render_and_seal(run, writer, wanted=wanted, formats=formats, signer=signer)


def render_and_seal(
    run: Run,
    writer: RunWriter,
    *,
    wanted: Mapping[Path, Format],
    formats: Sequence[Format] = (),
    template_dir: Path | None = None,
    images: ImageMode | None = None,
    signer: Signer | None = None,
) -> Rendered:
    """Render the formats that the spec and the user ask for, then write record and manifest.

    What an earlier command rendered of this run for the same readers is rendered again: a file
    that still told the verdict of yesterday would be sealed beside today's.

    Review and record are written after the pages and right before the manifest, so that a kill
    in between leaves a run whose evidence still agrees with its old manifest.
    """
    from auditor.report.render import report_file
    from auditor.store.atomic import write_bytes

    mode = images or run.spec.report.images
    earlier = (name for name in FORMATS if report_file(run, name, mode).is_file())
    asked = {*run.spec.report.formats, *wanted.values(), *formats, *earlier}
    files, notes = render_formats(
        run, [name for name in FORMATS if name in asked], template_dir, images, signer
    )
    writer.write_review(run.review)
    writer.write_record(run.record)
    manifest = writer.seal(signer)
    copies = [path for path, name in wanted.items() if name in files]
    for path in copies:
        write_bytes(path, files[wanted[path]].read_bytes())
    return Rendered(
        record=run.record,
        files=files,
        copies=tuple(copies),
        notes=(*notes, *signature_notes(writer, manifest)),
        exit_code=0 if len(copies) == len(wanted) else MissingDependencyError.exit_code,
    )


def signature_notes(writer: RunWriter, manifest: Manifest) -> tuple[str, ...]:
    """What to know where a signed run was rendered again, and nobody signed it."""
    from auditor.store.signature import check_run_signature

    digests = {name: entry.sha256 for name, entry in manifest.files.items()}
    uncovered = check_run_signature(writer.paths, digests, None).uncovered
    if not uncovered:
        return ()
    again = f"auditor report {shown(writer.paths.root)} --sign-key KEY.pem"
    return (
        f"signature: it no longer covers {', '.join(uncovered)}, written again since; "
        f"`{again}` signs anew",
    )


def render_formats(
    run: Run,
    formats: Sequence[Format],
    template_dir: Path | None,
    images: ImageMode | None,
    signer: Signer | None = None,
) -> tuple[dict[Format, Path], tuple[str, ...]]:
    """The files by format, and a line about each that this machine cannot make."""
    from auditor.report.render import render, report_file

    try:
        written = render(
            run, formats=formats, template_dir=template_dir, images=images, signer=signer
        )
    except MissingDependencyError as error:
        # Everything but the PDF was written by then.
        next_move = f". {error.hint}" if error.hint else ""
        line = f"pdf: not written: {error.message}{next_move}"
        mode = images or run.spec.report.images
        return {name: report_file(run, name, mode) for name in formats if name != "pdf"}, (line,)
    return dict(zip(formats, written, strict=True)), ()


def say_ending(run_dir: Path, rendered: Rendered) -> None:
    """The plain lines that a run or a report ends with."""
    for line in rendered.notes:
        say(line)
    say(f"run: {shown(run_dir)}")
    for name, path in rendered.files.items():
        say(f"{name}: {shown(path)}")
    for path in rendered.copies:
        say(f"copy: {shown(path)}")
    say(f"verdict: {verdict_sentence(rendered.record)}")


def ending_fields(run_dir: Path, rendered: Rendered) -> dict[str, Any]:
    """The same for a JSON document."""
    return {
        "run": shown(run_dir),
        **{name: shown(path) for name, path in rendered.files.items()},
        "copies": [shown(path) for path in rendered.copies],
        "notes": list(rendered.notes),
        "status": rendered.record.status,
        "verdict": rendered.record.verdict,
        "why": verdict_sentence(rendered.record),
        "audits": [audit.model_dump(mode="json") for audit in rendered.record.audits],
        "policy": [outcome.model_dump(mode="json") for outcome in rendered.record.policy],
    }
