"""Comparisons as plain lines: what the terminal shows, and a .txt file holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from auditor.report.comparing import (
    ChangeGroup,
    ComparisonBlock,
    headline,
    make_comparison,
    tally_words,
)
from auditor.results.comparison import Comparison, Sweep, SweepMember
from auditor.wording import ABSENT, MINUS, NARROW, NO_BREAK, plain

FLAT = str.maketrans({NARROW: " ", NO_BREAK: " ", MINUS: "-", ABSENT: "-"})
"""A terminal wants the plain characters that people search for."""


def as_text(comparison: Comparison | Sweep) -> str:
    """A comparison as plain lines, the verdict last."""
    match comparison:
        case Comparison():
            lines = [*pair_lines(comparison), f"verdict: {verdict_line(comparison)}"]
        case Sweep():
            lines = [*sweep_lines(comparison)]
        case _:
            assert_never(comparison)
    return "".join(f"{line}\n" for line in lines).translate(FLAT)


def as_line(comparison: Comparison) -> str:
    """A comparison in one plain line."""
    return verdict_line(comparison).translate(FLAT)


def verdict_line(comparison: Comparison) -> str:
    """`2 new findings (237 checks: 2 new and 235 unchanged)`."""
    return f"{headline(comparison).rstrip('.')} ({tally_words(comparison).rstrip('.')})"


def pair_lines(comparison: Comparison) -> Iterator[str]:
    """Two runs: which they are, what differs, what changed, what cannot be said."""
    block = make_comparison(comparison)
    for side, run in (("before", comparison.before), ("after", comparison.after)):
        yield f"{side}: {plain(run.run_id)}, {plain(run.model)}, {run.verdict or 'not judged yet'}"
    for each in comparison.differences:
        yield f"differs: {plain(each.what)}: {plain(each.before)} -> {plain(each.after)}"
    yield from change_lines(block)


def change_lines(block: ComparisonBlock) -> Iterator[str]:
    """What changed, worst first, then what cannot be compared."""
    for group in block.groups:
        yield ""
        yield from group_lines(group)
    if block.refused:
        yield ""
        yield "not comparable"
    for row in block.refused:
        failing = f", {row.failing} of them open in the second run" if row.failing != "0" else ""
        yield f"  {row.audit}: {row.checks}{failing}; {row.reason.lower()}: {row.why}"
    if block.groups or block.refused:
        yield ""


def group_lines(group: ChangeGroup) -> Iterator[str]:
    """The checks with one state."""
    yield group.mark.word.lower()
    for row in group.rows:
        yield f"  {row.id}"
        yield f"    {row.claim}"
        metric = f"{row.metric}: " if row.metric else ""
        yield f"    {metric}{row.before} -> {row.after}"
        if row.note:
            yield f"    {row.note}"


def sweep_lines(sweep: Sweep) -> Iterator[str]:
    """The members of a sweep, then each against the reference."""
    for number, member in enumerate(sweep.members, start=1):
        yield f"member {number}: {member_words(member)}"
    for number, member in enumerate(sweep.members, start=1):
        if member.comparison is not None:
            yield ""
            against = member.comparison.before.run_id
            yield f"member {number} against {against}: {verdict_line(member.comparison)}"
            yield from change_lines(make_comparison(member.comparison))


def member_words(member: SweepMember) -> str:
    """`model=a: 20260101T120000Z-0123abcd, failed, exit 1`."""
    came = f"broke: {member.failure}"
    if member.run is not None:
        came = f"{member.run.run_id}, {member.run.verdict or 'no verdict'}"
    return f"{plain(' '.join(member.overrides))}: {came}, exit {member.exit_code}"
