"""Every finding of a run in one list, to be filtered, sorted and searched on a screen.

Paper has no use for it: there the sections hold the findings and the table of everything tested
the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from auditor.audits.filters.section import FiltersSection
from auditor.report.sections import Body
from auditor.results.base import Verdict
from auditor.results.finding import Finding
from auditor.spec.rule import Severity
from auditor.store.reader import Run
from auditor.wording import VERDICTS, plain, sentence

GRAVEST_FIRST: tuple[Verdict, ...] = ("fail", "warn", "inconclusive", "pass")
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

assert set(GRAVEST_FIRST) == set(get_args(Verdict))


@dataclass(frozen=True)
class FindingRow:
    """One finding.

    Attributes:
        number: Its place, the gravest first.
        kind: Its verdict, which chooses the shape.
        word: Its verdict as a word.
        rank: Place of the verdict and of the severity among all, for sorting.
        target: Anchor of the place that shows it best.
    """

    number: int
    id: str
    kind: Verdict
    word: str
    severity: Severity
    rank: tuple[int, int]
    audit: str
    title: str
    claim: str
    standing: str
    target: str


@dataclass(frozen=True)
class Choice:
    """A value that the list can be narrowed to.

    Attributes:
        chosen: Whether the list shows it at first.
    """

    value: str
    word: str
    count: int
    chosen: bool = True


@dataclass(frozen=True)
class FindingList:
    """All findings, and what they can be narrowed to."""

    rows: tuple[FindingRow, ...]
    verdicts: tuple[Choice, ...]
    severities: tuple[Choice, ...]
    audits: tuple[Choice, ...]


def make_finding_list(
    run: Run, bodies: Mapping[str, Body | None], standing: Mapping[str, str]
) -> FindingList:
    """The findings of a run, the gravest first.

    Args:
        run: The run.
        bodies: Audit -> what its section shows, which decides where a finding is found.
        standing: Finding id -> how it stands, for those that somebody decided about.
    """
    titles = {audit.id: plain(audit.title) for audit in run.record.audits}
    targets = places(bodies)
    rows = tuple(
        FindingRow(
            number=number,
            id=finding.id,
            kind=finding.verdict,
            word=VERDICTS[finding.verdict],
            severity=finding.severity,
            rank=rank_of(finding),
            audit=finding.audit,
            title=titles.get(finding.audit, finding.audit),
            claim=sentence(plain(finding.claim)),
            standing=standing.get(finding.id, ""),
            target=targets.get(finding.id) or anchor_of(finding.audit, bodies),
        )
        for number, finding in enumerate(sorted(run.findings, key=rank_of), start=1)
    )
    return FindingList(
        rows=rows,
        verdicts=verdict_choices(rows),
        severities=choices(
            [row.severity for row in rows], {each: each.capitalize() for each in SEVERITIES}
        ),
        audits=choices([row.audit for row in rows], titles),
    )


def rank_of(finding: Finding) -> tuple[int, int]:
    return GRAVEST_FIRST.index(finding.verdict), SEVERITIES.index(finding.severity)


def places(bodies: Mapping[str, Body | None]) -> dict[str, str]:
    """Finding id -> the anchor that shows it at length, where one does."""
    found: dict[str, str] = {}
    for audit, body in bodies.items():
        if body is None:
            continue
        if isinstance(body, FiltersSection):
            found |= {check.id: f"audit-{audit}-checks" for check in body.checks}
        else:
            found |= {each: case.anchor for case in body.cases for each in case.ids}
    return found


def anchor_of(audit: str, bodies: Mapping[str, Body | None]) -> str:
    """Where the other findings of an audit are: in its table, or in words where it has none."""
    return f"audit-{audit}" if bodies.get(audit) is None else f"audit-{audit}-tested"


def verdict_choices(rows: tuple[FindingRow, ...]) -> tuple[Choice, ...]:
    """Passed checks are most of the list and least of the news: they wait to be asked for."""
    counts = Counter(row.kind for row in rows)
    return tuple(
        Choice(kind, VERDICTS[kind], counts[kind], chosen=kind != "pass" or len(counts) == 1)
        for kind in GRAVEST_FIRST
        if counts[kind]
    )


def choices(values: list[str], words: Mapping[str, str]) -> tuple[Choice, ...]:
    counts = Counter(values)
    return tuple(Choice(v, word, counts[v]) for v, word in words.items() if counts[v])
