"""What no single field can see: names that must exist elsewhere in the same spec.

Every check yields its problems; which checks there are is the list at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice
from typing import assert_never

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, AuditSpec, network_of
from auditor.compose import failures, filters, vocabulary
from auditor.compose.names import unknown
from auditor.compose.place import Path, Places
from auditor.compose.validation import MOST_PROBLEMS
from auditor.errors import Problem
from auditor.needs import NetworkRole
from auditor.spec.dataset import (
    CocoDataset,
    ImageFolderDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
    TorchvisionDataset,
)
from auditor.spec.extractor import FeaturesExtractor, TrainedExtractor
from auditor.spec.model import BuiltinModel, PredictionsModel, TorchvisionModel, TrainedModel
from auditor.spec.portraits import ATTRIBUTES, check_disjoint

Check = Callable[[AuditSpec, Places], Iterator[Problem]]

ROLES: tuple[NetworkRole, ...] = ("model", "extractor")


def check(spec: AuditSpec, places: Places) -> list[Problem]:
    """The problems that the cross checks find, in the order of the checks."""
    found = (problem for checker in CHECKS for problem in checker(spec, places))
    return list(islice(found, MOST_PROBLEMS + 1))


def warnings(spec: AuditSpec) -> Iterator[str]:
    """What is valid and yet probably not meant."""
    if not spec.audits:
        yield "the spec has no audits: its run will measure nothing and end inconclusive (exit 4)"
    relationships = any(isinstance(audit, RelationshipsSpec) for audit in spec.audits.values())
    if relationships and not any(rule is not None for rule in spec.rules.values()):
        yield "the spec has no rules: relationships are mined, but none is held against a rule"
    if spec.audits and spec.extractor is not None and not uses_extractor(spec):
        yield "the spec has an extractor, but no audit uses its features"
    if spec.audits and spec.vocabulary is not None and not uses_vocabulary(spec):
        yield "the spec has a vocabulary, but no audit names filters in words"


def uses_vocabulary(spec: AuditSpec) -> bool:
    """Whether some audit puts filters into words."""
    return any(
        isinstance(audit, FiltersSpec) and audit.explainer is not None
        for audit in spec.audits.values()
    )


def uses_extractor(spec: AuditSpec) -> bool:
    """Whether some audit looks at the extractor's features or filters."""
    return any(
        isinstance(audit, FailuresSpec)
        or (isinstance(audit, FiltersSpec | GroupsSpec) and audit.inspect == "extractor")
        or (isinstance(audit, GroupsSpec) and audit.compare == "networks")
        for audit in spec.audits.values()
    )


