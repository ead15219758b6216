"""A run's verdict as its last line on the terminal says it: plain words for whoever watches CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.results.run_record import RunRecord

NOT_A_CRASH = "this is what the policy forbids, not a crash"


def verdict_sentence(record: RunRecord) -> str:
    """One sentence: what the run came to, and why."""
    broken = [audit for audit in record.audits if audit.status == "failed"]
    if broken:
        causes = "; ".join(f"{audit.id}: {audit.reason or 'no reason given'}" for audit in broken)
        return f"broken: the audit did not run to its end ({causes})"
    why = "; ".join(outcome.value for outcome in record.policy if outcome.verdict == record.verdict)
    match record.verdict:
        case "pass":
            return "passed: every rule of the policy is met"
        case "warn":
            return f"passed, with warnings: {why}"
        case "fail":
            return f"failed: {why}; {NOT_A_CRASH}"
        case "inconclusive":
            return f"inconclusive: {why}; silence is not taken for a pass"
        case None:
            return f"none: the run has status {record.status}"
