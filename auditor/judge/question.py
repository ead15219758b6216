"""What a check asked: two checks can be held against each other only if they asked the same.

    data         the rows that the audit read, by the digests of its splits
    parameters   what decides the answer: cuts, layers, labels, the rule itself; neither what is
                 only shown, nor how a finding weighs, nor how much is sampled
    model        the network whose units the finding speaks of

Attributes, classes, groups and concepts mean the same under any model, which is what makes a
release comparable with the one before it. A unit, such as a filter, belongs to one network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, AuditSpec, network_of
from auditor.context import Rule
from auditor.needs import NetworkRole
from auditor.results.base import digest_of
from auditor.results.finding import Finding
from auditor.results.run_record import RunRecord
from auditor.spec.dataset import (
    CocoDataset,
    DatasetSpec,
    ImageFolderDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
    TorchvisionDataset,
)
from auditor.spec.extractor import FeaturesExtractor, InspectedExtractor
from auditor.spec.model import PredictionsModel

Plain = Mapping[str, Any]

DATASET = "dataset "
"""How the roles of a dataset's splits begin among the inputs of a run."""

SHOWN = frozenset({"kind", "title", "severity", "pictures", "cards", "examples", "top"})
"""Parts of an audit's spec that change what is shown or how it weighs, not what is found."""

SAMPLED = frozenset({"sampling", "bootstrap", "permutations", "resamples"})
"""Parts that change how precisely something is measured: the interval says so."""

WORDED = frozenset({"explainer", "naming"})
"""Parts of a filter audit that matter to words alone."""


@dataclass(frozen=True)
class Side:
    """One of two runs that are compared.

    Attributes:
        spec: Its composed spec.
        rules: The spec's rules, families and tables written out.
        record: Its record: inputs with digests, and how each audit ended.
        findings: Every check that it made.
    """

    spec: AuditSpec
    rules: tuple[Rule, ...]
    record: RunRecord
    findings: tuple[Finding, ...]


def other_splits(before: Side, after: Side, audit: AnyAudit) -> tuple[str, ...]:
    """The splits of an audit whose rows are not the same in two runs.

    A recorded prediction is the model's part of a table: tables that differ in that column alone
    hold the same data.
    """
    return tuple(
        split
        for split in splits_of(audit)
        if not digests_of(before, split) & digests_of(after, split)
    )


def digests_of(side: Side, split: str) -> frozenset[str]:
    """Digests that stand for a split: of all of it, and of it without recorded predictions."""
    return frozenset(
        digest
        for i in side.record.provenance.inputs
        if i.role == f"{DATASET}{split}"
        for digest in (i.digest, i.without_predictions)
        if digest is not None
    )


def splits_of(audit: AnyAudit) -> tuple[str, ...]:
    """The splits that an audit reads."""
    match audit:
        case RelationshipsSpec():
            return (audit.split, *([audit.confirm] if audit.confirm is not None else []))
        case FailuresSpec() | FiltersSpec():
            return (audit.split,)
        case GroupsSpec():
            return audit.splits
        case _:
            assert_never(audit)


def parameters_of(side: Side, audit: AnyAudit, finding: Finding) -> dict[str, Any]:
    """Everything in the spec that decides what a check finds, by dotted name.

    Lists of subjects are no part of it: a subject is asked about or not, whatever else is listed.
    """
    spec, subjects = side.spec, finding.subjects
    left_out = SHOWN | SAMPLED
    asked: dict[str, Any] = {"dataset": reading_of(spec.dataset)}
    match audit:
        case RelationshipsSpec():
            left_out |= {"attributes"}
            asked["labels"] = labels_of(spec, audit.attributes, subjects)
            if len(subjects) > 1:
                asked["rule"] = rule_of(side, subjects)
        case FailuresSpec():
            left_out |= {"attributes"}
            asked["labels"] = labels_of(spec, audit.attributes, tuple(spec.attributes))
            asked["features"] = units_of(spec, "extractor", None)
        case FiltersSpec():
            left_out |= {"unwanted", "expected"}
            asked["units"] = units_of(spec, audit.inspect, audit.layer)
            if finding.code == "NAMED_FILTERS":
                asked["vocabulary"] = digest_by_role(side).get("vocabulary")
            else:
                left_out |= WORDED
                asked["concept"] = concepts_of(audit, finding)
        case GroupsSpec():
            asked["units"] = units_of(spec, audit.inspect, audit.layer)
            if audit.compare in ("attributes", "predictions"):
                asked["labels"] = labels_of(spec, None, tuple(spec.attributes))
        case _:
            assert_never(audit)
    return leaves({**audit.model_dump(mode="json", exclude=set(left_out)), **asked})


def concepts_of(audit: FiltersSpec, finding: Finding) -> Plain:
    """Whether the concepts of a finding are on the list that it answers to."""
    lists = {"UNWANTED_CONCEPT": audit.unwanted, "EXPECTED_CONCEPT": audit.expected}
    named = lists.get(finding.code)
    return {} if named is None else {one: one in named for one in finding.subjects}


