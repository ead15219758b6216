"""What a finished audit hands to the store: a small result and its large companions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.results.base import ResultModel
from auditor.results.finding import Finding


@dataclass(frozen=True)
class Outcome:
    """Everything that one audit leaves behind.

    Attributes:
        result: The audit's result model, written to `audits/<id>/result.json`.
        findings: Every check made, the passed ones included.
        tables: Name -> columns (all of one length), written to `tables/<name>.parquet`.
        arrays: File name -> named arrays, written to `arrays/<name>.safetensors`.
        images: File name (`0007.jpg`, `a~b.png`) -> encoded bytes, written to `images/`.
    """

    result: ResultModel
    findings: tuple[Finding, ...]
    tables: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict)
