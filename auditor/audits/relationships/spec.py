"""What a user may write for the attribute-relationship audit (Zhang, Wang, Zhu, AAAI 2018)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from auditor.spec.base import Share, SpecModel, Text
from auditor.spec.rule import ExpectedRelations


class MaskSpec(SpecModel):
    """The inference-pattern mask ρ: which units of the layer count for an attribute."""

    method: Literal["none", "greedy", "threshold"] = "none"
    """`none`: all units (measured to be best); `greedy`: the paper's objective, solved by adding
    one unit at a time; `threshold`: the units with the largest mean squared contribution, an
    approximation that is labelled as such."""
    penalty: float = Field(default=1e-4, ge=0.0)
    """λ of the paper's objective, in units of the mean squared logit; the greedy order does not
    depend on it."""
    fraction: Share = 0.05
    """Share of units that `threshold` keeps."""
    images: int = Field(default=128, ge=8)
    """Images that the mask is fitted on."""
    max_units: int = Field(default=2048, ge=1)
    """The greedy path ends after this many units."""


class SamplingSpec(SpecModel):
    """How many images are looked at."""

    method: Literal["sequential", "full"] = "sequential"
    """`sequential`: stop as soon as every rule is decided; `full`: every image of the split."""
    interval: Literal["asymptotic", "bernstein"] = "asymptotic"
    """Time-uniform interval of the sequential decision: `asymptotic` (Waudby-Smith et al., 2024)
    or `bernstein`, which holds at every sample size and needs more images."""
    zone: float = Field(default=0.02, ge=0.0, le=0.5)
    """Half width of the indifference zone around the cut: inside it either verdict is fine."""
    level: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Joint coverage of the always-valid intervals over all rules and all sample sizes."""
    min_images: int = Field(default=128, ge=8)
    """Never stop before this many images."""
    max_images: int | None = Field(default=None, ge=8)
    """Stop after this many images, decided or not; None allows the whole split."""


class DivergenceSpec(SpecModel):
    """KL divergence between the expected and the mined distribution of the cosine."""

    num_bins: int = Field(default=40, ge=4, le=1000)
    """Bins on [-1, 1] of the histogram estimator."""
    pseudo_count: float = Field(default=0.5, gt=0.0)
    """Added to every bin; without it one empty bin makes the divergence infinite."""


class RelationshipsSpec(SpecModel):
    """Mines how the network relates its attributes and holds that against the rules."""

    kind: Literal["relationships"]
    """Kind of audit."""
    title: Text = "Attribute relationships"
    """Title of the report section."""
    layer: str
    """Module path of the layer whose units carry the inference patterns, such as `features.4`."""
    attributes: tuple[str, ...] | None = None
    """Attributes to compare; all of the spec's by default."""
    split: str = "train"
    """Split on which relationships are mined."""
    confirm: str | None = "test"
    """Split on which accuracies are confirmed; null halves `split` by sample id instead."""
    mask: MaskSpec = MaskSpec()
    """The inference-pattern mask."""
    expected: ExpectedRelations = ExpectedRelations()
    """How expected distributions are estimated where a relation declares none."""
    divergence: DivergenceSpec = DivergenceSpec()
    """The histogram estimator of the divergence."""
    sampling: SamplingSpec = SamplingSpec()
    """How many images are looked at, and when that is enough."""
    cut: float = Field(default=0.2, gt=0.0, lt=1.0)
    """|m - μ| above the cut breaks a rule (the paper's 0.2)."""
    presence_cut: float = Field(default=0.2, gt=0.0, lt=1.0)
    """|m| below it, where more is expected: the network misses a relation (blind spot); otherwise
    it uses a wrong one (failure mode). The paper's 0.2."""
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """Level of the robust-z test after Benjamini-Hochberg over the rules."""
    learnt_above: float = Field(default=0.65, gt=0.5, lt=1.0)
    """An attribute counts as learnt where its balanced accuracy is above this."""
    bootstrap: int = Field(default=200, ge=50, le=5000)
    """Poisson bootstrap replicates for intervals of the mean cosine."""
    min_images: int = Field(default=30, ge=8)
    """A pair with fewer images that show either attribute is not testable."""
    min_cell: int = Field(default=10, ge=2)
    """A label cell of a failure mode with fewer confirming images gets no accuracy."""
    top: tuple[int, ...] = (5, 10)
    """Numbers of failure modes over which the accuracy drop is averaged."""
    examples: int = Field(default=24, ge=0, le=200)
    """Images whose heat maps are kept, to choose the report's examples from."""