def leaves(value: Plain, before: str = "") -> dict[str, Any]:
    """A nested mapping with its innermost values under dotted names."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{before}{key}"
        if isinstance(inner, Mapping):
            found |= leaves(inner, f"{name}.")
        else:
            found[name] = inner
    return found


def reading_of(dataset: DatasetSpec) -> Plain:
    """How a dataset's files are read; which files they are is told by their digests."""
    match dataset:
        case ManifestDataset():
            return {
                "classes": dataset.classes,
                "columns": dataset.columns.model_dump(mode="json", exclude={"prediction"}),
            }
        case CocoDataset():
            fields = {"classes", "regions", "crowds"}
        case IndexMasksDataset():
            fields = {"classes", "categories"}
        case PortraitsDataset():
            fields = {"classes", "size", "interventions"}
        case ImageFolderDataset() | TorchvisionDataset():
            fields = {"classes"}
        case _:
            assert_never(dataset)
    return dataset.model_dump(mode="json", include=fields)


def labels_of(spec: AuditSpec, audited: tuple[str, ...] | None, names: tuple[str, ...]) -> Plain:
    """Where the labels of some attributes come from; None for those that are not audited."""
    audited = tuple(spec.attributes) if audited is None else audited
    return {
        name: spec.attributes[name].model_dump(mode="json", exclude={"output", "title"})
        if name in audited and name in spec.attributes
        else None
        for name in names
    }


def rule_of(side: Side, pair: tuple[str, ...]) -> Plain | None:
    """What is expected of a pair, with the distribution where the spec declares one."""
    for rule in side.rules:
        if {rule.a, rule.b} == set(pair):
            declared = side.spec.relations.get(rule.expect)
            stated = declared.model_dump(mode="json", exclude={"title"}) if declared else {}
            return {"expect": rule.expect, **stated}
    return None


def units_of(spec: AuditSpec, role: NetworkRole, layer: str | None) -> Plain:
    """Which units of a network are looked at; an extractor names its own layer."""
    if role == "model" or spec.extractor is None or isinstance(spec.extractor, FeaturesExtractor):
        return {"layer": layer}
    own = spec.extractor
    return {"layer": layer or own.layer, "pool": own.pool}


def networks_behind(spec: AuditSpec, audit: AnyAudit, code: str) -> tuple[NetworkRole, ...]:
    """The networks whose units a finding speaks of.

    Features that explain failures are the units of their extractor. Where the model explains
    itself there is no such instrument apart from it, and groups are compared as they are.
    """
    match audit:
        case RelationshipsSpec():
            return ()
        case FailuresSpec():
            return () if isinstance(spec.extractor, InspectedExtractor) else ("extractor",)
        case FiltersSpec():
            return (audit.inspect,) if code in ("NAMED_FILTERS", "DEAD_FILTERS") else ()
        case GroupsSpec():
            if audit.compare == "networks":
                return ("model", "extractor")
            return (audit.inspect,) if audit.compare == "filters" else ()
        case _:
            assert_never(audit)


def network_identity(side: Side, role: NetworkRole) -> Plain:
    """What tells a network from another: its weights and how it is fed, else its whole spec."""
    spec = side.spec
    if role == "extractor" and isinstance(spec.extractor, InspectedExtractor):
        return network_identity(side, "model")
    if role == "extractor" and isinstance(spec.extractor, FeaturesExtractor):
        digests = digest_by_role(side)
        return {key: digests[key] for key in digests if key.startswith("features ")}
    if role == "model" and isinstance(spec.model, PredictionsModel):
        return recorded_predictions(side)
    network = network_of(spec, role)
    if network is None:
        return {}
    weights = weights_digest(side, role)
    if weights is None:
        return network.model_dump(mode="json", exclude={"title"})
    fed = network.model_dump(mode="json", include={"head", "preprocess"})
    return {"weights": weights, **fed}


def recorded_predictions(side: Side) -> Plain:
    """What tells one column of predictions from another: its tables, and its name in them."""
    inputs = side.record.provenance.inputs
    tables = {i.role: i.digest for i in inputs if i.role.startswith(DATASET)}
    dataset = side.spec.dataset
    named = dataset.columns.prediction if isinstance(dataset, ManifestDataset) else None
    return {**tables, "column": named}


def weights_digest(side: Side, role: NetworkRole) -> str | None:
    """SHA-256 of a network's weights, read or fitted; None where they are drawn at random."""
    fitted = {t.network: t.digest for t in side.record.provenance.training}
    return fitted.get(role) or digest_by_role(side).get(f"{role} weights")


def network_words(side: Side, role: NetworkRole) -> str:
    """A network as a reader would say it, with the start of what identifies it."""
    spec = side.spec.model if role == "model" else side.spec.extractor
    if spec is None:
        return "none"
    identity = network_identity(side, role)
    digest = weights_digest(side, role) or digest_of(identity)
    return f"{spec.title or spec.source} ({digest[:12]})"


def digest_by_role(side: Side) -> dict[str, str]:
    """Role of each input -> its digest, where it has one."""
    return {i.role: i.digest for i in side.record.provenance.inputs if i.digest is not None}
