"""What the attribute-relationship audit asks for: up to four folds and the solves between them.

examples      activations × gradients of the first images, for heat maps
contributions (only with a mask) per-image contributions of every unit → solve `mask`
cosines       per-image Gram matrices of the attributes' gradients, summed per pair
accuracy      labels against logits, on samples that nothing was found on → solve `result`
"""

from __future__ import annotations

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.needs import Fold, Need, Output, Solve, Source

VERSION = 3
"""Raised when the same inputs would give other numbers."""


def needs(audit: str, spec: RelationshipsSpec, outputs: tuple[int, ...]) -> tuple[Need, ...]:
    """Folds and solves of one audit.

    Args:
        audit: Id of the audit.
        spec: Its spec, with every default filled in.
        outputs: Indices of the model outputs that score the audited attributes, in their order.
    """
    mined = Source(split=spec.split)
    confirmed = Source(split=spec.confirm or spec.split)
    logits = Output(kind="logits")
    activation = Output(kind="activation", layer=spec.layer)
    jacobian = Output(kind="jacobian", layer=spec.layer, outputs=outputs)
    params = {"version": VERSION, **spec.model_dump(mode="json", exclude={"title"})}
    after = ("mask",) if spec.mask.method != "none" else ()

    def fold(name: str, source: Source, consumed: tuple[Output, ...]) -> Fold:
        return Fold(audit=audit, name=name, source=source, outputs=consumed, params=params)

    def solve(name: str, inputs: tuple[str, ...]) -> Solve:
        return Solve(audit=audit, name=name, inputs=inputs, params=params)

    def limited(found: Fold, rows: int | None, *, sequential: bool = False) -> Fold:
        changes = {"max_rows": rows, "after": after, "sequential": sequential}
        return found.model_copy(update=changes)

    contributions = fold("contributions", mined, (logits, activation, jacobian))
    mask = (
        contributions.model_copy(update={"max_rows": spec.mask.images}),
        solve("mask", ("contributions",)),
    )
    examples = (limited(fold("examples", mined, (activation, jacobian)), spec.examples),)
    cosines = limited(
        fold("cosines", mined, (jacobian,)),
        spec.sampling.max_images,
        sequential=spec.sampling.method == "sequential",
    )
    kept = ("examples",) if spec.examples else ()
    return (
        *(mask if after else ()),
        *(examples if kept else ()),
        cosines,
        fold("labels", mined, ()),
        fold("accuracy", confirmed, (logits,)),
        solve("result", (*after, *kept, "cosines", "labels", "accuracy")),
    )
