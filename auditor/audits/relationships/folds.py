"""The folds at work: from a batch to the state of that batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from auditor.audits.relationships.expectations import seen_enough
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.audits.relationships.states import (
    AccuracyState,
    ContributionState,
    CosineState,
    EnergyState,
    ExampleState,
    LabelState,
    MaskState,
    pair_indices,
)
from auditor.context import Context
from auditor.errors import InputError
from auditor.measure.association import cell_counts, normal_equations
from auditor.measure.bootstrap import bootstrap_sums, sample_keys
from auditor.measure.fold import Batch
from auditor.measure.heatmaps import pattern_map
from auditor.measure.jacobians import cosines, gram
from auditor.needs import Output

HALVES_SEED = -1
"""Salt of the hash that halves a split by sample id; fixed, so that no seed mixes the halves."""

MAX_CONTRIBUTION_BYTES = 2 << 30
"""The greedy mask keeps the contributions of its images in memory, up to this many bytes."""


@final
@dataclass(frozen=True)
class Cosines:
    """Gram matrices of the attributes' gradients, summed per pair."""

    spec: RelationshipsSpec
    context: Context
    mask: MaskState | None

    def measure(self, batch: Batch) -> CosineState:
        """The state of this batch alone."""
        kept = mined_rows(self.spec, batch)
        jacobian = jacobian_of(self.spec, self.context, batch)
        num_units = jacobian[0, 0].numel() if jacobian.numel() else 0
        mask = self.mask.mask.to(jacobian.device) if self.mask is not None else None
        found = cosines(gram(jacobian, mask=mask))
        first, second = pair_indices(len(self.context.attributes))
        values = found.values.cpu()[kept][:, first, second]
        valid = found.valid.cpu()[kept][:, first, second]
        present = labels_of(self.context, batch)[kept] > 0
        either = present[:, first] | present[:, second]
        counted = either & valid
        keys = sample_keys(batch.ids, seed=self.context.seed)[kept]
        replicates = bootstrap_sums(keys, values, counted, self.spec.bootstrap)
        kept_values = values * counted
        return CosineState(
            num_images=kept.sum(),
            num_units=torch.tensor(num_units),
            count=counted.sum(0),
            without=(either & ~valid).sum(0),
            total=kept_values.sum(0),
            squares=kept_values.square().sum(0),
            histogram=histogram(values, counted, self.spec.divergence.num_bins),
            replicate_weight=replicates.weight,
            replicate_total=replicates.total,
        )

    def enough(self, state: CosineState) -> bool:
        """Whether every rule is decided."""
        return seen_enough(self.spec, self.context, state)


@final
@dataclass(frozen=True)
class Labels:
    """Label combinations of the mined images."""

    spec: RelationshipsSpec
    context: Context

    def measure(self, batch: Batch) -> LabelState:
        """The state of this batch alone."""
        kept = mined_rows(self.spec, batch)
        return LabelState(kept.sum(), cell_counts(labels_of(self.context, batch)[kept]))

    def enough(self, state: LabelState) -> bool:
        """Labels cost nothing: all of them are read."""
        return False


@final
@dataclass(frozen=True)
class Accuracy:
    """Predictions against labels on confirming images."""

    spec: RelationshipsSpec
    context: Context

    def measure(self, batch: Batch) -> AccuracyState:
        """The state of this batch alone."""
        logits = logits_of(batch)
        outputs = torch.tensor([attribute.output for attribute in self.context.attributes])
        scores = logits[:, outputs]
        confirming = ~mined_rows(self.spec, batch) if self.spec.confirm is None else all_rows(batch)
        finite = scores.isfinite().all(1)
        kept = confirming & finite
        labels, scores = labels_of(self.context, batch)[kept], scores[kept]
        predicted = predictions(self.context, logits[kept], outputs)
        sides = torch.stack([labels < 0, labels > 0], -1).double()
        answers = torch.stack([~predicted, predicted], -1).double()
        right = sides * (predicted == (labels > 0)).double().unsqueeze(-1)
        equations = normal_equations(labels, scores)
        return AccuracyState(
            num_images=kept.sum(),
            num_nonfinite=(confirming & ~finite).sum(),
            answers=torch.einsum("bjs,bit->ijst", sides, answers).long(),
            cells=cell_counts(labels),
            right=torch.einsum("bis,bjt->ijst", right, sides).long(),
            inner=equations.inner,
            cross=equations.cross,
            squares=equations.squares,
        )

    def enough(self, state: AccuracyState) -> bool:
        """All confirming images count."""
        return False


