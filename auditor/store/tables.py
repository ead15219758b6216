"""Tables as Parquet bytes and arrays as safetensors bytes: equal content gives equal bytes.

Also the findings as one table, for whoever counts, filters or joins them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save

from auditor.results.finding import Finding

ESTIMATE = pa.struct(
    [
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("level", pa.float64()),
        ("method", pa.string()),
        ("num_samples", pa.int64()),
        ("reason", pa.string()),
    ]
)

FINDING = pa.schema(
    [
        ("id", pa.string()),
        ("audit", pa.string()),
        ("code", pa.string()),
        ("verdict", pa.string()),
        ("severity", pa.string()),
        ("claim", pa.string()),
        ("subjects", pa.list_(pa.string())),
        ("estimates", pa.list_(ESTIMATE)),
        ("p_adjusted", pa.float64()),
        ("actions", pa.list_(pa.string())),
        ("evidence", pa.list_(pa.string())),
        ("spec_file", pa.string()),
        ("spec_line", pa.int64()),
        ("evidence_digest", pa.string()),
    ]
)
"""Columns of `findings_as_table`: the fields of a finding, its numbers as a list of structs."""


def findings_as_table(findings: Sequence[Finding]) -> pa.Table:
    """One row per finding, in the order given; the columns are there for no findings as well."""
    return pa.Table.from_pylist([finding_row(finding) for finding in findings], schema=FINDING)


def finding_row(finding: Finding) -> dict[str, Any]:
    fields = finding.model_dump(mode="json", exclude={"estimates", "p_adjusted", "location"})
    return {
        **fields,
        "estimates": [
            {"metric": name, **estimate.model_dump()}
            for name, estimate in finding.estimates.items()
        ],
        "p_adjusted": finding.p_adjusted.value if finding.p_adjusted else None,
        "spec_file": finding.location.file if finding.location else None,
        "spec_line": finding.location.line if finding.location else None,
    }


def table_bytes(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A Parquet file of columns of one length.

    Raises:
        ValueError: columns differ in length, or one holds NaN or an infinity; what could not be
            measured is None.
    """
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_floating(column.type) and not is_finite(column):
            raise ValueError(f"column {name!r} holds NaN or an infinity; absent values are None")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def is_finite(column: pa.ChunkedArray) -> bool:
    # `all` skips nulls, which are the honest way to say "not measured"; no rows are fine as well.
    return pc.all(pc.is_finite(column)).as_py() is not False


def array_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A safetensors file of named arrays, which may not hold NaN or an infinity.

    Raises:
        ValueError: an array holds one.
    """
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds NaN or an infinity")
    return bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
