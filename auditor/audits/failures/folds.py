"""The fold at work: from a batch to the rows of the audit's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from auditor.audits.failures.needs import extractor_of, features, logits
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Attribute, Context
from auditor.errors import InputError
from auditor.measure.bootstrap import sample_keys
from auditor.measure.fold import Batch
from auditor.needs import NetworkRole

PARTS_SEED = -2
"""Salt of the hash that deals images to growing and confirming by sample id; fixed, so that no
seed mixes the parts, and not the one by which another audit halves a split."""


@final
@dataclass(frozen=True)
class Table:
    """Truth, predictions, groups and features of every image."""

    spec: FailuresSpec
    context: Context

    def measure(self, batch: Batch) -> TableState:
        """The state of this batch alone.

        Raises:
            InputError: predictions by name of class are given for a model with one output per
                attribute, or none are given at all.
        """
        predicted = [self.predicted(batch, role) for role in self.spec.inspect]
        columns = [batch.columns[name].cpu() for name in self.spec.columns]
        empty = torch.zeros(len(batch.ids), 0, dtype=torch.int64)
        store = batch.outputs[features(extractor_of(self.context))]
        return TableState(
            rows=batch.rows.cpu(),
            part=parts(batch.ids, self.spec.confirm),
            truth=truth(self.spec, self.context, batch),
            predicted=torch.stack(predicted, 1),
            columns=torch.stack(columns, 1) if columns else empty,
            attributes=batch.attributes.cpu().to(torch.int8),
            features=store.detach().cpu().float(),
        )

    def enough(self, state: TableState) -> bool:
        """All images count."""
        return False

    def predicted(self, batch: Batch, role: NetworkRole) -> Tensor:
        """What one inspected network says [B, T]; -1 where its scores are not finite."""
        outputs = logits(self.spec, self.context)
        if role not in outputs:
            return column_predictions(self.context, batch)
        scores = batch.outputs[outputs[role]].detach().cpu()
        if self.context.head == "multi_class":
            finite = scores.isfinite().all(1)
            return torch.where(finite, scores.argmax(1), -1).unsqueeze(1)
        chosen = scores[:, [attribute.output for attribute in audited(self.spec, self.context)]]
        return torch.where(chosen.isfinite(), (chosen > 0).long(), -1)


def audited(spec: FailuresSpec, context: Context) -> tuple[Attribute, ...]:
    """The attributes that are tasks; none for a model with one output per class."""
    if context.head == "multi_class":
        return ()
    if spec.attributes is None:
        return context.attributes
    known = {attribute.name: attribute for attribute in context.attributes}
    return tuple(known[name] for name in spec.attributes)


def truth(spec: FailuresSpec, context: Context, batch: Batch) -> Tensor:
    """Class of each task [B, T], -1 unknown; for an attribute 0 is absent and 1 present."""
    if context.head == "multi_class":
        if batch.labels is None:
            return torch.full((len(batch.ids), 1), -1)
        return batch.labels.cpu().long().unsqueeze(1)
    signs = batch.attributes[:, [one.index for one in audited(spec, context)]].cpu()
    return torch.where(signs > 0, 1, torch.where(signs < 0, 0, -1))


def column_predictions(context: Context, batch: Batch) -> Tensor:
    """The dataset's own predictions [B, 1].

    Raises:
        InputError: there are none, or they are classes while the tasks are attributes.
    """
    if batch.predictions is None or context.head != "multi_class":
        raise InputError(
            "a column of predictions holds one class per image, which this audit needs",
            hint="give the dataset a column of predictions, and set `head: multi_class`",
        )
    return batch.predictions.cpu().long().unsqueeze(1)


def parts(ids: tuple[str, ...], confirm: float | None) -> Tensor:
    """Which images leaves are confirmed on, int8 [B]: by a keyed hash of the sample id.

    Args:
        ids: Sample ids.
        confirm: Share of images that confirm; None: none do.
    """
    if confirm is None:
        return torch.zeros(len(ids), dtype=torch.int8)
    # int64 keys over 2^64 lie in [-1/2, 1/2).
    position = sample_keys(ids, seed=PARTS_SEED).double() * 2.0**-64 + 0.5
    return (position < confirm).to(torch.int8)
