"""A sentence-transformers model from a local folder; the package itself need not be there."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from auditor.adapters.vocabularies.open import open_vocabulary
from auditor.errors import InputError, MissingDependencyError
from auditor.inventory.vocabulary import take_vocabulary
from auditor.spec.vocabulary import SentenceVocabulary

SPEC = SentenceVocabulary(source="sentence_transformers", folder="model", words="words.txt")
MODULES = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]


@pytest.fixture
def folder(here: Path) -> Path:
    """A folder that looks like a model, and some words."""
    Path("words.txt").write_text("dog\nhot dog\n")
    Path("model").mkdir()
    Path("model/modules.json").write_text(json.dumps(MODULES))
    return Path("model")


def test_without_the_package_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError) as caught:
        open_vocabulary(SPEC)
    assert caught.value.hint == 'Install it with: pip install "auditor[text]"'


def test_a_folder_without_a_model_is_refused_before_anything_is_imported(folder: Path) -> None:
    (folder / "modules.json").unlink()
    for open_or_take in (open_vocabulary, take_vocabulary):
        with pytest.raises(InputError, match="model holds no sentence-transformers model"):
            open_or_take(SPEC)
    folder.rmdir()
    with pytest.raises(InputError, match="there is no folder model"):
        open_vocabulary(SPEC)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([{**MODULES[0], "type": "os.path"}], "names the module os.path"),
        ([{**MODULES[0], "type": "custom.Model"}], "names the module custom.Model"),
        ([{"idx": 0}], "is no list of modules"),
        ({"type": "x"}, "is no list of modules"),
        (3, "is no list of modules"),
    ],
)
def test_modules_of_others_are_refused(folder: Path, modules: Any, message: str) -> None:
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match=message):
        open_vocabulary(SPEC)


def test_a_damaged_list_of_modules_is_refused(folder: Path) -> None:
    (folder / "modules.json").write_bytes(b"\xff[")
    with pytest.raises(InputError, match="is no list of modules"):
        open_vocabulary(SPEC)


def test_words_that_are_no_text_are_named_by_line(folder: Path) -> None:
    Path("words.txt").write_bytes(b"dog\n\xff\n")
    with pytest.raises(InputError, match=r"words\.txt:2: this is no UTF-8 text"):
        open_vocabulary(SPEC)


def test_a_real_model_is_encoded(folder: Path) -> None:
    """A model that counts words, saved and opened as any other."""
    library = pytest.importorskip("sentence_transformers", reason="extra `text` is not installed")
    modules = import_module("sentence_transformers.sentence_transformer.modules")
    words = modules.BoW(vocab=["hot", "dog", "cat"])
    library.SentenceTransformer(modules=[words], device="cpu").save("model")
    Path("words.txt").write_text("dog\n\nhot dog\nunheard\ndog\n")
    found = open_vocabulary(SPEC)
    assert found.words == ("dog", "hot dog")
    assert float(found.vectors[0] @ found.vectors[1]) == pytest.approx(0.5**0.5)
    assert found.problems == (
        "1 word (dog) came again; the first one counts",
        "1 word (unheard) had only zeros and no direction",
    )
