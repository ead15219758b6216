"""A summary in Markdown for a pull request: verdict, policy, what is open, what to do.

GitHub's flavour. Text of the run shows as it is: no markup, no HTML, no link, nobody mentioned. The
whole stays below the longest comment that the large forges take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.text import code, markdown, table_row
from auditor.report.page import HEADLINES, tally_sentence
from auditor.results.base import Verdict
from auditor.results.comparison import STATES, Comparison
from auditor.results.finding import findings_digest
from auditor.store.reader import Run
from auditor.wording import VERDICTS, clipped, listing, sentence

MARKS: dict[Verdict, str] = {
    "pass": "\N{WHITE HEAVY CHECK MARK}",
    "warn": "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    "fail": "\N{CROSS MARK}",
    "inconclusive": "\N{WHITE QUESTION MARK ORNAMENT}",
}

AT_LENGTH, IN_TABLE = 15, 40
"""Findings with a paragraph each, and findings in the table below them."""

LONGEST = 400
"""Letters of one sentence of the run."""


def summary(run: Run) -> bytes:
    """The run as Markdown for a pull request; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    return ("\n".join(lines(run)).strip() + "\n").encode()


def lines(run: Run) -> Iterator[str]:
    record, rows = run.record, make_rows(run)
    breaking = [row for row in rows if row.breaks]
    others = [row for row in rows if row.finding.verdict != "pass" and not row.breaks]
    others.sort(key=lambda row: ("fail", "warn", "inconclusive").index(row.finding.verdict))
    yield f"## {verdict_words(record.verdict)}: {text(record.title or record.name)}"
    yield f"\n**{HEADLINES[record.verdict]}** {tally_sentence(run.findings)}"
    if record.policy:
        yield ""
        yield from policy_table(run)
    if run.comparison is not None:
        yield f"\n{baseline_sentence(run.comparison)}"
    if breaking:
        yield f"\n### What breaks the policy ({len(breaking)})\n"
        yield from at_length(breaking[:AT_LENGTH])
        yield from left_out(len(breaking) - AT_LENGTH)
    if others:
        yield f"\n<details><summary>Also to be looked at ({len(others)})</summary>\n"
        yield from findings_table(others[:IN_TABLE])
        yield from left_out(len(others) - IN_TABLE)
        yield "\n</details>"
    yield ""
    yield " · ".join(identity(run))


def verdict_words(verdict: Verdict | None) -> str:
    return f"{MARKS[verdict]} {VERDICTS[verdict]}" if verdict else "No verdict"


def policy_table(run: Run) -> Iterator[str]:
    """The policy, target against value."""
    yield table_row("", "Target", "Found")
    yield table_row("---", "---", "---")
    for outcome in run.record.policy:
        yield table_row(verdict_words(outcome.verdict), text(outcome.target), text(outcome.value))


def baseline_sentence(comparison: Comparison) -> str:
    """`Against the baseline of run …: 2 new, 1 worse, 30 unchanged.`"""
    tally = comparison.tally
    parts = [f"{tally[state]} {state.replace('_', ' ')}" for state in STATES if tally[state]]
    found = listing(parts) or "nothing was checked"
    return f"Against the baseline, run {code(comparison.before.run_id)}: {found}."


def at_length(rows: Sequence[Row]) -> Iterator[str]:
    """One entry per finding: claim, number, what to do first."""
    for row in rows:
        finding = row.finding
        number = f" {code(row.metric)} {text(str(row.estimate))}." if row.estimate else ""
        since = f" Since the baseline: {row.compared.state}." if row.compared else ""
        yield f"- **{finding.severity}** {text(sentence(finding.claim))}{number}{since}"
        for action in finding.actions[:1]:
            yield f"  <br>What to do: {text(sentence(action))}"
        yield f"  <br>{code(finding.id)}"


def findings_table(rows: Sequence[Row]) -> Iterator[str]:
    """One line per finding."""
    yield table_row("", "Severity", "Finding", "Number", "Review")
    yield table_row(*["---"] * 5)
    for row in rows:
        finding = row.finding
        yield table_row(
            verdict_words(finding.verdict),
            finding.severity,
            text(finding.claim),
            f"{code(row.metric)} {text(str(row.estimate))}" if row.estimate else "",
            standing(row),
        )


def standing(row: Row) -> str:
    """What somebody decided, as far as it still holds."""
    if row.decision is None:
        return ""
    words = str(row.decision.decision).replace("_", " ")
    return words if row.standing in ("open", "closed") else f"{words}, {row.standing}"


def left_out(number: int) -> Iterator[str]:
    if number > 0:
        yield f"\n{number} more stand in the report."


def identity(run: Run) -> Iterator[str]:
    """What the summary rests on."""
    record = run.record
    yield f"run {code(record.run_id)}"
    yield f"spec {code(record.provenance.spec_digest[:12])}"
    yield f"findings {code(findings_digest(run.findings)[:12])}"
    yield text(f"auditor {record.provenance.auditor_version}")


def text(value: str) -> str:
    return markdown(clipped(value, LONGEST))
