"""THE list of audits, as explicit tagged unions, and the spec that holds them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditor.audits.failures.result import CODES as FAILURES_CODES
from auditor.audits.failures.result import FailuresResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.result import CODES as FILTERS_CODES
from auditor.audits.filters.result import FiltersResult
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.result import CODES as GROUPS_CODES
from auditor.audits.groups.result import GroupsResult
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.result import CODES as RELATIONSHIPS_CODES
from auditor.audits.relationships.result import RelationshipsResult
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.needs import NetworkRole
from auditor.results.code import Code
from auditor.spec.attribute import AttributeSpec, RelationSpec
from auditor.spec.base import Identifier, SpecModel, Text
from auditor.spec.dataset import DatasetSpec
from auditor.spec.engine import EngineSpec
from auditor.spec.extractor import (
    ExtractorSpec,
    FeaturesExtractor,
    InspectedExtractor,
)
from auditor.spec.model import ModelSpec, PredictionsModel
from auditor.spec.policy import PolicySpec
from auditor.spec.report import ReportSpec
from auditor.spec.rule import RuleSpec
from auditor.spec.vocabulary import VocabularySpec

# One line here per audit; mypy then names every dispatcher that lacks its case.
AnyAudit = Annotated[
    RelationshipsSpec | FailuresSpec | FiltersSpec | GroupsSpec, Field(discriminator="kind")
]
AnyResult = Annotated[
    RelationshipsResult | FailuresResult | FiltersResult | GroupsResult,
    Field(discriminator="kind"),
]
CODES: tuple[Code, ...] = (*RELATIONSHIPS_CODES, *FAILURES_CODES, *FILTERS_CODES, *GROUPS_CODES)


class AuditSpec(SpecModel):
    """A whole audit spec after composition: what version control keeps and a digest names."""

    version: Literal[1]
    """Version of the spec language."""
    data_root: str = "."
    """Folder that `${data_root}` stands for in paths; not part of any digest."""
    name: Identifier
    """Name of the spec: the folder of its runs."""
    title: Text = ""
    """Title of the report; the name by default."""
    owner: Text = ""
    """Who answers for the model."""
    purpose: Text = ""
    """What the model decides, and for whom."""
    out_of_scope: Text = ""
    """What the model must not be used for."""
    dataset: DatasetSpec
    """Images, labels and attribute columns."""
    model: ModelSpec
    """The network under audit."""
    extractor: ExtractorSpec | None = None
    """Where the features come from that failures are explained by."""
    vocabulary: VocabularySpec | None = None
    """Words with vectors, in which filters are named."""
    attributes: dict[Identifier, AttributeSpec] = {}
    """Attribute id -> which output scores it, which label it has."""
    relations: dict[Identifier, RelationSpec] = {}
    """Expected relations with a declared distribution, beside the five built-in ones."""
    rules: dict[Identifier, RuleSpec | None] = {}
    """Rule id -> rule; null removes a rule of a config group."""
    audits: dict[Identifier, AnyAudit] = {}
    """Audit id -> audit."""
    policy: PolicySpec = PolicySpec()
    """What turns findings into a verdict."""
    engine: EngineSpec = EngineSpec()
    """Where and how the plan runs."""
    report: ReportSpec = ReportSpec()
    """What the report looks like."""
    review: str | None = None
    """Path of the review file with human decisions; `reviews/<name>.yaml` by default."""


def network_of(spec: AuditSpec, role: NetworkRole) -> ModelSpec | None:
    """The network that plays a role in a spec; None where there is none.

    A column of predictions is no network, features from a file come from none, and an extractor
    that is the model itself has none of its own.
    """
    if role == "model":
        return None if isinstance(spec.model, PredictionsModel) else spec.model
    extractor = spec.extractor
    if extractor is None or isinstance(extractor, FeaturesExtractor | InspectedExtractor):
        return None
    return extractor
