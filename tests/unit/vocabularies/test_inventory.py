"""The digest of a vocabulary follows the bytes of every file that it is read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from auditor.errors import InputError
from auditor.inventory.vocabulary import everyday_file, take_vocabulary
from auditor.spec.vocabulary import VocabularySpec

SPECS: list[dict[str, Any]] = [
    {"source": "text", "path": "v"},
    {"source": "npz", "path": "v"},
    {"source": "safetensors", "path": "v", "words": "w"},
    {"source": "sentence_transformers", "folder": "m", "words": "w"},
]
FILES = ("v", "w", "e", "m/modules.json", "m/deep/weights")


def spec_of(fields: dict[str, Any], **more: Any) -> VocabularySpec:
    adapter: TypeAdapter[VocabularySpec] = TypeAdapter(VocabularySpec)
    return adapter.validate_python({**fields, **more})


@pytest.fixture
def files(here: Path) -> None:
    Path("m/deep").mkdir(parents=True)
    for name in FILES:
        Path(name).write_text(name)


@pytest.mark.parametrize("fields", SPECS, ids=lambda fields: fields["source"])
@pytest.mark.usefixtures("files")
def test_each_file_counts_and_no_other(fields: dict[str, Any]) -> None:
    spec = spec_of(fields, entities="e")
    used = {
        "v": "path" in fields,
        "w": "words" in fields,
        "e": True,
        "m/modules.json": "folder" in fields,
        "m/deep/weights": "folder" in fields,
    }
    first = take_vocabulary(spec)
    assert first.num_bytes == sum(len(name) for name in FILES if used[name])
    for name in FILES:
        Path(name).write_text(f"{name}, changed")
        assert (take_vocabulary(spec) != first) == used[name], name
        Path(name).write_text(name)
        assert take_vocabulary(spec) == first
    assert take_vocabulary(spec_of(fields)) != first, "the entities count"


@pytest.mark.parametrize("fields", SPECS, ids=lambda fields: fields["source"])
def test_what_is_missing_is_named(here: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"there is no (file v|folder m)"):
        take_vocabulary(spec_of(fields))


def test_the_everyday_vocabulary_is_its_outline() -> None:
    found = take_vocabulary(spec_of({"source": "everyday"}))
    assert found.num_bytes == everyday_file().stat().st_size > 10_000
