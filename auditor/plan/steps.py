"""The execution plan as a value: frozen, JSON-serialisable, made without torch.

    Plan
    ├── Train   a network fitted from a recipe in the spec
    ├── Scan    one source, the union of its outputs, many folds, cut into shards
    ├── Visit   a few rows that a solve chose, looked at with a network at hand
    └── Solve   states in, a state or a result out; no data pass

Step ids are content hashes of everything that decides a step's output, so the cache key and the
audit trail are one thing. How a step is run is the engine's business alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from auditor.needs import Fold, NetworkRole, Output, Source
from auditor.spec.model import AdversarySpec


class PlanModel(BaseModel):
    """Base of the plan's values."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Quantity(PlanModel):
    """A number that may not be known before a probe."""

    value: int | None
    """The number; None where `reason` says why it is not known."""
    reason: str | None = None
    """Why it is not known."""


class Cost(PlanModel):
    """What a step will read and compute."""

    images: int
    """Images decoded, at most (a sequential scan may stop earlier)."""
    bytes: Quantity
    """Bytes read from disk."""
    flops: Quantity
    """Floating point operations, from a probe."""
    memory: Quantity
    """Peak memory in bytes, from a probe."""


class CacheState(PlanModel):
    """Whether a step's output is already there."""

    cached: bool
    """True if nothing is left to do."""
    shards_done: int = 0
    """Finished shards, for scans."""
    changed: tuple[str, ...] = ()
    """Ingredients that differ from the same step of the last run, such as `network weights`."""
    reason: str | None = None
    """Why something is left to do although no ingredient changed."""


class Shard(PlanModel):
    """A fixed slice of a source's shuffled rows."""

    start: int
    """First row."""
    stop: int
    """Row after the last."""


class Placement(PlanModel):
    """Where and how a step runs."""

    device: str
    """Device as the spec asks for it; `auto` is settled when the run starts."""
    precision: str
    """Precision of forward passes."""
    batch_size: int | Literal["auto"]
    """Images per forward pass."""


class StepBase(PlanModel):
    """What all steps have."""

    id: str
    """Content hash, 16 hexadecimal digits."""
    ingredients: dict[str, JsonValue]
    """Everything that the id is the hash of, by name."""
    dependencies: tuple[str, ...] = ()
    """Ids of steps that must be done before."""
    placement: Placement | None = None
    """Filled in by the pass `place`; where nothing but the process computes there is none."""
    cost: Cost | None = None
    """Filled in by the pass `estimate`."""
    cache: CacheState | None = None
    """Filled in by the pass `estimate`, where somebody looked at what earlier runs left."""


class Train(StepBase):
    """Fits the network of a role from the recipe in the spec."""

    kind: Literal["train"] = "train"
    """Kind of step."""
    network: NetworkRole
    """Role of the network in the spec."""
    split: str
    """Split it is fitted on."""
    adversary: AdversarySpec | None = None
    """What moves the images while it is fitted; None for clean images."""
    evaluate: str | None = None
    """Split on which its accuracy is measured afterwards, clean and against the adversary."""


class Scan(StepBase):
    """Reads a source once and feeds all its folds."""

    kind: Literal["scan"] = "scan"
    """Kind of step."""
    source: Source
    """The rows."""
    num_rows: int
    """Rows to read at most: the largest need among the folds."""
    outputs: tuple[Output, ...]
    """Union of what the folds consume."""
    folds: tuple[Fold, ...]
    """The folds, in the order of the spec."""
    shards: tuple[Shard, ...] = ()
    """Filled in by the pass `shard`."""


class Solve(StepBase):
    """Turns states into a state or into an audit's result."""

    kind: Literal["solve"] = "solve"
    """Kind of step."""
    audit: str
    """Id of the audit."""
    name: str
    """Name of the solve; `result` ends the audit."""
    inputs: tuple[str, ...]
    """Names of folds and solves of the same audit."""
    vocabulary: bool = False
    """Whether it gets the vocabulary of the spec."""


class Visit(StepBase):
    """Decodes the rows that a solve chose and looks at them with a network at hand."""

    kind: Literal["visit"] = "visit"
    """Kind of step."""
    audit: str
    """Id of the audit."""
    name: str
    """Name of the visit."""
    source: Source
    """The rows that the solve chose from."""
    network: NetworkRole | None
    """The network at hand."""
    layers: tuple[str, ...] = ()
    """Layers of that network that the visit will look at."""
    after: tuple[str, ...]
    """Names of solves of the same audit; the first one's state names the rows."""
    max_rows: int
    """Rows at most."""


Step = Annotated[Train | Scan | Visit | Solve, Field(discriminator="kind")]


class Plan(PlanModel):
    """All steps in an order in which they can run."""

    schema_version: int = 1
    """Version of this layout."""
    name: str
    """Name of the spec."""
    spec_digest: str
    """Digest of the spec it was made from."""
    steps: tuple[Step, ...]
    """The steps."""
    warnings: tuple[str, ...] = ()
    """What a reader of the plan should know, such as a split without rows."""

    def _repr_html_(self) -> str:
        from auditor.plan.overview import as_html  # it is made of steps, and imports them

        return as_html(self)
