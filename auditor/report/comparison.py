"""Comparisons as files: plain lines, JSON, and pages that look like the report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple, assert_never

from auditor.judge.policy import EXIT_CODES
from auditor.report.attachments import Attachment
from auditor.report.comparing import (
    ChangeRow,
    ComparisonBlock,
    Mark,
    change_row,
    make_comparison,
    overall,
    side_words,
)
from auditor.report.comparison_text import as_text
from auditor.report.html import make_assets, make_environment
from auditor.report.pdf import typeset
from auditor.results.comparison import (
    PROBLEMS,
    ComparedFinding,
    ComparedSide,
    Comparison,
    Sweep,
    SweepMember,
)
from auditor.store.documents import document_bytes
from auditor.wording import VERDICTS, counted, plain, sentence

NAMES = {code: verdict for verdict, code in reversed(EXIT_CODES.items())}
"""Verdict of an exit code, for the mark of a sweep."""


Key = tuple[str, str, tuple[str, ...]]
Column = Mapping[Key, tuple[ComparedFinding, ComparedSide]]
"""What one run says of each check."""


class MemberRow(NamedTuple):
    """One run of a sweep."""

    name: str
    overrides: str
    run: str
    mark: Mark
    tally: str
    exit_code: str


class MatrixRow(NamedTuple):
    """One check in every run of a sweep."""

    claim: str
    id: str
    values: tuple[str, ...]


class Chapter(NamedTuple):
    """One comparison of the page."""

    anchor: str
    title: str
    block: ComparisonBlock
    checks: tuple[ChangeRow, ...]


@dataclass(frozen=True)
class ComparisonPage:
    """A page about two runs, or about the runs of a sweep.

    Attributes:
        title: Title of the spec.
        kicker: What kind of page it is.
        created: Date of the newest run, ISO 8601.
        generator: Name and version of this package.
        mark: What came of it, as a shape and a word.
        headline: The same in a sentence.
        lead: What the page speaks of.
        members: The runs of a sweep; empty for two runs.
        columns: Names of the runs in the matrix.
        matrix: Checks that do not come out alike in all runs of a sweep.
        chapters: The comparisons.
    """

    title: str
    kicker: str
    created: str
    generator: str
    mark: Mark
    headline: str
    lead: str
    members: tuple[MemberRow, ...]
    columns: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]
    chapters: tuple[Chapter, ...]


def render_comparison(comparison: Comparison | Sweep, name: str) -> bytes:
    """A comparison as the content of a file.

    Args:
        comparison: Two runs, or the runs of a sweep.
        name: `txt`, `json`, `html` or `pdf`.

    Raises:
        ValueError: a format that does not exist.
        MissingDependencyError: `pdf`, and the system library Pango is missing.
        RenderError: the page cannot be set.
    """
    match name:
        case "txt":
            return as_text(comparison).encode()
        case "json":
            return document_bytes(comparison)
        case "html":
            return html_of(make_comparison_page(comparison)).encode()
        case "pdf":
            return pdf_of(comparison)
        case _:
            raise ValueError(f"there is no format {name!r} of a comparison")


def html_of(page: ComparisonPage) -> str:
    """The page as one self-contained HTML document, under the policy of the report."""
    environment = make_environment(None)
    template = environment.get_template("comparison.html.jinja")
    return template.render(page=page, assets=make_assets(environment))


def pdf_of(comparison: Comparison | Sweep) -> bytes:
    """The page as a tagged PDF with the comparison attached as JSON."""
    page = make_comparison_page(comparison)
    content = document_bytes(comparison)
    attached = Attachment("comparison.json", content, "Every check of every run", "Data")
    return typeset(
        html_of(page),
        None,
        created=page.created,
        files=(attached,),
        variant="pdf/ua-1",
        identifier=hashlib.sha256(content).hexdigest(),
    )


def make_comparison_page(comparison: Comparison | Sweep) -> ComparisonPage:
    """Everything that a page about a comparison says."""
    match comparison:
        case Comparison():
            return pair_page(comparison)
        case Sweep():
            return sweep_page(comparison)
        case _:
            assert_never(comparison)


def pair_page(comparison: Comparison) -> ComparisonPage:
    block = make_comparison(comparison)
    return ComparisonPage(
        title=plain(comparison.after.title),
        kicker="Two runs compared",
        created=max(comparison.before.date, comparison.after.date),
        generator=generator(),
        mark=block.mark,
        headline=block.headline,
        lead=block.tally,
        members=(),
        columns=(),
        matrix=(),
        chapters=(chapter("changes", "What changed", comparison),),
    )


def sweep_page(sweep: Sweep) -> ComparisonPage:
    ran = [member for member in sweep.members if member.run is not None]
    dates = [member.run.date for member in ran if member.run is not None]
    code, columns = sweep.exit_code, columns_of(sweep)
    return ComparisonPage(
        title=plain(sweep.title),
        kicker="Runs of a sweep compared",
        created=max(dates, default="1970-01-01T00:00:00+00:00"),
        generator=generator(),
        mark=Mark(NAMES.get(code, "fail"), f"Exit code {code}"),
        headline=f"{len(ran)} of {counted(len(sweep.members), 'run')} came to an end.",
        lead=sweep_lead(sweep),
        members=tuple(member_row(f"Run {k}", m) for k, m in enumerate(sweep.members, 1)),
        columns=tuple(columns),
        matrix=tuple(matrix_rows(tuple(columns.values()))),
        chapters=tuple(
            chapter(f"run-{k}", f"Run {k}: {overrides_of(member)}", member.comparison)
            for k, member in enumerate(sweep.members, 1)
            if member.comparison is not None
        ),
    )


def sweep_lead(sweep: Sweep) -> str:
    """What the runs are held against."""
    if sweep.reference is None:
        return "No run left findings to compare."
    return f"Each is compared with {plain(sweep.reference.run_id)}."


def chapter(anchor: str, title: str, comparison: Comparison) -> Chapter:
    checks = tuple(change_row(finding) for finding in comparison.findings)
    return Chapter(anchor, title, make_comparison(comparison), checks)


def member_row(name: str, member: SweepMember) -> MemberRow:
    """One run of a sweep in a row."""
    run, against = member.run, member.comparison
    mark = Mark("none", "No result")
    if run is not None and run.verdict is not None:
        mark = Mark(run.verdict, VERDICTS[run.verdict])
    tally = "the reference" if run is not None else plain(member.failure)
    if against is not None:
        tally = f"{overall(against).word}: " + ", ".join(
            f"{number} {state.replace('_', ' ')}" for state, number in against.tally.items()
            if number
        )  # fmt: skip
    return MemberRow(
        name=name,
        overrides=overrides_of(member),
        run=plain(run.run_id) if run is not None else "none",
        mark=mark,
        tally=tally,
        exit_code=str(member.exit_code),
    )


def overrides_of(member: SweepMember) -> str:
    return plain(" ".join(member.overrides))


def columns_of(sweep: Sweep) -> dict[str, Column]:
    """What each run says of each check, the reference first; empty where nothing was compared."""
    compared = [(k, m.comparison) for k, m in enumerate(sweep.members, 1) if m.comparison]
    if not compared:
        return {}
    own = [k for k, m in enumerate(sweep.members, 1) if m.run == sweep.reference]
    name = f"Run {own[0]}" if own else "Baseline"
    first = compared[0][1].findings
    return {
        name: {key_of(f): (f, f.before) for f in first if f.before is not None},
        **{
            f"Run {k}": {key_of(f): (f, f.after) for f in each.findings if f.after is not None}
            for k, each in compared
        },
    }


def key_of(finding: ComparedFinding) -> Key:
    return finding.audit, finding.check, finding.subjects


def matrix_rows(columns: Sequence[Column]) -> list[MatrixRow]:
    """Checks whose verdict is not the same in all runs, each with what every run says."""
    rows = []
    for key in dict.fromkeys(key for column in columns for key in column):
        found = [column.get(key) for column in columns]
        sides = [one[1] if one is not None else None for one in found]
        if len({side.verdict if side else None for side in sides}) > 1:
            there = [one for one in found if one is not None]
            finding, side = next((one for one in there if one[1].verdict in PROBLEMS), there[0])
            words = tuple(side_words(side) for side in sides)
            rows.append(MatrixRow(sentence(plain(finding.claim)), plain(side.id), words))
    return rows


def generator() -> str:
    return f"auditor {version('auditor')}"
