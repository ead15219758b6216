"""What a vocabulary's files are, without torch: their digest and size. No vector is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from auditor.errors import InputError
from auditor.inventory.digest import existing_file, existing_folder, file_digest
from auditor.resources import specs_dir
from auditor.spec.vocabulary import (
    EverydayVocabulary,
    NpzVocabulary,
    SafetensorsVocabulary,
    SentenceVocabulary,
    TextVocabulary,
    VocabularySpec,
)


@dataclass(frozen=True)
class VocabularyInventory:
    """The files of a vocabulary.

    Attributes:
        digest: SHA-256 over the bytes of every file: vectors, words, entities.
        num_bytes: Their size.
    """

    digest: str
    num_bytes: int


def take_vocabulary(spec: VocabularySpec) -> VocabularyInventory:
    """Take stock of a vocabulary.

    Raises:
        InputError: A file is missing or cannot be read, or a folder holds no model.
    """
    digest, num_bytes = hashlib.sha256(), 0
    for name, path in vocabulary_files(spec):
        digest.update(f"{name}\0{file_digest(path)}\n".encode())
        num_bytes += path.stat().st_size
    return VocabularyInventory(digest.hexdigest(), num_bytes)


def vocabulary_files(spec: VocabularySpec) -> Iterator[tuple[str, Path]]:
    """Every file that a vocabulary is read from, with the part that it plays."""
    match spec:
        case TextVocabulary() | NpzVocabulary():
            yield "vectors", Path(spec.path)
        case SafetensorsVocabulary():
            yield "vectors", Path(spec.path)
            yield "words", Path(spec.words)
        case SentenceVocabulary():
            folder = model_folder(Path(spec.folder))
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield f"model/{path.relative_to(folder).as_posix()}", path
            yield "words", Path(spec.words)
        case EverydayVocabulary():
            yield "words", everyday_file()
        case _:
            assert_never(spec)
    if spec.entities is not None:
        yield "entities", Path(spec.entities)


def everyday_file() -> Path:
    """The outline of words that the everyday vocabulary is made from."""
    return existing_file(specs_dir() / "vocabulary" / "everyday.txt")


def model_folder(folder: Path) -> Path:
    """The folder itself.

    Raises:
        InputError: There is no such folder, or no sentence-transformers model in it.
    """
    if not (existing_folder(folder) / "modules.json").is_file():
        raise InputError(
            f"{folder} holds no sentence-transformers model: it has no modules.json",
            hint="Save one there with SentenceTransformer.save(FOLDER); nothing is downloaded.",
        )
    return folder
