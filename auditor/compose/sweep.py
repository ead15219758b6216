"""Overrides with several values, written out as Hydra's sweeper does: one list per combination.

model=a,b engine.seed=range(0,2)   ->   model=a engine.seed=0
                                        model=a engine.seed=1
                                        model=b engine.seed=0
                                        model=b engine.seed=1
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from math import prod
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from auditor.compose.overrides import SYNTAX
from auditor.errors import Problem, SpecError

MOST = 1000
"""Runs of one sweep: more are a mistake in a range, and would fill the disk."""


class Combination(NamedTuple):
    """The overrides of one run of a sweep.

    Attributes:
        overrides: All of them, in the order typed.
        varied: Those that set it apart from the other runs.
    """

    overrides: tuple[str, ...]
    varied: tuple[str, ...]


def combinations(overrides: Sequence[str]) -> tuple[Combination, ...]:
    """Every combination of the values, the last override varying fastest.

    Raises:
        SpecError: an override does not parse, none has several values, values cannot be counted
            (`interval`) or stand in no file (`glob`), or there are more than 1,000 combinations.
    """
    parser = OverridesParser.create()
    choices, problems = [], []
    for text in overrides:
        try:
            choices.append(values_of(parser.parse_override(text), text))
        except HydraException:
            problems.append(Problem("this is not an override", source=text, hint=SYNTAX))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError("the overrides cannot be used", problems=problems)
    swept = [position for position, values in enumerate(choices) if len(values) > 1]
    if not swept:
        raise SpecError(
            "--multirun: no override has several values",
            hint="Write them with commas, such as model=a,b or engine.seed=0,1,2.",
        )
    if prod(map(len, choices)) > MOST:
        raise SpecError(f"--multirun: these are more than the {MOST:,} runs of one sweep")
    return tuple(
        Combination(chosen, tuple(chosen[position] for position in swept))
        for chosen in product(*choices)
    )


def values_of(override: Override, text: str) -> tuple[str, ...]:
    """The overrides with one value each that an override stands for.

    Raises:
        SpecError: its values cannot be written out.
    """
    if not override.is_sweep_override():
        return (text,)
    key = override.get_key_element()
    try:
        values = tuple(islice(override.sweep_string_iterator(), MOST + 1))
    except HydraException:
        values = ()
    if not values:
        problem = Problem(
            "the values of this override cannot be listed",
            path=override.key_or_group,
            source=text,
            hint=f"write them out: {key}=a,b",
        )
        raise SpecError("the overrides cannot be used", problems=[problem])
    return tuple(f"{key}={value}" for value in values)
