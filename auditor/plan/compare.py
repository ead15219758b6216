"""Which ingredients of a step differ from the same step of an earlier plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from auditor.plan.steps import Plan, Scan, Solve, Step, Train, Visit

NEWCOMERS = ("model", "extractor", "features")
"""Ingredients that a scan has only since one of its folds uses them."""


def counterpart(step: Step, plan: Plan | None) -> Step | None:
    """The step of another plan that did the same job, whatever it was made from.

    For scans that is the one over the same split with the most folds in common.
    """
    candidates = [each for each in (plan.steps if plan else ()) if overlap(step, each) > 0]
    return max(candidates, key=lambda each: overlap(step, each), default=None)


def overlap(step: Step, other: Step) -> int:
    """How many jobs two steps have in common."""
    match step, other:
        case Train(), Train():
            return int(step.network == other.network)
        case Solve(), Solve():
            return int((step.audit, step.name) == (other.audit, other.name))
        case Visit(), Visit():
            return int((step.audit, step.name) == (other.audit, other.name))
        case Scan(), Scan() if step.source.split == other.source.split:
            ours = {(fold.audit, fold.name) for fold in step.folds}
            return len(ours & {(fold.audit, fold.name) for fold in other.folds})
        case _:
            return 0


def changed_ingredients(step: Step, earlier: Step) -> tuple[str, ...]:
    """Names of what differs, such as `recipe epochs`, `network weights` or `new fold a/cosines`.

    Folds of one audit share their parameters, so what changed is said once per audit.
    """
    return tuple(dict.fromkeys(differences(step.ingredients, earlier.ingredients, ())))


def differences(
    now: Mapping[str, JsonValue], before: Mapping[str, JsonValue], path: tuple[str, ...]
) -> Iterator[str]:
    for name in dict.fromkeys((*now, *before)):
        new, old = now.get(name), before.get(name)
        if new == old:
            continue
        own = name.startswith("fold ") or name in NEWCOMERS
        if own and not path and (new is None or old is None):
            yield f"{'no more' if new is None else 'new'} {name}"
        elif isinstance(new, dict) and isinstance(old, dict):
            part = name.removeprefix("fold ").partition("/")[0]
            yield from differences(new, old, (*path, part))
        else:
            yield " ".join((*path, name))
