"""Group names are the same whether they come from a plan's table or from a run's columns."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from auditor.adapters.datasets.values import as_numpy
from auditor.errors import InputError
from auditor.inventory.manifest import column_stock
from auditor.inventory.values import MAX_VALUES, known_values, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        ("", ""),
        ("a b", "a b"),
        (3, "3"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (0.1, "0.1"),
        (float("inf"), "inf"),
        (Decimal("1.50"), "1.5"),
        (True, "1"),
        (False, "0"),
    ],
)
def test_a_value_is_written_one_way(value: object, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2, 1, 10]),
        pa.array([2, None, 1]),
        pa.array([0.5, float("nan"), 2.0, None]),
        pa.array([True, False, None]),
        pa.array([True, True]),
        pa.array(["b", "a", "", None]),
        pa.array(["b", "a"]).dictionary_encode(),
        pa.array([None, None]),
        pa.array([Decimal("1.50"), None]),
        pa.array([18262, 18263], type=pa.date32()),
        pa.array([1000, 2500], type=pa.timestamp("ms")),
    ],
)
def test_the_plan_and_the_run_name_the_same_groups(column: pa.Array) -> None:
    chunked = pa.chunked_array([column])
    planned = column_stock(chunked, "group").values
    assert planned == known_values(as_numpy(chunked, "group").tolist())


def test_a_column_with_too_many_values_tells_no_groups_apart() -> None:
    assert column_stock(pa.chunked_array([range(MAX_VALUES)]), "id").values is not None
    stock = column_stock(pa.chunked_array([range(MAX_VALUES + 1)]), "id")
    assert (stock.num_distinct, stock.values) == (MAX_VALUES + 1, None)


def test_bytes_are_no_values() -> None:
    with pytest.raises(InputError, match="holds binary"):
        column_stock(pa.chunked_array([[b"x"]]), "image")
