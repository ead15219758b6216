"""Cross checks of failure audits: what they explain failures of, by what, and in which groups."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.audits.failures.spec import FailuresSpec
from auditor.catalog import AuditSpec, network_of
from auditor.compose.names import repeated, unknown
from auditor.compose.place import Path, Places
from auditor.errors import Problem
from auditor.needs import NetworkRole
from auditor.spec.dataset import ImageFolderDataset, ManifestDataset
from auditor.spec.extractor import FeaturesExtractor, InspectedExtractor
from auditor.spec.model import PredictionsModel


def failure_audits(spec: AuditSpec) -> dict[str, FailuresSpec]:
    """The failure audits of a spec by id."""
    return {name: audit for name, audit in spec.audits.items() if isinstance(audit, FailuresSpec)}


def extractors(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Failures are explained by features that come from somewhere."""
    for name, audit in failure_audits(spec).items():
        if spec.extractor is None:
            message = "this audit explains failures by features, and the spec has no `extractor`"
            hint = "add `- extractor: NAME` to the defaults, or an `extractor:` section"
            yield places.problem(("audits", name), message, hint=hint, key=True)
        elif "extractor" in audit.inspect and network_of(spec, "extractor") is None:
            path: Path = ("audits", name, "inspect", audit.inspect.index("extractor"))
            yield places.problem(path, nothing_to_inspect(spec), hint="inspect the model alone")
    if isinstance(spec.extractor, InspectedExtractor) and isinstance(spec.model, PredictionsModel):
        message = "the model is a column of predictions, and has no layers"
        hint = "name a network under `extractor`, or features that come from a file"
        yield places.problem(("extractor", "source"), message, hint=hint)
    yield from feature_splits(spec, places)


def nothing_to_inspect(spec: AuditSpec) -> str:
    """Why an extractor has no failures of its own."""
    if isinstance(spec.extractor, FeaturesExtractor):
        return "features from a file make no predictions, so they have no failures"
    return "the extractor is the model itself"


def feature_splits(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Features from a file are there for every split that is explained by them."""
    extractor = spec.extractor
    if isinstance(extractor, FeaturesExtractor):
        for name, audit in failure_audits(spec).items():
            if audit.split not in extractor.files:
                message = f"`extractor.files` has no features of the split `{audit.split}`"
                hint = f"name a file under `extractor.files.{audit.split}`"
                yield places.problem(("audits", name, "split"), message, hint=hint)


def heads(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """It is clear what a failure is: of each attribute, or of the one class."""
    one_class = isinstance(spec.model, PredictionsModel) or spec.model.head == "multi_class"
    for name, audit in failure_audits(spec).items():
        path: Path = ("audits", name)
        if one_class:
            yield from of_classes(spec, audit, path, places)
        else:
            yield from of_attributes(spec, audit, path, places)
    yield from same_head(spec, places)


def of_classes(
    spec: AuditSpec, audit: FailuresSpec, path: Path, places: Places
) -> Iterator[Problem]:
    """Failures of a model that names one class."""
    if spec.dataset.classes is None and not isinstance(spec.dataset, ImageFolderDataset):
        message = "a failure is a wrong class, and the dataset names no classes"
        hint = (
            "list them in output order under `dataset.classes`, or set `model.head: multi_label` "
            "if each output scores an attribute"
        )
        yield places.problem(path, message, hint=hint, key=True)
    if audit.attributes is not None:
        message = "the model names one class per image, so no attribute has failures of its own"
        yield places.problem((*path, "attributes"), message, hint="remove this key", key=True)
    if isinstance(spec.model, PredictionsModel) and not isinstance(spec.dataset, ManifestDataset):
        message = "only a manifest has a column of predictions"
        hint = "use `dataset: {source: manifest}`, or name a network under `model`"
        yield places.problem(("model", "source"), message, hint=hint)


def of_attributes(
    spec: AuditSpec, audit: FailuresSpec, path: Path, places: Places
) -> Iterator[Problem]:
    """Failures of a model with one output per attribute."""
    for index, attribute in enumerate(audit.attributes or ()):
        if attribute not in spec.attributes:
            where: Path = (*path, "attributes", index)
            yield unknown(places, where, "attribute", attribute, spec.attributes)
    if not (spec.attributes if audit.attributes is None else audit.attributes):
        where = path if audit.attributes is None else (*path, "attributes")
        message = "the model scores one attribute per output, and this audit has no attributes"
        hint = "list them under `attributes`, or set `model.head: multi_class`"
        yield places.problem(where, message, hint=hint, key=True)


def same_head(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """A network that is inspected beside the model answers in the same way."""
    network = network_of(spec, "extractor")
    if network is None or isinstance(network, PredictionsModel):
        return
    wanted = "multi_class" if isinstance(spec.model, PredictionsModel) else spec.model.head
    if network.head != wanted and any(
        "extractor" in audit.inspect for audit in failure_audits(spec).values()
    ):
        message = f"the extractor is inspected too, and the model's head is `{wanted}`"
        hint = f"set `extractor.head: {wanted}`, or inspect the model alone"
        yield places.problem(("extractor", "head"), message, hint=hint)


def groups(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Images are grouped by something, and by nothing twice."""
    for name, audit in failure_audits(spec).items():
        path: Path = ("audits", name)
        lists = {"inspect": audit.inspect, "group_by": audit.group_by, "columns": audit.columns}
        for key, values in {**lists, "attributes": audit.attributes or ()}.items():
            yield from repeated(places, (*path, key), values)
        if not audit.group_by and not audit.columns:
            message = "there is nothing to group images by"
            hint = "fill `group_by` or `columns`"
            yield places.problem((*path, "group_by"), message, hint=hint)


def inspected(spec: AuditSpec) -> tuple[NetworkRole, ...]:
    """The networks whose failures some audit explains."""
    found = (role for audit in failure_audits(spec).values() for role in audit.inspect)
    return tuple(dict.fromkeys(found))
