"""`auditor report`: make the report again from the run directory; no GPU, model or data."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from auditor.cli.rendering import (
    ending_fields,
    named_formats,
    render_and_seal,
    requested_format,
    say_ending,
)
from auditor.cli.terminal import say_json
from auditor.spec.formats import FORMATS

if TYPE_CHECKING:
    from auditor.judge.review import Reviews
    from auditor.store.reader import Run

ImageMode = Literal["full", "blurred", "heatmap_only", "withheld"]


def command(
    run: str = typer.Argument(help="A run directory, the name of a spec, or `latest`."),
    template_dir: Path | None = typer.Option(
        None, help="Templates of your own; any packaged one can be replaced by name."
    ),
    images: ImageMode | None = typer.Option(
        None,
        help="How much to show: a report for others, beside the one that the spec asks for. All "
        "but `full` name no sample, no path and no secret.",
    ),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    output: list[Path] = typer.Option(
        [], "-o", "--output", help="Also write the report here; the suffix names the format."
    ),
    formats: list[str] = typer.Option(
        [], "--format", help=f"Also render one of {', '.join(FORMATS)}; repeatable."
    ),
    sign_key: Path | None = typer.Option(None, help="Ed25519 key (PEM) to sign the run with."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Judge a run again with today's review decisions, and render its report again.

    Exits 0 once the report is written, 2 if a file that was asked for cannot be made; the run's
    own verdict stands in its last line.
    """
    wanted = {path: requested_format(path) for path in output}
    named = named_formats(formats)

    from auditor.store.find import find_run
    from auditor.store.reader import read_run
    from auditor.store.sign import signer_from
    from auditor.store.verify import refuse_altered
    from auditor.store.writer import reopen_run

    run_dir, signer = find_run(run, out), signer_from(sign_key)
    with reopen_run(run_dir) as writer:
        if writer.paths.manifest.is_file():
            refuse_altered(run_dir, rewritten=rewritten_in(run_dir))
        sealed = read_run(run_dir)
        reviews, content = reviews_for(sealed)
        judged = judged_again(replace(sealed, review=content), reviews)
        rendered = render_and_seal(
            judged,
            writer,
            wanted=wanted,
            formats=named,
            template_dir=template_dir,
            images=images,
            signer=signer,
        )
    rendered = replace(rendered, notes=(*rendered.notes, *template_notes(template_dir)))
    if as_json:
        fields = ending_fields(run_dir, rendered)
        say_json({"ok": rendered.exit_code == 0, **fields, "exit_code": rendered.exit_code})
    else:
        say_ending(run_dir, rendered)
    raise typer.Exit(rendered.exit_code)


def template_notes(template_dir: Path | None) -> tuple[str, ...]:
    """A line about templates that are not the package's: a page does not show whose they are."""
    from auditor.resources import templates_dir

    if template_dir is None:
        return ()
    packaged = [path.relative_to(templates_dir()) for path in templates_dir().rglob("*.*")]
    own = sorted(path.as_posix() for path in packaged if (template_dir / path).is_file())
    if not own:
        return (f"templates: none in {template_dir} has the name of one of the package's",)
    script = "; tables.js runs in the reader's browser" if "tables.js" in own else ""
    return (f"templates: {', '.join(own)} came from {template_dir}{script}",)


def rewritten_in(run_dir: Path) -> tuple[str, ...]:
    """What rendering writes anew, so that it may differ from what was sealed."""
    from auditor.store.find import read_record

    audits = read_record(run_dir).audits
    return ("report/", *(f"audits/{audit.id}/figures/" for audit in audits))


def reviews_for(run: Run) -> tuple[Reviews, bytes | None]:
    """The decisions in force: the spec's review file, else the copy that the run kept of it."""
    from auditor.judge.review import load_reviews, parse_review, review_path, reviews_on

    reviews, content = load_reviews(review_path(run.spec), on=today())
    if content is None and run.review is not None:
        kept = parse_review(run.review.decode(), str(run.paths.review))
        return reviews_on(today(), kept), run.review
    return reviews, content


def judged_again(run: Run, reviews: Reviews) -> Run:
    """The same run with the verdict that these decisions lead to."""
    from auditor.judge.policy import judge
    from auditor.judge.rules import count_rules

    count = count_rules(run.results.values())
    judgement = judge(
        run.spec,
        run.record.audits,
        run.findings,
        num_rules=count.num_rules,
        num_decided=count.num_decided,
        reviews=reviews,
        known=run.comparison.known if run.comparison is not None else frozenset(),
    )
    record = run.record.model_copy(
        update={
            "verdict": judgement.verdict,
            "exit_code": judgement.exit_code,
            "policy": judgement.outcomes,
            "judged_on": reviews.on.isoformat(),
        }
    )
    return replace(run, record=record)


def today() -> date:
    """The day that expiry is measured against; SOURCE_DATE_EPOCH fixes it for equal bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    return now.date()
