"""Mergeable states: every field of a state says how it is reduced, and `merge` follows from that.

    @dataclass(frozen=True)
    class Moments:
        count: Summed        # int64 or float64
        total: Summed
        low: Smallest
        rows: Concatenated
        best: Top

A state of many images is the merge of the states of its batches, taken in a fixed order. The same
order gives the same bytes, because float sums are float64 and nothing is reordered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar, final, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor


class Reduction(Enum):
    """How two values of one field become one."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    CONCAT = "concat"
    TOP = "top"


Summed = Annotated[Tensor, Reduction.SUM]
"""Counts (int64) and sums (float64); shapes must agree."""

Smallest = Annotated[Tensor, Reduction.MIN]
"""Elementwise minimum."""

Largest = Annotated[Tensor, Reduction.MAX]
"""Elementwise maximum."""

Concatenated = Annotated[Tensor, Reduction.CONCAT]
"""Rows, joined along the first dimension. These grow with the images: see `Accumulator`."""

Top = Annotated[Tensor, Reduction.TOP]
"""The K largest values of each row, descending, [U, K]; both sides of a merge have the same K, and
places without a value hold the least value of the dtype (-inf for floats). Which K values survive
does not depend on how the rows were cut into batches and shards. No NaN, and no -0 beside 0: equal
values must have equal bytes."""

S = TypeVar("S")

_EXACT = (torch.int64, torch.float64)


def reductions(kind: type[Any]) -> dict[str, Reduction]:
    """Field name to reduction, in field order.

    Raises:
        TypeError: when `kind` is no dataclass, or a field does not declare a reduction.
    """
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} must be a dataclass to be a state")
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in fields(kind):
        declared = [arg for arg in get_args(hints[field.name]) if isinstance(arg, Reduction)]
        if len(declared) != 1:
            raise TypeError(
                f"{kind.__name__}.{field.name} must be declared Summed, Smallest, Largest, Top or "
                "Concatenated"
            )
        found[field.name] = declared[0]
    return found


def merge(first: S, second: S) -> S:
    """The state of the images of `first` followed by those of `second`.

    Raises:
        TypeError: when the states differ in type, or a sum is not int64 or float64.
        ValueError: when shapes or dtypes of a field do not fit.
    """
    if type(first) is not type(second):
        raise TypeError(f"cannot merge {type(first).__name__} with {type(second).__name__}")
    kind = type(first)
    merged = {
        name: _reduce(f"{kind.__name__}.{name}", how, getattr(first, name), getattr(second, name))
        for name, how in reductions(kind).items()
    }
    return kind(**merged)


def merge_all(states: Iterable[S]) -> S:
    """Merge states in the order given; the same bytes as `merge`, step by step.

    Raises:
        TypeError: as `merge`.
        ValueError: as `merge`, or there is no state.
    """
    accumulator: Accumulator[S] = Accumulator()
    for state in states:
        accumulator.add(state)
    return accumulator.merged()


@final
class Accumulator(Generic[S]):
    """Merges a stream of states; rows are copied once instead of with every state.

    Joining rows state by state copies everything for each of them, which is quadratic in their
    number. Here rows wait in pieces, and each piece is let go as soon as it lies in the result:
    memory holds the result and one piece. Sums, minima and maxima are merged at once, left to
    right, so the bytes are those of `merge`. Of the largest values those wait that may still be
    among the K largest, until there are as many again: memory holds a few times K values per row.
    """

    def __init__(self) -> None:
        self._kind: type[S] | None = None
        self._how: dict[str, Reduction] = {}
        self._reduced: dict[str, Tensor] = {}
        self._rows: dict[str, deque[Tensor]] = {}
        self._tops: dict[str, _Tops] = {}

    def add(self, state: S) -> None:
        """Take the next state.

        Raises:
            TypeError: as `merge`.
            ValueError: as `merge`.
        """
        kind = type(state)
        if self._kind is None:
            self._kind, self._how = kind, reductions(kind)
        if kind is not self._kind:
            raise TypeError(f"cannot merge {self._kind.__name__} with {kind.__name__}")
        for name, how in self._how.items():
            where, value = f"{kind.__name__}.{name}", getattr(state, name)
            if how is Reduction.CONCAT:
                rows = self._rows.setdefault(name, deque())
                if rows:
                    _refuse_other_rows(where, rows[0], value)
                rows.append(value)
            elif how is Reduction.TOP and name in self._tops:
                self._tops[name].add(where, value)
            elif how is Reduction.TOP:
                self._tops[name] = _Tops(value)
            elif name in self._reduced:
                self._reduced[name] = _reduce(where, how, self._reduced[name], value)
            else:
                self._reduced[name] = value

    def merged(self) -> S:
        """The merge of all states so far; the accumulator is empty afterwards.

        Raises:
            ValueError: when there is none.
        """
        if self._kind is None:
            raise ValueError("there is no state to merge")
        values = {**self._reduced, **{name: tops.merged() for name, tops in self._tops.items()}}
        values |= {name: _joined(pieces) for name, pieces in self._rows.items()}
        kind, self._kind = self._kind, None
        self._reduced, self._rows, self._tops = {}, {}, {}
        return kind(**values)