def label_sources(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Attributes take their labels from columns and classes that the dataset has."""
    dataset = spec.dataset
    for name, attribute in spec.attributes.items():
        path: Path = ("attributes", name)
        if isinstance(dataset, PortraitsDataset):
            if attribute.classes is not None:
                message = "portraits have no classes, only attribute columns"
                yield places.problem((*path, "classes"), message, hint="name the `column` instead")
            elif attribute.column not in ATTRIBUTES:
                yield unknown(places, (*path, "column"), "column", attribute.column, ATTRIBUTES)
        elif dataset.classes is not None:
            for index, label in enumerate(attribute.classes or ()):
                if label not in dataset.classes:
                    yield unknown(
                        places, (*path, "classes", index), "class", label, dataset.classes
                    )


def choices(num_outputs: int | None) -> str:
    """Which outputs there are, where that is known."""
    if num_outputs is None:
        return ""
    return "; it has only 0" if num_outputs == 1 else f"; it has 0 to {num_outputs - 1}"


def outputs(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Attributes are scored by outputs that the model has."""
    size, classes = num_outputs(spec), spec.dataset.classes
    for name, attribute in spec.attributes.items():
        path: Path = ("attributes", name, "output")
        if isinstance(attribute.output, int):
            if attribute.output < 0 or (size is not None and attribute.output >= size):
                message = f"the model has no output {attribute.output}{choices(size)}"
                yield places.problem(path, message)
        elif classes is None:
            hint = "give the number of the output, or list `dataset.classes` in output order"
            message = f"`{attribute.output}` is the name of a class, and the dataset names none"
            yield places.problem(path, message, hint=hint)
        elif attribute.output not in classes:
            yield unknown(places, path, "class", attribute.output, classes)


def shared_outputs(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """No output scores two attributes: they would be tied whatever the network has learnt."""
    classes = spec.dataset.classes or ()
    scored: dict[int | str, str] = {}
    for name, attribute in spec.attributes.items():
        output = attribute.output
        index = classes.index(output) if output in classes else output
        first = scored.setdefault(index, name)
        if first != name:
            path: Path = ("attributes", name, "output")
            place = places.find(("attributes", first, "output"))
            where = place.location or place.source
            message = f"output `{output}` scores `{first}` already ({where})"
            hint = "give each attribute an output of its own, or keep one of the two"
            yield places.problem(path, message, hint=hint)


def class_outputs(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """A network whose failures are wrong classes has one output per class."""
    classes = spec.dataset.classes
    for role in failures.inspected(spec):
        network, size = network_of(spec, role), num_outputs(spec, role)
        if network is None or classes is None or size is None or size == len(classes):
            continue
        if not isinstance(network, PredictionsModel) and network.head == "multi_class":
            message = f"the {role} has {size} outputs, but the dataset has {len(classes)} classes"
            hint = "list one class per output, in output order, under `dataset.classes`"
            yield places.problem((role,), message, hint=hint, key=True)


def extractor_outputs(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """An extractor that is inspected like the model scores attributes by the same outputs."""
    size, classes = num_outputs(spec, "extractor"), spec.dataset.classes or ()
    if size is None or "extractor" not in failures.inspected(spec):
        return
    for name, attribute in spec.attributes.items():
        output = attribute.output
        index = classes.index(output) if output in classes else output
        if isinstance(index, int) and index >= size:
            message = f"the extractor has no output {index} for attribute `{name}`{choices(size)}"
            hint = "inspect the model alone, or take an extractor with the model's outputs"
            yield places.problem(("extractor",), message, hint=hint, key=True)
            return


def num_outputs(spec: AuditSpec, role: NetworkRole = "model") -> int | None:
    """Number of outputs of a network, where the spec says it."""
    model = network_of(spec, role)
    if isinstance(model, BuiltinModel | TorchvisionModel):
        return model.num_outputs
    if not isinstance(model, TrainedModel):
        return None
    if model.replace_head is None:
        return model.network.num_outputs
    if model.recipe.loss == "multi_label":
        return len(spec.attributes)
    return len(spec.dataset.classes) if spec.dataset.classes else None


def training(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """What is fitted alone is named, and can be fitted as the recipe says."""
    for role in ROLES:
        model = network_of(spec, role)
        if not isinstance(model, TrainedModel) or not model.freeze_backbone:
            continue
        if model.replace_head is None:
            message = "a frozen backbone leaves nothing to fit without `replace_head`"
            hint = f"name the last linear layer under `{role}.replace_head`"
            yield places.problem((role, "freeze_backbone"), message, hint=hint)
        once = "for a frozen backbone: its features are computed once"
        if model.recipe.augment:
            message = f"images are not augmented {once}"
            yield places.problem((role, "recipe", "augment"), message)
        if model.recipe.adversary is not None:
            message = f"images are not perturbed {once}"
            yield places.problem((role, "recipe", "adversary"), message, key=True)


def splits(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Named splits exist where the spec itself says which there are."""
    known = known_splits(spec)
    if known is None:
        return
    named: list[tuple[Path, str | None]] = []
    for name, audit in spec.audits.items():
        named += [(("audits", name, key), split) for key, split in read_splits(audit).items()]
    for role in ROLES:
        network = network_of(spec, role)
        if isinstance(network, TrainedModel):
            named.append(((role, "split"), network.split))
        if isinstance(network, TrainedExtractor):
            named.append(((role, "evaluate"), network.evaluate))
    named += filters.group_splits(spec)
    for path, split in named:
        if split is not None and split not in known:
            yield unknown(places, path, "split", split, known)
    if isinstance(spec.extractor, FeaturesExtractor):
        for split in spec.extractor.files:
            if split not in known:
                where: Path = ("extractor", "files", split)
                yield unknown(places, where, "split", split, known, key=True)


def read_splits(audit: AnyAudit) -> dict[str, str | None]:
    """Key of an audit's spec -> split that it names."""
    match audit:
        case RelationshipsSpec():
            return {"split": audit.split, "confirm": audit.confirm}
        case FailuresSpec() | FiltersSpec():
            return {"split": audit.split}
        case GroupsSpec():
            return {}  # several of them: see `compose.filters.group_splits`
        case _:
            assert_never(audit)


def known_splits(spec: AuditSpec) -> Sequence[str] | None:
    """The dataset's splits; None where only its files can tell."""
    match spec.dataset:
        case PortraitsDataset() | CocoDataset():
            return tuple(spec.dataset.splits)
        case ManifestDataset():
            return tuple(spec.dataset.files) if spec.dataset.files else None
        case ImageFolderDataset():
            return spec.dataset.splits or None
        case TorchvisionDataset() | IndexMasksDataset():
            return None
        case _:
            assert_never(spec.dataset)


def portraits(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Procedural splits do not overlap, and what is planted can be drawn."""
    dataset = spec.dataset
    if not isinstance(dataset, PortraitsDataset):
        return
    ranges = {name: (s.start, s.start + s.count) for name, s in dataset.splits.items()}
    for (first, a), (second, b) in combinations(ranges.items(), 2):
        if max(a[0], b[0]) < min(a[1], b[1]):
            message = f"splits `{first}` and `{second}` share images"
            hint = f"start `{second}` at {a[1]} or later"
            yield places.problem(("dataset", "splits", second), message, hint=hint, key=True)
    for name, split in dataset.splits.items():
        try:
            check_disjoint(split.planted)
        except ValueError as error:
            yield places.problem(("dataset", "splits", name, "planted"), str(error))
    for name in dataset.interventions:
        if name not in ATTRIBUTES:
            path: Path = ("dataset", "interventions", name)
            yield unknown(places, path, "attribute", name, ATTRIBUTES, key=True)


def audits(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Each audit of relationships compares attributes that exist."""
    for name, audit in spec.audits.items():
        if not isinstance(audit, RelationshipsSpec):
            continue
        path: Path = ("audits", name)
        chosen = spec.attributes if audit.attributes is None else dict.fromkeys(audit.attributes)
        for index, attribute in enumerate(audit.attributes or ()):
            if attribute not in spec.attributes:
                where: Path = (*path, "attributes", index)
                yield unknown(places, where, "attribute", attribute, spec.attributes)
        if len(chosen) < 2:
            where = path if audit.attributes is None else (*path, "attributes")
            message = f"this audit compares attributes and has {len(chosen)} of them"
            yield places.problem(where, message, hint="it needs at least two", key=True)


def policy(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Limits, powers and required audits name audits that exist."""
    for part, rules in (("limits", spec.policy.limits), ("power", spec.policy.power)):
        for name, rule in rules.items():
            if rule.audit_id not in spec.audits:
                path: Path = ("policy", part, name, "audit" if rule.audit else "metric")
                yield unknown(places, path, "audit", rule.audit_id, spec.audits)
    for index, audit in enumerate(spec.policy.required):
        if audit not in spec.audits:
            yield unknown(places, ("policy", "required", index), "audit", audit, spec.audits)


CHECKS: tuple[Check, ...] = (
    label_sources,
    outputs,
    shared_outputs,
    training,
    splits,
    portraits,
    audits,
    failures.extractors,
    failures.heads,
    failures.groups,
    filters.filters,
    filters.groups,
    vocabulary.vocabularies,
    class_outputs,
    extractor_outputs,
    policy,
)
