"""`auditor review`: write or refresh the file in which people decide about findings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from auditor.cli.rendering import ending_fields, render_and_seal, say_ending
from auditor.cli.report import judged_again, reviews_for, rewritten_in
from auditor.cli.terminal import say, say_json, shown
from auditor.errors import SpecError

if TYPE_CHECKING:
    from auditor.judge.review import Reviews
    from auditor.judge.review_file import Refreshed
    from auditor.results.finding import Finding
    from auditor.store.reader import Run


def command(
    run: str = typer.Argument(help="A run directory, the name of a spec, or `latest`."),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Write or refresh the review file of a run, judge the run again and render its report.

    The spec names the file under `review`; reviews/NAME.yaml by default. Every finding that failed
    or warned gets an entry to fill in. What people wrote stays as it is. Exits 0 once file and
    report are written; the run's own verdict stands in its last line.
    """
    from auditor.store.find import find_run
    from auditor.store.reader import read_run
    from auditor.store.verify import refuse_altered
    from auditor.store.writer import reopen_run

    run_dir = find_run(run, out)
    with reopen_run(run_dir) as writer:
        if writer.paths.manifest.is_file():
            refuse_altered(run_dir, rewritten=rewritten_in(run_dir))
        sealed = read_run(run_dir)
        path, written = write_review(sealed)
        reviews, content = reviews_for(sealed)
        judged = judged_again(replace(sealed, review=content), reviews)
        rendered = render_and_seal(judged, writer, wanted={})
    fields = summary(path, written, reviews, judged.findings)
    if as_json:
        ending = ending_fields(run_dir, rendered)
        say_json({"ok": True, **fields, **ending, "exit_code": 0})
        return
    for line in summary_lines(fields):
        say(line)
    say_ending(run_dir, rendered)


def write_review(run: Run) -> tuple[Path, Refreshed]:
    """Bring the review file of a run up to date, from the run's own copy where there is none.

    Raises:
        SpecError: it is not a review, cannot be extended, or would be made outside the current
            folder: a run directory may come from a stranger.
        ExecutionError: it cannot be written.
    """
    from auditor.judge.review import parse_review, read_review_text, review_path
    from auditor.judge.review_file import new_review, refresh_review
    from auditor.report.failures import with_names
    from auditor.store.atomic import write_bytes

    named = review_path(run.spec)
    # An existing file may be a link into another folder: the file itself is written.
    path = Path(os.path.realpath(named))  # unlike `resolve`, it bears links in a circle
    there = os.path.lexists(path)
    if not path.is_file() and (there or not path.is_relative_to(Path.cwd().resolve())):
        raise SpecError(
            f"the review file {named} is not there, and is not made outside this folder",
            hint="change to the folder of the spec, or make the file yourself: `version: 1`",
        )
    before = read_review_text(named) if path.is_file() else (run.review or b"").decode()
    if before:  # its mistakes stand in this file, not in the run's copy of it
        parse_review(before, named if path.is_file() else str(run.paths.review))
    run = replace(run, review=before.encode() or None)
    findings = with_names(run).findings
    if before:
        written = refresh_review(before, findings, named)
    else:
        written = new_review(run.record.title or run.record.name, findings, named)
    if written.text != before or not path.is_file():
        write_bytes(path, written.text.encode())
    return Path(named), written


def summary(
    path: Path, written: Refreshed, reviews: Reviews, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Where the review stands, for people and as JSON."""
    listed = [finding for finding in findings if finding.verdict in ("fail", "warn")]
    standing = {finding.id: reviews.standing(finding) for finding in listed}
    known = {finding.id for finding in listed}
    return {
        "review": shown(path),
        "added": list(written.added),
        "undecided": [f.id for f in listed if reviews.decided(f) is None],
        "standing": dict(Counter(standing.values())),
        "stale": {f.id: list(reviews.changes(f)) for f in listed if standing[f.id] == "stale"},
        "expired": [f.id for f in listed if standing[f.id] == "expired"],
        "settled": [name for name in written.review.findings if name not in known],
        "signoff": reviews.signed(findings),
    }


SIGNOFFS = {
    "absent": "sign-off: not signed yet",
    "signed": "sign-off: signed, for exactly these findings",
    "stale": "sign-off: signed for other findings; it has to be signed again",
}


def summary_lines(fields: dict[str, Any]) -> Iterator[str]:
    """The same in plain lines."""
    added, undecided = len(fields["added"]), len(fields["undecided"])
    yield f"review: {fields['review']} ({added} new, {undecided} to decide)"
    for name, changes in fields["stale"].items():
        yield f"stale: {name}: {'; '.join(changes) or 'the evidence has changed'}"
    for name in fields["expired"]:
        yield f"expired: {name}"
    if fields["settled"]:
        yield f"settled: {len(fields['settled'])} entries speak of what is no longer found"
    yield SIGNOFFS[fields["signoff"]]