@final
class _Tops:
    """The K largest values of each row of a stream of `Top`s."""

    def __init__(self, first: Tensor) -> None:
        self._kept = first
        self._waiting: list[Tensor] = []
        self._num_waiting = 0

    def add(self, where: str, piece: Tensor) -> None:
        _refuse_other_shape(where, self._kept, piece)
        # Values fall along a piece: after the first column that changes no row, none does.
        floor = self._kept[:, -1:]
        width = bisect_left(
            range(piece.shape[1]),
            True,
            key=lambda column: not bool((piece[:, column : column + 1] > floor).any()),
        )
        # A copy, so that the rest of the piece is let go.
        self._waiting.append(piece[:, :width].clone())
        self._num_waiting += width
        if self._num_waiting >= piece.shape[1]:
            self._kept = self.merged()
            self._waiting, self._num_waiting = [], 0

    def merged(self) -> Tensor:
        if not self._num_waiting:
            return self._kept
        return largest(torch.cat([self._kept, *self._waiting], dim=1), self._kept.shape[1])


def largest(values: Tensor, count: int) -> Tensor:
    """The largest values of each row [U, n], descending [U, count]; where there are fewer, padded
    with the least value of the dtype.

    Equal values have equal bytes, so which of them survive does not show.
    """
    num_rows, width = values.shape
    found = min(count, width)
    if values.device.type == "cpu":
        # numpy's partition and sort take a tenth of the time of torch's topk on a CPU.
        cut = values.detach().numpy()
        if found < width:
            start = width - found
            cut = np.partition(cut, min(start, width - 1), axis=1)[:, start:]
        top = torch.from_numpy(np.sort(cut, axis=1)).flip(1)
    else:
        top = values.topk(found, dim=1).values
    if found == count:
        return top
    least = -torch.inf if values.is_floating_point() else torch.iinfo(values.dtype).min
    padded = torch.full((num_rows, count), least, dtype=values.dtype, device=values.device)
    padded[:, :found] = top
    return padded


def to_tensors(state: Any) -> dict[str, Tensor]:
    """The fields of a state as contiguous tensors on the CPU, ready for safetensors."""
    return {
        name: getattr(state, name).detach().cpu().contiguous() for name in reductions(type(state))
    }


def from_tensors(kind: type[S], tensors: Mapping[str, Tensor]) -> S:
    """The state that `to_tensors` wrote.

    Raises:
        ValueError: when fields are missing or unknown.
    """
    expected = set(reductions(kind))
    if expected != set(tensors):
        missing = ", ".join(sorted(expected - set(tensors))) or "none"
        unknown = ", ".join(sorted(set(tensors) - expected)) or "none"
        raise ValueError(f"not a {kind.__name__}: missing {missing}; unknown {unknown}")
    return kind(**tensors)


def _joined(pieces: deque[Tensor]) -> Tensor:
    """The pieces as one tensor; each is let go as soon as it was copied."""
    first, num_rows = pieces[0], sum(len(piece) for piece in pieces)
    if len(pieces) == 1:
        return pieces.popleft()
    whole = torch.empty((num_rows, *first.shape[1:]), dtype=first.dtype, device=first.device)
    del first
    start = 0
    while pieces:
        piece = pieces.popleft()
        whole[start : start + len(piece)] = piece
        start += len(piece)
    return whole


def _refuse_other_rows(name: str, first: Tensor, second: Tensor) -> None:
    if first.dtype != second.dtype:
        raise ValueError(f"{name}: {first.dtype} and {second.dtype} do not merge")
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"{name}: rows of {first.shape} and {second.shape} do not fit")


def _refuse_other_shape(name: str, first: Tensor, second: Tensor) -> None:
    if first.dtype != second.dtype:
        raise ValueError(f"{name}: {first.dtype} and {second.dtype} do not merge")
    # Broadcasting would hide a state of another layer or another set of attributes.
    if first.shape != second.shape:
        raise ValueError(f"{name}: {tuple(first.shape)} and {tuple(second.shape)} do not merge")


def _reduce(name: str, how: Reduction, first: Tensor, second: Tensor) -> Tensor:
    if how is Reduction.CONCAT:
        _refuse_other_rows(name, first, second)
        return torch.cat([first, second])
    _refuse_other_shape(name, first, second)
    if how is Reduction.MIN:
        return torch.minimum(first, second)
    if how is Reduction.MAX:
        return torch.maximum(first, second)
    if how is Reduction.TOP:
        return largest(torch.cat([first, second], dim=1), first.shape[1])
    if first.dtype not in _EXACT:
        raise TypeError(f"{name}: sums are int64 or float64, not {first.dtype}")
    return first + second
