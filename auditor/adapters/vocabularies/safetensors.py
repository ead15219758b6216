"""Vectors in a safetensors file, with their words in a text file."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from auditor.adapters.vocabularies.collect import ROWS_AT_ONCE, Collector, read_lines
from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.inventory.weights import safetensors_shapes
from auditor.measure.vocabulary import Vocabulary
from auditor.near import suggest
from auditor.spec.vocabulary import SafetensorsVocabulary


def open_safetensors(spec: SafetensorsVocabulary) -> Vocabulary:
    """Read the vectors [W, D] of a safetensors file and the words of a text file.

    Raises:
        InputError: A file is missing or damaged, there is no such array, or it does not have one
            row of numbers per word.
    """
    path = existing_file(Path(spec.path))
    shapes = safetensors_shapes(path)
    shape = shapes.get(spec.vectors_key)
    if shape is None:
        hint = suggest(spec.vectors_key, shapes, "array")
        raise InputError(f"{path} holds no array `{spec.vectors_key}`", hint=hint)
    words = read_lines(Path(spec.words))
    if len(shape) != 2 or shape[0] != len(words) or not shape[1]:
        raise InputError(
            f"{path}: `{spec.vectors_key}` has the shape {list(shape)}, and {spec.words} has "
            f"{len(words):,} lines",
            hint="One row of numbers and one line per word are needed, in the same order.",
        )
    count = min(len(words), spec.max_words or len(words))
    collector = Collector(path, (count, shape[1]))
    try:
        with safe_open(path, framework="pt") as file:
            rows = file.get_slice(spec.vectors_key)
            for start in range(0, count, ROWS_AT_ONCE):
                stop = min(start + ROWS_AT_ONCE, count)
                block = rows[start:stop].double().numpy()
                collector.add(words[start:stop], block, range(start + 1, stop + 1))
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a safetensors file: {error}") from error
    return collector.finish()
