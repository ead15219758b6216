"""From the columns of a dataset to class indices and attribute labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.adapters.datasets.protocol import Dataset
from auditor.errors import InputError, PlanError
from auditor.near import suggest
from auditor.spec.attribute import AttributeSpec

TRUTHS = {"true": 1.0, "false": 0.0}


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
    labels: Sequence[str], classes: tuple[str, ...] | None, where: str
) -> NDArray[np.int64]:
    """Class index per row, -1 where the label is empty.

    Labels are names where every one of them is a name in `classes`; otherwise they are indices.

    Args:
        labels: One text per row.
        classes: Class names in output order.
        where: How an error names the column.

    Raises:
        InputError: A label is neither a name out of `classes` nor an index into it.
    """
    known = sorted(set(labels) - {""})
    if classes is not None and set(known) <= set(classes):
        index = {name: position for position, name in enumerate(classes)}
    elif all(word.isdecimal() for word in known):
        index = {word: int(word) for word in known}
    else:
        raise unknown_label(known, classes, where)
    index[""] = -1
    largest = max((index[word] for word in known), default=-1)
    if classes is not None and largest >= len(classes):
        raise InputError(f"{where}: label {largest}, but there are {len(classes)} classes")
    return np.array([index[word] for word in labels], dtype=np.int64)


def unknown_label(known: Sequence[str], classes: tuple[str, ...] | None, where: str) -> InputError:
    if classes is None:
        return InputError(
            f"{where}: the label {known[0]!r} is a name, but the dataset declares no `classes`",
            hint="List the class names in output order under `dataset.classes`.",
        )
    word = next(word for word in known if word not in classes)
    return InputError(
        f"{where}: the label {word!r} is not one of the dataset's classes",
        hint=suggest(word, classes, "class", most=3),
    )
