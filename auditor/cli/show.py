"""`auditor show`: a run's summary and findings in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from auditor.cli.terminal import say, say_json, say_table, shown
from auditor.cli.verdict import verdict_sentence

if TYPE_CHECKING:
    from auditor.results.finding import Finding
    from auditor.store.reader import Run


def command(
    run: str = typer.Argument(help="A run directory, the name of a spec, or `latest`."),
    every: bool = typer.Option(False, "--all", help="Also show the checks that passed."),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Show what a run found: verdict, policy, findings and the metrics that limits can name."""
    from auditor.store.find import find_run
    from auditor.store.reader import read_run

    run_dir = find_run(run, out)
    found = read_run(run_dir)
    if found.review is not None:
        # People may have named features; the figures that come with this take a second to load.
        from auditor.report.failures import with_names

        found = with_names(found)
    if as_json:
        say_json(as_document(found))
        return
    say(f"{found.record.title or found.record.name}")
    say(f"run: {shown(run_dir)}")
    say(f"verdict: {verdict_sentence(found.record)}")
    say("")
    say_table(
        ("policy", "target", "found", "verdict"),
        [(rule.name, rule.target, rule.value, rule.verdict) for rule in found.record.policy],
    )
    for line in findings_lines(found, every=every):
        say(line)


def findings_lines(run: Run, *, every: bool) -> list[str]:
    """Print the table of findings; the lines that belong below it."""
    from auditor.results.finding import worst_first

    ordered = worst_first(run.findings)
    chosen = [finding for finding in ordered if every or finding.verdict != "pass"]
    say("")
    if chosen:
        say_table(
            ("finding", "verdict", "severity", "claim", "numbers"),
            [(f.id, f.verdict, f.severity, f.claim, numbers_in_words(f)) for f in chosen],
        )
    else:
        say("no finding but checks that passed")
    passed = len(ordered) - len(chosen)
    lines = [f"{passed} more checks passed; --all shows them"] if passed else []
    for audit in run.record.audits:
        metrics = sorted({m for f in run.findings if f.audit == audit.id for m in f.estimates})
        lines.append(f"metrics of {audit.id}: {', '.join(metrics) or 'none'}")
    return lines


def numbers_in_words(finding: Finding) -> str:
    return ", ".join(f"{name} {estimate}" for name, estimate in finding.estimates.items())


def as_document(run: Run) -> dict[str, Any]:
    """The run as one JSON document: its record and every check."""
    return {
        "ok": True,
        "run": shown(run.paths.root),
        "why": verdict_sentence(run.record),
        "record": run.record.model_dump(mode="json"),
        "findings": [finding.model_dump(mode="json") for finding in run.findings],
    }
