"""The order in which a scan reads the rows of a split.

Any prefix of it is a fair sample of the split, which sequential folds rely on. It depends on the
sample ids and the spec's seed alone: not on the file's order, the machine or the numpy version.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def shuffled(ids: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Row numbers, sorted by the keyed BLAKE2b hash (64 bits, key: the seed) of their ids.

    Rows whose hashes agree stay in file order.
    """
    key = seed.to_bytes(8, "little")
    hashes = b"".join(blake2b(name.encode(), key=key, digest_size=8).digest() for name in ids)
    return np.argsort(np.frombuffer(hashes, dtype="<u8"), kind="stable").astype(np.int64)
