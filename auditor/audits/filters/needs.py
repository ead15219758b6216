"""What the filter audit asks for: two looks at the images, and the vocabulary.

levels     the largest activations of each filter over all places and images
selected   T_u, and each filter's most activating images
regions    filters against annotated concepts; masked features to learn from; attended features
explained  explainers fitted, words, null and recall
pictures   the images that are shown, and features of images masked in pixels
result     everything in words
"""

from __future__ import annotations

from auditor.audits.filters.spec import FiltersSpec
from auditor.context import Context
from auditor.needs import Fold, Need, Output, Solve, Source, Visit

VERSION = 3
"""Raised when the same inputs would give other numbers."""

MASKED = 32
"""Evaluated filters whose images are also masked in pixels: each costs a pass per image."""


def needs(audit: str, spec: FiltersSpec, context: Context) -> tuple[Need, ...]:
    """Folds, solves and visits of one audit.

    Args:
        audit: Id of the audit.
        spec: Its spec, with every default filled in.
        context: What the audit may know.
    """
    source = Source(split=spec.split)
    params = {"version": VERSION, **spec.model_dump(mode="json", exclude={"title"})}
    maps = (maps_output(spec, context),)
    worded = spec.explainer is not None
    channels = (channels_output(spec, context),) if worded else ()
    seen = tuple(dict.fromkeys((*maps, *channels, masks_output(spec))))
    return (
        Fold(audit=audit, name="levels", source=source, outputs=maps, params=params),
        Solve(audit=audit, name="selected", inputs=("levels",), params=params),
        Fold(
            audit=audit,
            name="regions",
            source=source,
            outputs=seen,
            params=params,
            after=("selected",),
        ),
        Solve(
            audit=audit,
            name="explained",
            inputs=("selected", "regions"),
            vocabulary=worded,
            params=params,
        ),
        Visit(
            audit=audit,
            name="pictures",
            source=source,
            network=spec.inspect,
            layers=tuple(filter(None, (layer_of(spec, context), start_of(spec, context)))),
            after=("explained", "selected", "regions"),
            max_rows=most_pictures(spec),
            params=params,
        ),
        Solve(
            audit=audit,
            name="result",
            inputs=("selected", "regions", "explained", "pictures"),
            vocabulary=worded,
            params=params,
        ),
    )


def layer_of(spec: FiltersSpec, context: Context) -> str:
    """The layer whose units are looked at; composing made sure that there is one."""
    extractor = context.extractor
    own = extractor.layer if extractor is not None and spec.inspect == extractor.network else None
    layer = spec.layer or own
    if layer is None:
        raise ValueError(f"audit {context.audit!r} names no layer")
    return layer


def start_of(spec: FiltersSpec, context: Context) -> str | None:
    """The spatial layer through which units without places are looked at, where one is named."""
    extractor = context.extractor
    own = spec.layer is None and extractor is not None and spec.inspect == extractor.network
    return spec.start or (extractor.heatmap_layer if own and extractor is not None else None)


def maps_output(spec: FiltersSpec, context: Context) -> Output:
    """Where each unit is active [B, U, h, w]."""
    layer, start = layer_of(spec, context), start_of(spec, context)
    if start is None:
        return Output(kind="activation", network=spec.inspect, layer=layer)
    return Output(kind="evidence", network=spec.inspect, layer=layer, start=start)


def channels_output(spec: FiltersSpec, context: Context) -> Output:
    """The channels [B, d, h, w] that the explainer reads, at the same places."""
    layer = start_of(spec, context) or layer_of(spec, context)
    return Output(kind="activation", network=spec.inspect, layer=layer)


def masks_output(spec: FiltersSpec) -> Output:
    """The annotated regions on the grid of the comparison."""
    return Output(kind="masks", network=spec.inspect, size=spec.dissection.mask_size)


def most_pictures(spec: FiltersSpec) -> int:
    """Images that cards and pixel masks need at most."""
    return spec.cards.filters * spec.cards.images + MASKED * spec.naming.images
