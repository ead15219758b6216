"""What the failure audit asks for: one fold, one solve, and a look at the images it chose.

table     truth, predictions, groups and features of every image   (features are the one store)
trees     groups → trees → confirmed leaves, and which images to show
pictures  most activating images, heat maps, feature attacks, failures beside successes
result    everything in words
"""

from __future__ import annotations

from auditor.audits.failures.spec import FailuresSpec
from auditor.context import Context, Extractor
from auditor.needs import Fold, Need, NetworkRole, Output, Solve, Source, Visit

VERSION = 1
"""Raised when the same inputs would give other numbers."""


def needs(audit: str, spec: FailuresSpec, context: Context) -> tuple[Need, ...]:
    """Folds, solves and visits of one audit.

    Args:
        audit: Id of the audit.
        spec: Its spec, with every default filled in.
        context: What the audit may know; it has an extractor.
    """
    source = Source(split=spec.split)
    extractor = extractor_of(context)
    params = {"version": VERSION, **spec.model_dump(mode="json", exclude={"title"})}
    outputs = (*logits(spec, context).values(), features(extractor))
    visit = Visit(
        audit=audit,
        name="pictures",
        source=source,
        network=extractor.network,
        layers=tuple(filter(None, (extractor.layer, extractor.heatmap_layer))),
        after=("trees",),
        max_rows=most_pictures(spec),
        params=params,
    )
    pictures = (visit,) if spec.pictures.findings else ()
    return (
        Fold(audit=audit, name="table", source=source, outputs=outputs, params=params),
        Solve(audit=audit, name="trees", inputs=("table",), params=params),
        *pictures,
        Solve(
            audit=audit,
            name="result",
            inputs=("trees", *(visit.name for visit in pictures)),
            params=params,
        ),
    )


def extractor_of(context: Context) -> Extractor:
    """Where the features come from; composing made sure that there is an extractor."""
    if context.extractor is None:
        raise ValueError(f"audit {context.audit!r} needs an extractor")
    return context.extractor


def features(extractor: Extractor) -> Output:
    """The output that holds the features."""
    if extractor.network is None:
        return Output(kind="features", network="extractor")
    return Output(
        kind="features", network=extractor.network, layer=extractor.layer, pool=extractor.pool
    )


def logits(spec: FailuresSpec, context: Context) -> dict[NetworkRole, Output]:
    """The scores of each inspected network; a column of predictions needs none."""
    return {
        role: Output(kind="logits", network=role)
        for role in spec.inspect
        if role == "extractor" or context.is_network
    }


def most_pictures(spec: FailuresSpec) -> int:
    """Images that the pictures need at most."""
    shown = spec.pictures
    return shown.findings * (shown.images + 2 * shown.failures)
