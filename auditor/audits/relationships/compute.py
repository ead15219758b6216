"""The attribute-relationship audit (Zhang, Wang, Zhu, AAAI 2018): its folds, solves and outcome.

measurement   name of a fold -> what turns a batch into its state      folds.py, states.py
state_type    name of a fold or solve -> the type of its state
solve         states -> the masks, or the outcome:
                gather the measurements                                evidence.py
                expectations, robust z, correction, ranking            judged.py, expectations.py
                one result per pair, failure modes                     pairs.py, modes.py
                findings in sentences                                  findings.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch

from auditor.audits.relationships import folds
from auditor.audits.relationships.assemble import assemble
from auditor.audits.relationships.evidence import gather
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.audits.relationships.states import (
    AccuracyState,
    ContributionState,
    CosineState,
    EnergyState,
    ExampleState,
    LabelState,
    MaskState,
)
from auditor.context import Context
from auditor.errors import InputError
from auditor.measure.fold import Measurement
from auditor.measure.jpeg import jpeg
from auditor.measure.masks import greedy_path, path_mask, threshold_mask
from auditor.results.outcome import Outcome

S = TypeVar("S")


def state_type(spec: RelationshipsSpec, name: str) -> type[Any]:
    """The state of a fold or of an intermediate solve.

    Raises:
        ValueError: when the audit has none of that name.
    """
    types: dict[str, type[Any]] = {
        "contributions": ContributionState if spec.mask.method == "greedy" else EnergyState,
        "mask": MaskState,
        "examples": ExampleState,
        "cosines": CosineState,
        "labels": LabelState,
        "accuracy": AccuracyState,
    }
    if name not in types:
        raise ValueError(f"the relationships audit keeps no state named {name!r}")
    return types[name]


def measurement(
    spec: RelationshipsSpec, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """The fold of one name.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        fold: Name of the fold.
        solved: States of the solves that the fold comes after.

    Raises:
        ValueError: when the audit has no fold of that name.
    """
    mask = _state(solved, "mask", MaskState) if "mask" in solved else None
    match fold:
        case "contributions" if spec.mask.method == "greedy":
            return folds.Contributions(spec, context)
        case "contributions":
            return folds.Energy(spec, context)
        case "examples":
            return folds.Examples(spec, context, mask)
        case "cosines":
            return folds.Cosines(spec, context, mask)
        case "labels":
            return folds.Labels(spec, context)
        case "accuracy":
            return folds.Accuracy(spec, context)
        case _:
            raise ValueError(f"the relationships audit has no fold named {fold!r}")


def solve(
    spec: RelationshipsSpec, context: Context, name: str, states: Mapping[str, Any]
) -> MaskState | Outcome:
    """A step without data.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `mask` or `result`.
        states: Merged states of the solve's inputs, by name.

    Raises:
        ValueError: when the audit has no solve of that name, or an input is missing.
    """
    match name:
        case "mask" if spec.mask.method == "greedy":
            return greedy_masks(spec, _state(states, "contributions", ContributionState))
        case "mask":
            return threshold_masks(spec, _state(states, "contributions", EnergyState))
        case "result":
            return outcome(spec, context, states)
        case _:
            raise ValueError(f"the relationships audit has no solve named {name!r}")


def greedy_masks(spec: RelationshipsSpec, state: ContributionState) -> MaskState:
    """One greedy path per attribute, ended where its gains fall to λ.

    Raises:
        InputError: when no image has finite gradients.
    """
    if not len(state.contributions):
        raise no_finite_image(spec)
    masks = []
    for index in range(state.contributions.shape[1]):
        contributions = state.contributions[:, index].flatten(1)
        penalty = spec.mask.penalty * float(state.logits[:, index].square().mean())
        path = greedy_path(contributions, max_units=spec.mask.max_units, smallest_penalty=penalty)
        mask = path_mask(path, contributions.shape[1], penalty=penalty)
        masks.append(mask.reshape(state.contributions.shape[2:]))
    return MaskState(torch.stack(masks).to(torch.uint8))


def threshold_masks(spec: RelationshipsSpec, state: EnergyState) -> MaskState:
    """The units with the largest mean squared contribution, per attribute.

    Raises:
        InputError: when no image has finite gradients.
    """
    if not int(state.num_images):
        raise no_finite_image(spec)
    masks = [
        threshold_mask(energy.flatten(), fraction=spec.mask.fraction).reshape(energy.shape)
        for energy in state.energy
    ]
    return MaskState(torch.stack(masks).to(torch.uint8))


def no_finite_image(spec: RelationshipsSpec) -> InputError:
    """What to say when there is nothing to fit a mask on."""
    return InputError(
        f"no image has finite gradients at layer {spec.layer!r}, so no mask can be fitted",
        hint="check the network's weights for NaN, and the preprocessing",
    )


def outcome(spec: RelationshipsSpec, context: Context, states: Mapping[str, Any]) -> Outcome:
    """The audit's result, findings, tables, arrays and images."""
    cosines = _state(states, "cosines", CosineState)
    evidence = gather(
        spec,
        context,
        cosines,
        _state(states, "labels", LabelState),
        _state(states, "accuracy", AccuracyState),
    )
    mask = _state(states, "mask", MaskState) if "mask" in states else None
    sizes = mask.mask.flatten(1).sum(1).tolist() if mask is not None else []
    assembled = assemble(
        evidence,
        num_units=int(cosines.num_units),
        mask_sizes={a.name: size for a, size in zip(context.attributes, sizes, strict=False)},
    )
    examples = _state(states, "examples", ExampleState) if "examples" in states else None
    images = example_images(examples) if examples is not None else {}
    arrays = (
        {
            "examples": {
                "maps": examples.maps.numpy(),
                "present": examples.present.numpy(),
                "channels": examples.channels.numpy(),
            }
        }
        if examples is not None and images
        else {}
    )
    return Outcome(
        result=assembled.result,
        findings=assembled.findings,
        tables={"pairs": assembled.table},
        arrays=arrays,
        images=images,
    )


def example_images(examples: ExampleState) -> dict[str, bytes]:
    """Example images as JPEG, in the order of the arrays, without any metadata."""
    return {f"{index:04d}.jpg": jpeg(pixels) for index, pixels in enumerate(examples.pixels)}


def _state(states: Mapping[str, Any], name: str, kind: type[S]) -> S:
    found = states.get(name)
    if not isinstance(found, kind):
        raise ValueError(f"the input {name!r} must be a {kind.__name__}")
    return found
