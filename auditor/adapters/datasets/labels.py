"""From the columns of a dataset to class indices and attribute labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.adapters.datasets.protocol import Dataset
from auditor.errors import InputError, PlanError
from auditor.inventory.values import value_text
from auditor.near import listing, nearest, plural, suggest
from auditor.spec.attribute import AttributeSpec

TRUTHS = {"true": 1.0, "false": 0.0}

LISTED = 10
"""Values that an error names before it only counts the rest."""


def attribute_matrix(
    dataset: Dataset, split: str, attributes: Mapping[str, AttributeSpec]
) -> NDArray[np.float32]:
    """Attribute labels [N, A]: +1 present, -1 absent, 0 unknown; columns as in `attributes`.

    A column that is constant is no error here: an audit says that it is not testable.

    Raises:
        PlanError: A column or class does not exist (near names are offered), or a column holds
            other values than 0/1, -1/+1 or true/false and no `positive_above` cuts it.
    """
    columns = [signs(dataset, split, name, spec) for name, spec in attributes.items()]
    num_rows = len(dataset.ids(split))
    return np.stack(columns, axis=1) if columns else np.zeros((num_rows, 0), dtype=np.float32)


def signs(dataset: Dataset, split: str, name: str, spec: AttributeSpec) -> NDArray[np.float32]:
    """The labels of one attribute: +1, -1, 0 unknown."""
    if spec.classes is not None:
        return signs_of_classes(dataset, split, name, spec.classes)
    column = str(spec.column)
    values = numbers(dataset.column(split, column), name, column)
    known = ~np.isnan(values)
    if spec.positive_above is not None:
        present = values > spec.positive_above
    elif set(np.unique(values[known])) <= {0.0, 1.0} or set(np.unique(values[known])) <= {
        -1.0,
        1.0,
    }:
        present = values > 0
    else:
        raise not_binary(values[known], name, column)
    return np.where(known, np.where(present, 1, -1), 0).astype(np.float32)


def signs_of_classes(
    dataset: Dataset, split: str, name: str, present_in: Sequence[str]
) -> NDArray[np.float32]:
    labels = dataset.labels(split)
    if labels is None or dataset.classes is None:
        raise PlanError(
            f"attribute {name!r} is derived from classes, but split {split!r} has no class labels",
            hint="Give the dataset a label column and `classes`, or the attribute a `column`.",
        )
    for one in present_in:
        if one not in dataset.classes:
            raise PlanError(
                f"attribute {name!r}: the dataset has no class {one!r}",
                hint=suggest(one, dataset.classes, "class", most=3),
            )
    indices = [dataset.classes.index(one) for one in present_in]
    present = np.isin(labels, indices)
    return np.where(labels < 0, 0, np.where(present, 1, -1)).astype(np.float32)


def numbers(values: NDArray[Any], name: str, column: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where it is empty; numerals and true/false may stand as text."""
    if values.dtype != object:
        return values.astype(np.float64)
    found = np.full(len(values), np.nan)
    for row, text in enumerate(values):
        word = text.strip().lower()
        if word:
            try:
                found[row] = TRUTHS[word] if word in TRUTHS else float(word)
            except ValueError as error:
                raise PlanError(
                    f"attribute {name!r}: column {column!r} holds text, such as {text!r}",
                    hint="An attribute's label is 0/1, -1/+1, true/false or a number.",
                ) from error
    return found


def not_binary(known: NDArray[np.float64], name: str, column: str) -> PlanError:
    low, high = known.min(), known.max()
    if set(np.unique(known)) == {-1.0, 0.0, 1.0}:
        return PlanError(
            f"attribute {name!r}: column {column!r} mixes -1, 0 and 1, so 0 could mean absent or "
            "unknown",
            hint="Leave unknown values empty, or set `positive_above: 0` to take both as absent.",
        )
    return PlanError(
        f"attribute {name!r}: column {column!r} is neither 0/1 nor -1/+1; its values range from "
        f"{low:g} to {high:g}",
        hint="Set the attribute's `positive_above` to the value above which it is present.",
    )


