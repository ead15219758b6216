"""Pydantic's error types in plain English: what was expected, and the next move."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic_core import ErrorDetails

from auditor.compose.fields import Spot, bare
from auditor.near import nearest, suggest


class Wording(NamedTuple):
    """What to say about one error."""

    message: str
    hint: str | None = None


EXPECTED = {
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "dict_type": "expected a mapping of names to values",
    "model_type": "expected a mapping of keys to values",
    "model_attributes_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
}
"""Errors that need nothing but the type that was expected."""

BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}

IDENTIFIER = "a name starts with a lower-case letter; then lower-case letters, digits, `_` and `-`"


def wording(error: ErrorDetails, spot: Spot) -> Wording:
    """One validation error in words."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind in EXPECTED:
        return Wording(EXPECTED[kind], quoting(kind, value))
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return Wording(f"{words} {number(context[name])}")
    if kind == "missing":
        return missing(spot)
    if kind == "extra_forbidden":
        return Wording("unknown key", suggest(str(spot.path[-1]), spot.known, "key"))
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in split(context["expected"])]
        return Wording(f"expected {either(choices)}", near(value, choices))
    if kind == "union_tag_invalid":
        choices = [choice.strip("'") for choice in context["expected_tags"].split(", ")]
        return Wording(f"expected {either(choices)}", near(context["tag"], choices))
    if kind == "union_tag_not_found":
        key = context["discriminator"].strip("'")
        return Wording(f"`{key}` is missing", f"say which kind it is with `{key}:`")
    if kind == "string_pattern_mismatch":
        return pattern(context["pattern"], value)
    if kind in ("too_short", "too_long"):
        word, limit = (
            ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        )
        return Wording(f"expected {word} {context[limit]} items")
    if kind in ("string_too_long", "string_too_short"):
        return Wording(error["msg"].replace("String should have", "the text must have"))
    if kind == "value_error":
        return Wording(error["msg"].removeprefix("Value error, "))
    return Wording(error["msg"][0].lower() + error["msg"][1:])


def missing(spot: Spot) -> Wording:
    """A required key, or an item of a list of fixed length, that is not there."""
    if spot.path and isinstance(spot.path[-1], int):
        return Wording(f"item {spot.path[-1] + 1} of the list is missing")
    if not spot.field:
        return Wording("is missing")
    if len(spot.path) == 1 and spot.path[0] in ("dataset", "model"):
        key = spot.path[0]
        return Wording("is missing", f"add `- {key}: NAME` to the defaults, or a `{key}:` section")
    choices = get_args(bare(spot.field.annotation))
    if len(choices) == 1 and get_origin(bare(spot.field.annotation)) is Literal:
        return Wording("is missing", f"write `{spot.path[-1]}: {choices[0]}`")
    described = " ".join((spot.field.description or "").split())
    return Wording("is missing", first_sentence(described) or None)


def quoting(kind: str, value: Any) -> str | None:
    """What to do where YAML read another type than was meant."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        return f'put it in quotes: "{text}"'
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str):
        return (
            "write it without quotes" if value.replace(".", "", 1).lstrip("-").isdigit() else None
        )
    if kind in ("list_type", "tuple_type") and isinstance(value, str | int | float):
        return f"write [{value}]"
    return None


def pattern(expected: str, value: Any) -> Wording:
    """Text that must look some way."""
    if expected.startswith("^[a-z][a-z0-9_-]*"):
        return Wording("not a name that can be a folder", IDENTIFIER)
    if "cuda" in expected:
        devices = ["auto", "cpu", "cuda", "cuda:0", "mps"]
        return Wording(f"expected {either(devices)}")
    return Wording(f"the text must look like {expected}")


def near(value: Any, choices: list[str]) -> str | None:
    """The choice that was probably meant; the message names them all already."""
    found = nearest(value, choices) if isinstance(value, str) else None
    return f"did you mean `{found}`?" if found else None


def split(expected: str) -> list[str]:
    """`'a', 'b' or 'c'` → its parts."""
    return expected.replace(" or ", ", ").split(", ")


def either(choices: list[str]) -> str:
    """`a`, `b` or `c`."""
    ticked = [f"`{choice}`" for choice in choices]
    return " or ".join([", ".join(ticked[:-1]), ticked[-1]]) if ticked[1:] else ticked[0]


def number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")
