"""THE list of audits, as explicit tagged unions, and the spec that holds them."""

from __future__ import annotations

from typing import Literal

from auditor.audits.relationships.result import CODES as RELATIONSHIPS_CODES
from auditor.audits.relationships.result import RelationshipsResult
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.results.code import Code
from auditor.spec.attribute import AttributeSpec, RelationSpec
from auditor.spec.base import Identifier, SpecModel, Text
from auditor.spec.dataset import DatasetSpec
from auditor.spec.engine import EngineSpec
from auditor.spec.model import ModelSpec
from auditor.spec.policy import PolicySpec
from auditor.spec.report import ReportSpec
from auditor.spec.rule import RuleSpec

# One line here per audit; mypy then names every dispatcher that lacks its case. From the second
# member on these are `Annotated[A | B, Field(discriminator="kind")]` (pydantic wants two for that).
AnyAudit = RelationshipsSpec
AnyResult = RelationshipsResult
CODES: tuple[Code, ...] = (*RELATIONSHIPS_CODES,)


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
    """Path of the review file with human decisions."""