def class_indices(
    labels: Sequence[str], classes: tuple[str, ...] | None, where: str, *, noun: str = "label"
) -> NDArray[np.int64]:
    """Class index per row, -1 where the label is empty.

    Labels are names where every one of them is a name in `classes`; otherwise they are indices.

    Args:
        labels: One text per row.
        classes: Class names in output order.
        where: How an error names the column.
        noun: What the column holds: `label` or `prediction`.

    Raises:
        InputError: Some are neither names out of `classes` nor indices into it (all of them are
            listed), or names and indices are mixed.
    """
    known = sorted(set(labels) - {""})
    if classes is not None and set(known) <= set(classes):
        index = {name: position for position, name in enumerate(classes)}
    elif all(word.isdecimal() for word in known):
        index = {word: int(word) for word in known}
        refuse_too_large(index, classes, where, noun)
    else:
        raise unknown_labels(known, classes, where, noun)
    index[""] = -1
    return np.array([index[word] for word in labels], dtype=np.int64)


def refuse_too_large(
    index: Mapping[str, int], classes: tuple[str, ...] | None, where: str, noun: str
) -> None:
    """Raise for indices beyond the last class.

    Raises:
        InputError: with all of them.
    """
    if classes is None:
        return
    beyond = sorted(value for value in index.values() if value >= len(classes))
    if beyond:
        raise InputError(
            f"{where}: {counted(noun, beyond)} {listed(beyond)}, but there are {len(classes)} "
            "classes",
            hint=f"Classes count from 0 to {len(classes) - 1}.",
        )


def unknown_labels(
    known: Sequence[str], classes: tuple[str, ...] | None, where: str, noun: str
) -> InputError:
    """The error for labels that are no indices, or not all of them, and not all known names."""
    numbers = [word for word in known if word.isdecimal() and word not in (classes or ())]
    names = [word for word in known if not word.isdecimal() or word in (classes or ())]
    if numbers:
        return InputError(
            f"{where}: {plural(noun)} mix names, such as {names[0]!r}, and numbers, such as "
            f"{numbers[0]!r}",
            hint=f"Write every {noun} as a name out of `dataset.classes`, or every one as an index "
            "into it.",
        )
    if classes is None:
        return InputError(
            f"{where}: the {noun} {known[0]!r} is a name, but the dataset declares no `classes`",
            hint="List the class names in output order under `dataset.classes`.",
        )
    unknown = [word for word in known if word not in classes]
    if len(unknown) == 1:
        return InputError(
            f"{where}: the {noun} {unknown[0]!r} is not one of the dataset's classes",
            hint=suggest(unknown[0], classes, "class", most=3),
        )
    meant = [(word, nearest(word, classes)) for word in unknown[:LISTED]]
    near = ", ".join(f"`{name}` for {word!r}" for word, name in meant if name is not None)
    return InputError(
        f"{where}: {len(unknown)} {plural(noun)} are not among the dataset's classes: "
        f"{listed([repr(word) for word in unknown])}",
        hint=f"did you mean {near}?" if near else listing(classes, "class"),
    )


def counted(noun: str, values: Sequence[object]) -> str:
    """The noun, in the plural where there are several."""
    return noun if len(values) == 1 else plural(noun)


def listed(values: Sequence[object]) -> str:
    """All values with commas; from the eleventh on, how many more there are."""
    rest = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
    return f"{', '.join(map(str, values[:LISTED]))}{rest}"


def group_codes(
    dataset: Dataset, split: str, columns: Mapping[str, Sequence[str]]
) -> dict[str, NDArray[np.int64]]:
    """Group columns as numbers: per row the position of its value, -1 where it is missing.

    Args:
        dataset: Where the columns are.
        split: Its split.
        columns: Name of a column to its values as text, as `inventory.values` writes them.

    Raises:
        PlanError: There is no such column; near names are offered.
        InputError: The column holds a value that was not there when the run was planned.
    """
    return {name: codes(dataset, split, name, values) for name, values in columns.items()}


def codes(dataset: Dataset, split: str, name: str, values: Sequence[str]) -> NDArray[np.int64]:
    position = {value: index for index, value in enumerate(values)} | {"": -1}
    texts = [value_text(value) for value in dataset.column(split, name).tolist()]
    strange = sorted(set(texts) - set(position))
    if strange:
        raise InputError(
            f"column {name!r} of split {split!r} holds {listed([repr(each) for each in strange])}, "
            "which was not there when the run was planned",
            hint="run again, with nobody writing the table",
        )
    return np.array([position[text] for text in texts], dtype=np.int64)
