"""Words and vectors in a NumPy archive. Nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.adapters.vocabularies.collect import ROWS_AT_ONCE, Collector
from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.inventory.features import DAMAGED
from auditor.measure.vocabulary import Vocabulary
from auditor.near import suggest
from auditor.spec.vocabulary import NpzVocabulary

SAVE_HINT = "Save it with numpy.savez(FILE, words=numpy.array(words, dtype=str), vectors=vectors)."


def open_npz(spec: NpzVocabulary) -> Vocabulary:
    """Read an archive of words [W] and vectors [W, D].

    Raises:
        InputError: The file is missing, damaged or holds Python objects; an array is missing, of
            another kind, or of another length.
    """
    path = existing_file(Path(spec.path))
    try:
        # numpy leaves a damaged file open where it opens the file itself.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            words = member(path, archive, spec.words_key)
            vectors = member(path, archive, spec.vectors_key)
    except (*DAMAGED, AttributeError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as an archive: {error}", hint=SAVE_HINT) from error
    check(path, words, vectors)
    count = min(len(words), spec.max_words or len(words))
    collector = Collector(path, (count, vectors.shape[1]))
    for start in range(0, count, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, count))
        numbers = range(rows.start + 1, rows.stop + 1)
        collector.add([text_of(word) for word in words[rows]], vectors[rows], numbers)
    return collector.finish()


def member(path: Path, archive: Any, key: str) -> NDArray[Any]:
    """One array of the archive."""
    if key not in archive.files:
        raise InputError(
            f"{path} holds no array `{key}`", hint=suggest(key, archive.files, "array")
        )
    try:
        array: NDArray[Any] = archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"{path} holds `{key}` as Python objects, and opening these could run code",
            hint=SAVE_HINT,
        ) from error
    return array


def check(path: Path, words: NDArray[Any], vectors: NDArray[Any]) -> None:
    """Raise where words and vectors are not what they should be, or do not fit."""
    if words.dtype.kind not in "US" or words.ndim != 1:
        raise InputError(
            f"{path}: words are a list of texts, not {words.dtype} {list(words.shape)}",
            hint=SAVE_HINT,
        )
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or not vectors.shape[1]:
        raise InputError(
            f"{path}: vectors are a table of numbers, one row per word, not {vectors.dtype} "
            f"{list(vectors.shape)}",
            hint=SAVE_HINT,
        )
    if len(words) != len(vectors):
        raise InputError(f"{path}: there are {len(words):,} words and {len(vectors):,} vectors")


def text_of(word: str | bytes) -> str | None:
    """A word as text; None where it is not UTF-8."""
    if isinstance(word, str):
        return word.strip()
    try:
        return word.decode().strip()
    except UnicodeDecodeError:
        return None
