"""`auditor words`: the vocabulary of a spec, and which of its words each concept stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from auditor.cli.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from auditor.measure.vocabulary import Vocabulary
    from auditor.spec.vocabulary import VocabularySpec

COLUMNS = ("concept", "category", "rule", "words")

NEAR = 3
"""Near words that are offered for a concept without words."""

SEARCHED = 20_000
"""Words among which near ones are looked for: the first of a file are the usual ones."""


class Row(NamedTuple):
    """A concept and its words.

    Attributes:
        concept: Name of the concept.
        category: Such as `object` or `part`; None where concepts are of one kind.
        rule: How the words were found, or `unknown`.
        words: The words it stands for.
        near: Words of similar spelling, where it stands for none.
    """

    concept: str
    category: str | None
    rule: str
    words: tuple[str, ...]
    near: tuple[str, ...]


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as vocabulary=everyday."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    export: Path = typer.Option(
        None, "--export", metavar="FILE.npz", help="Write words and vectors to this file."
    ),
) -> None:
    """List the vocabulary and the words that each concept of the dataset stands for."""
    from auditor.adapters.vocabularies.open import open_vocabulary
    from auditor.compose.load import load_spec
    from auditor.errors import PlanError
    from auditor.inventory.dataset import take_dataset

    composed = load_spec(spec, tuple(overrides or ()))
    chosen = composed.spec.vocabulary
    if chosen is None:
        raise PlanError(
            "the spec has no vocabulary",
            hint="Add one on the command line: vocabulary=everyday",
        )
    vocabulary = open_vocabulary(chosen)
    if export is not None:
        write_words(export, vocabulary)
    concepts = take_dataset(composed.spec.dataset).concepts
    rows = matched(vocabulary, chosen, [(each.name, each.category) for each in concepts])
    strays = [name for name in chosen.concepts if name not in {row.concept for row in rows}]
    problems = [*vocabulary.problems, *(f"the dataset has no concept `{name}`" for name in strays)]
    if as_json:
        say_json(document(chosen, vocabulary, rows, problems))
        return
    for line in head(chosen, vocabulary):
        say(line)
    for problem in problems:
        note(f"note: {problem}")
    if not rows:
        say("the dataset has no concepts: its images have no annotated regions")
        return
    say("")
    say_table(COLUMNS, [(row.concept, row.category or "", row.rule, meaning(row)) for row in rows])


def matched(
    vocabulary: Vocabulary, spec: VocabularySpec, concepts: list[tuple[str, str | None]]
) -> list[Row]:
    """Each concept once with its words; those without any come last."""
    from auditor.measure.vocabulary import match_concepts
    from auditor.near import near

    found = match_concepts([name for name, _ in concepts], vocabulary, spec.concepts)
    usual = vocabulary.words[:SEARCHED]
    rows = []
    for (name, category), rule, positions in zip(concepts, found.rules, found.words, strict=True):
        words = tuple(vocabulary.words[position] for position in positions)
        offered = () if words else tuple(near(name, usual, NEAR))
        rows.append(Row(name, category, rule, words, offered))
    return sorted(rows, key=lambda row: row.rule == "unknown")


def meaning(row: Row) -> str:
    """The words of a concept as the table shows them."""
    if row.words:
        return " + ".join(row.words)
    return f"none; near: {', '.join(row.near)}" if row.near else "none"


def head(spec: VocabularySpec, vocabulary: Vocabulary) -> list[str]:
    """What the vocabulary is."""
    num_words, num_dimensions = vocabulary.vectors.shape
    size = f"{num_words:,} words, {num_dimensions} dimensions"
    if spec.entities is not None:
        size += f", {int(vocabulary.entities.sum()):,} of them entities"
    title = [spec.title] if spec.title else []
    return [*title, size, f"vectors: {origin(spec)}"]


def origin(spec: VocabularySpec) -> str:
    """Where the vectors of a vocabulary come from."""
    if spec.source == "everyday":
        return "made from auditor's own outline of everyday words, not learnt from texts"
    if spec.source == "sentence_transformers":
        return f"the sentence-transformers model in {spec.folder}"
    return f"{spec.path} ({spec.source})"


def document(
    spec: VocabularySpec, vocabulary: Vocabulary, rows: list[Row], problems: list[str]
) -> dict[str, object]:
    """The vocabulary and the concepts as JSON."""
    from auditor.inventory.vocabulary import take_vocabulary

    return {
        "vocabulary": {
            "title": spec.title,
            "source": spec.source,
            "vectors": origin(spec),
            "num_words": len(vocabulary.words),
            "num_dimensions": vocabulary.vectors.shape[1],
            "num_entities": int(vocabulary.entities.sum()),
            "digest": take_vocabulary(spec).digest,
        },
        "concepts": [row._asdict() for row in rows],
        "problems": problems,
    }


def write_words(path: Path, vocabulary: Vocabulary) -> None:
    """Write words and directions as an archive that `source: npz` reads; equal input, equal bytes.

    Raises:
        InputError: The file is not called .npz, or cannot be written.
    """
    import numpy as np

    from auditor.errors import InputError

    if path.suffix != ".npz":
        raise InputError(f"{path} is not called .npz", hint="Words are written in that format.")
    try:
        with path.open("wb") as stream:
            words = np.array(vocabulary.words, dtype=np.str_)
            np.savez(stream, words=words, vectors=vocabulary.vectors.numpy())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