@final
@dataclass(frozen=True)
class Examples:
    """Images and the heat maps of their inference patterns."""

    spec: RelationshipsSpec
    context: Context
    mask: MaskState | None

    def measure(self, batch: Batch) -> ExampleState:
        """The state of this batch alone; layers without places give no example."""
        activation = activation_of(self.spec, batch)
        jacobian = jacobian_of(self.spec, self.context, batch)
        present = labels_of(self.context, batch).to(torch.int8)
        if activation.dim() != 4:
            empty = torch.zeros(0, present.shape[1], 1, 1)
            none = torch.zeros(present.shape[1], 0, dtype=torch.float64)
            return ExampleState(pixels_of(batch)[:0], empty, present[:0], none)
        if self.mask is not None:
            jacobian = jacobian * self.mask.mask.to(jacobian.device)
        maps = pattern_map(jacobian, activation).float().cpu()
        # A picture with infinite gradients has no map; zero reads as "nothing speaks for it".
        spoken = torch.einsum("bnchw,bchw->bnc", jacobian, activation).double().abs().cpu()
        return ExampleState(
            pixels_of(batch),
            maps.nan_to_num(0.0, 0.0, 0.0),
            present,
            spoken.nan_to_num(0.0, 0.0, 0.0).sum(0),
        )

    def enough(self, state: ExampleState) -> bool:
        """The plan limits the rows."""
        return False


@final
@dataclass(frozen=True)
class Contributions:
    """What every unit contributes to every score, for the greedy mask."""

    spec: RelationshipsSpec
    context: Context

    def measure(self, batch: Batch) -> ContributionState:
        """The state of this batch alone.

        Raises:
            InputError: when all images together would not fit in memory.
        """
        activation = activation_of(self.spec, batch)
        jacobian = jacobian_of(self.spec, self.context, batch)
        needed = 4 * self.spec.mask.images * math.prod(jacobian.shape[1:])
        if needed > MAX_CONTRIBUTION_BYTES:
            raise InputError(
                f"a greedy mask on layer {self.spec.layer!r} would keep {needed / 2**30:.1f} GiB",
                hint="name a deeper layer, lower mask.images, or use mask.method=threshold",
            )
        contributions = (jacobian * activation.unsqueeze(1)).float().cpu()
        logits = logits_of(batch).double()
        outputs = torch.tensor([attribute.output for attribute in self.context.attributes])
        kept = contributions.flatten(1).isfinite().all(1) & mined_rows(self.spec, batch)
        return ContributionState(contributions[kept], logits[kept][:, outputs])

    def enough(self, state: ContributionState) -> bool:
        """The plan limits the rows."""
        return False


@final
@dataclass(frozen=True)
class Energy:
    """Squared contributions of every unit, for the threshold mask."""

    spec: RelationshipsSpec
    context: Context

    def measure(self, batch: Batch) -> EnergyState:
        """The state of this batch alone."""
        activation = activation_of(self.spec, batch)
        jacobian = jacobian_of(self.spec, self.context, batch)
        squares = (jacobian * activation.unsqueeze(1)).cpu().double().square()
        kept = squares.flatten(1).isfinite().all(1) & mined_rows(self.spec, batch)
        return EnergyState(kept.sum(), squares[kept].sum(0))

    def enough(self, state: EnergyState) -> bool:
        """The plan limits the rows."""
        return False


def logits_of(batch: Batch) -> Tensor:
    """All logits of the batch [B, C]."""
    return batch.outputs[Output(kind="logits")].detach().cpu()


def pixels_of(batch: Batch) -> Tensor:
    """The images as the inspected network sees them, uint8 [B, 3, h, w]."""
    return batch.pixels["model"].cpu()


def activation_of(spec: RelationshipsSpec, batch: Batch) -> Tensor:
    """Output of the audited layer [B, *L]."""
    return batch.outputs[Output(kind="activation", layer=spec.layer)]


def jacobian_of(spec: RelationshipsSpec, context: Context, batch: Batch) -> Tensor:
    """Gradients of the audited attributes at the audited layer [B, n, *L]."""
    outputs = tuple(attribute.output for attribute in context.attributes)
    return batch.outputs[Output(kind="jacobian", layer=spec.layer, outputs=outputs)]


def labels_of(context: Context, batch: Batch) -> Tensor:
    """Labels of the audited attributes, in their order [B, n]."""
    return batch.attributes[:, [attribute.index for attribute in context.attributes]].cpu()


def all_rows(batch: Batch) -> Tensor:
    """Every row of the batch [B]."""
    return torch.ones(len(batch.ids), dtype=torch.bool)


def mined_rows(spec: RelationshipsSpec, batch: Batch) -> Tensor:
    """Rows that relations are mined on: all, or one half where no split confirms [B]."""
    if spec.confirm is not None:
        return all_rows(batch)
    return sample_keys(batch.ids, seed=HALVES_SEED) % 2 == 0


def predictions(context: Context, logits: Tensor, outputs: Tensor) -> Tensor:
    """Which attributes the network sees [B, n]."""
    if context.head == "multi_class":
        return logits.argmax(1, keepdim=True) == outputs
    return logits[:, outputs] > 0


def histogram(values: Tensor, counted: Tensor, num_bins: int) -> Tensor:
    """Counts of cosines in equal bins on [-1, 1], per pair [P, bins]."""
    num_pairs = values.shape[1]
    bins = ((values + 1) / 2 * num_bins).long().clamp(0, num_bins - 1)
    slots = (bins + torch.arange(num_pairs) * num_bins)[counted]
    return torch.bincount(slots, minlength=num_pairs * num_bins).reshape(num_pairs, num_bins)
