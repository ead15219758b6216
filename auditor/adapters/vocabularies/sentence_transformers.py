"""Words as a sentence-transformers model from a local folder sees them (extra `text`).

Nothing is downloaded and no code of the folder is run: modules come from the package alone.
"""

from __future__ import annotations

import json
from pathlib import Path

from auditor.adapters.vocabularies.collect import Collector, read_lines
from auditor.errors import InputError, MissingDependencyError
from auditor.inventory.vocabulary import model_folder
from auditor.measure.vocabulary import Vocabulary
from auditor.spec.vocabulary import SentenceVocabulary

OWN_MODULES = "sentence_transformers."


def open_sentences(spec: SentenceVocabulary) -> Vocabulary:
    """Encode a list of words.

    Raises:
        InputError: The folder holds no such model, or one with modules of its own; or there are no
            words.
        MissingDependencyError: sentence-transformers is not installed.
    """
    folder = model_folder(Path(spec.folder))
    refuse_foreign(folder)
    lines = read_lines(Path(spec.words))
    numbers = [number for number, line in enumerate(lines, start=1) if line]
    words = [line for line in lines if line]
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            "this vocabulary is a sentence-transformers model, and that package is not installed",
            hint='Install it with: pip install "auditor[text]"',
        ) from error
    try:
        model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError) as error:
        raise InputError(
            f"{folder} cannot be opened as a sentence-transformers model: {error}"
        ) from error
    vectors = model.encode(words, convert_to_numpy=True, show_progress_bar=False)
    collector = Collector(Path(spec.words), vectors.shape, lambda n: f"{spec.words}:{n}")
    collector.add(words, vectors, numbers)
    return collector.finish()


def refuse_foreign(folder: Path) -> None:
    """Raise where a model is made of anything but the package's own modules."""
    path = folder / "modules.json"
    try:
        modules = json.loads(path.read_bytes())
        kinds = [str(module["type"]) for module in modules]
    except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
        raise InputError(f"{path} is no list of modules: {error!r}") from error
    for kind in kinds:
        if not kind.startswith(OWN_MODULES):
            raise InputError(
                f"{path} names the module {kind}, which is not part of sentence-transformers",
                hint="Models that bring code of their own are not opened.",
            )
