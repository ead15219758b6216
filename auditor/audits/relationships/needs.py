"""What the attribute-relationship audit asks for: up to four folds and the solves between them.

examples      activations × gradients of the first images, for heat maps
contributions (only with a mask) per-image contributions of every unit → solve `mask`
cosines       per-image Gram matrices of the attributes' gradients, summed per pair
accuracy      labels against logits, on samples that nothing was found on → solve `result`
"""

from __future__ import annotations

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.needs import Fold, Need, Output, Solve, Source

VERSION = 2
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
    masked = spec.mask.method != "none"

    found: list[Need] = []
    if masked:
        found.append(
            Fold(
                audit=audit,
                name="contributions",
                source=mined,
                outputs=(logits, activation, jacobian),
                params=params,
                max_rows=spec.mask.images,
            )
        )
        found.append(Solve(audit=audit, name="mask", inputs=("contributions",), params=params))
    after = ("mask",) if masked else ()
    if spec.examples:
        found.append(
            Fold(
                audit=audit,
                name="examples",
                source=mined,
                outputs=(activation, jacobian),
                params=params,
                after=after,
                max_rows=spec.examples,
            )
        )
    found.append(
        Fold(
            audit=audit,
            name="cosines",
            source=mined,
            outputs=(jacobian,),
            params=params,
            after=after,
            sequential=spec.sampling.method == "sequential",
            max_rows=spec.sampling.max_images,
        )
    )
    found.append(Fold(audit=audit, name="labels", source=mined, outputs=(), params=params))
    found.append(
        Fold(audit=audit, name="accuracy", source=confirmed, outputs=(logits,), params=params)
    )
    inputs = ("examples",) if spec.examples else ()
    found.append(
        Solve(
            audit=audit,
            name="result",
            inputs=(*after, *inputs, "cosines", "labels", "accuracy"),
            params=params,
        )
    )
    return tuple(found)
