"""The clause map: what laws, standards and frameworks ask, and what this run has to say to it.

`clause_states` is the map as data; `make_clauses` is the same as the report shows it. A state says
what kind of evidence speaks to a clause, never that the clause is met.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import assert_never, get_args

from auditor.compose.clauses import parse_framework
from auditor.errors import ArtifactError, SpecError
from auditor.judge.review import Reviews
from auditor.report import attested, measured
from auditor.report.answer import Answer, Place, State
from auditor.report.reviewing import reviews_of
from auditor.spec.clauses import Clause, EvidenceKind, Framework
from auditor.store.reader import Run
from auditor.wording import plain

STATES: tuple[State, ...] = get_args(State)
"""The strongest first."""

NAMES: dict[EvidenceKind, str] = {
    "relationships": "Relationships between attributes",
    "failures": "Where the model fails",
    "filters": "What filters look at",
    "groups": "Groups compared",
    "checks": "Everything tested",
    "accuracy": "Accuracy of the model",
    "feature_robustness": "Robustness of the features",
    "data": "Data sets",
    "label_statistics": "Counts of attributes and groups",
    "unreadable": "Unreadable pictures",
    "model": "Weights of the model",
    "training": "Training of the model",
    "verdict": "Targets and verdict",
    "limits": "Limits on metrics",
    "power": "Statistical power",
    "uncertainty": "Uncertainty and limits",
    "comparison": "Comparison with an earlier run",
    "record": "Record of the run",
    "reproduction": "Reproduction",
    "purpose": "Purpose",
    "out_of_scope": "Uses that are not meant",
    "owner": "Owner",
    "reasons": "Reasons of the rules",
    "policy": "Policy",
    "decisions": "Decisions about findings",
    "sign_off": "Sign-off",
}
"""Kinds of evidence as a reader would say them."""


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence and what the run has to say to it.

    Attributes:
        kind: Its word in the clause maps.
        name: The same for readers.
        state: `measured`, `attested` or `not covered`.
        words: What there is, or why there is nothing.
        places: Where the report shows it.
    """

    kind: EvidenceKind
    name: str
    state: State
    words: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class ClauseState:
    """One clause.

    Attributes:
        id: Its number in the framework.
        heading: What it is about.
        asks: What it asks for.
        beyond: What it asks beyond anything that a run can show.
        evidence: What speaks to it, the missing included.
        state: The strongest state of its evidence; `not covered` without any.
    """

    id: str
    heading: str
    asks: str
    beyond: str
    evidence: tuple[Evidence, ...]
    state: State

    @property
    def by_state(self) -> tuple[tuple[State, tuple[Evidence, ...]], ...]:
        """The evidence by its state, the strongest first; states without any are left out."""
        groups = ((s, tuple(e for e in self.evidence if e.state == s)) for s in STATES)
        return tuple((state, group) for state, group in groups if group)


@dataclass(frozen=True)
class FrameworkStates:
    """One framework.

    Attributes:
        id: Name of its clause map.
        title: The framework.
        edition: Which text of it is mapped.
        date: Date of that text, ISO 8601.
        revision: Number of the map.
        source: Where the text can be read.
        note: What readers of the map should know.
        clauses: Its clauses.
    """

    id: str
    title: str
    edition: str
    date: str
    revision: int
    source: str
    note: str
    clauses: tuple[ClauseState, ...]

    @property
    def tally(self) -> dict[State, int]:
        """Number of clauses by state, every state named."""
        counts = Counter(clause.state for clause in self.clauses)
        return {state: counts[state] for state in STATES}


@dataclass(frozen=True)
class ClausesBlock:
    """The section of the report.

    Attributes:
        frameworks: The clause maps with their states, in the order of the spec.
        evidence: Every kind of evidence that one of them names, in one order.
    """

    frameworks: tuple[FrameworkStates, ...]
    evidence: tuple[Evidence, ...]


def make_clauses(run: Run) -> ClausesBlock:
    """The clause map of a run; empty where its spec names none.

    Raises:
        ArtifactError: a clause map in the run directory is damaged.
    """
    frameworks = clause_states(run)
    found = {e.kind: e for f in frameworks for clause in f.clauses for e in clause.evidence}
    return ClausesBlock(frameworks, tuple(found[kind] for kind in NAMES if kind in found))


def clause_states(run: Run) -> tuple[FrameworkStates, ...]:
    """Every clause of the frameworks that the run's spec names, with what speaks to it.

    Raises:
        ArtifactError: a clause map in the run directory is damaged.
    """
    maps = {name: read_map(run, name) for name in run.clauses}
    kinds = {kind for f in maps.values() for clause in f.clauses for kind in clause.evidence}
    reviews = reviews_of(run)
    evidence = {kind: evidence_of(kind, run, reviews) for kind in kinds}
    return tuple(
        FrameworkStates(
            id=name,
            title=plain(framework.title),
            edition=plain(framework.edition),
            date=framework.date.isoformat(),
            revision=framework.revision,
            source=plain(framework.source),
            note=plain(framework.note),
            clauses=tuple(clause_state(clause, evidence) for clause in framework.clauses),
        )
        for name, framework in maps.items()
    )


def read_map(run: Run, name: str) -> Framework:
    path = run.paths.clause_map(name)
    try:
        return parse_framework(run.clauses[name], path.name)
    except SpecError as error:
        raise ArtifactError(
            f"{path} is damaged: {error}",
            hint="`auditor verify RUN` lists every file that was changed since the run was sealed.",
        ) from error


def clause_state(clause: Clause, evidence: dict[EvidenceKind, Evidence]) -> ClauseState:
    own = tuple(evidence[kind] for kind in clause.evidence)
    return ClauseState(
        id=plain(clause.id),
        heading=plain(clause.heading),
        asks=plain(clause.asks),
        beyond=plain(clause.beyond),
        evidence=own,
        state=min((each.state for each in own), key=STATES.index, default="not covered"),
    )


def evidence_of(kind: EvidenceKind, run: Run, reviews: Reviews) -> Evidence:
    found = answer(kind, run, reviews)
    return Evidence(kind, NAMES[kind], found.state, found.words, found.places)


def answer(kind: EvidenceKind, run: Run, reviews: Reviews) -> Answer:
    """What a run has to say to one kind of evidence."""
    match kind:
        case "relationships" | "failures" | "filters" | "groups":
            return measured.audits(run, kind)
        case "checks":
            return measured.checks(run)
        case "accuracy":
            return measured.accuracy(run)
        case "feature_robustness":
            return measured.feature_robustness(run)
        case "data":
            return measured.data(run)
        case "label_statistics":
            return measured.label_statistics(run)
        case "unreadable":
            return measured.unreadable(run)
        case "model":
            return measured.model(run)
        case "training":
            return measured.training(run)
        case "verdict":
            return measured.verdict(run)
        case "limits":
            return measured.limits(run)
        case "power":
            return measured.power(run)
        case "uncertainty":
            return measured.uncertainty(run)
        case "comparison":
            return measured.comparison(run)
        case "record":
            return measured.record(run)
        case "reproduction":
            return measured.reproduction(run)
        case "purpose" | "out_of_scope" | "owner":
            return attested.text(run, kind)
        case "reasons":
            return attested.reasons(run)
        case "policy":
            return attested.policy(run)
        case "decisions":
            return attested.decisions(run, reviews)
        case "sign_off":
            return attested.sign_off(run, reviews)
        case _:
            assert_never(kind)
