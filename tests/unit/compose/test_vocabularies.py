"""Cross checks of vocabularies: audits that need words have some, for concepts that exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BASE = """\
version: 1
name: words
dataset: {source: portraits}
model: {source: builtin, name: portraits_net, num_outputs: 3}
"""
FILTERS = "audits: {filters: {kind: filters, layer: features.0}}\n"
EVERYDAY = "vocabulary: {source: everyday, concepts: {CONCEPTS}}\n"

Auditor = Callable[..., Any]


def problems(auditor: Auditor, text: str) -> list[dict[str, Any]]:
    """What `validate` says of a spec."""
    Path("audit.yaml").write_text(text)
    found: list[dict[str, Any]] = auditor("validate", "audit.yaml", "--json").document()["errors"]
    return found


def test_filters_are_named_in_words_of_some_vocabulary(auditor: Auditor) -> None:
    (problem,) = problems(auditor, BASE + FILTERS)
    assert (problem["path"], problem["line"]) == ("audits.filters", 5)
    assert problem["message"].endswith("and the spec has no `vocabulary`")
    assert "vocabulary: everyday" in problem["hint"]
    without = FILTERS.replace("features.0", "features.0, explainer: null")
    assert problems(auditor, BASE + without) == []
    assert problems(auditor, BASE + FILTERS + "vocabulary: {source: everyday}\n") == []


@pytest.mark.parametrize(
    ("concepts", "path", "message"),
    [
        ("{hatt: [hat]}", "vocabulary.concepts.hatt", "there is no concept `hatt`"),
        ("{hat: [cap, hat, cap]}", "vocabulary.concepts.hat.2", "`cap` stands in this list twice"),
        ("{hat: [cap, ' ']}", "vocabulary.concepts.hat.1", "this word is empty"),
    ],
)
def test_words_stand_for_concepts_that_exist(
    auditor: Auditor, concepts: str, path: str, message: str
) -> None:
    (problem,) = problems(auditor, BASE + EVERYDAY.replace("{CONCEPTS}", concepts))
    assert (problem["path"], problem["message"], problem["line"]) == (path, message, 5)


def test_files_alone_tell_the_concepts_of_other_datasets(auditor: Auditor) -> None:
    folder = BASE.replace("{source: portraits}", "{source: imagefolder, root: images}")
    assert problems(auditor, folder + EVERYDAY.replace("{CONCEPTS}", "{hatt: [hat]}")) == []


def test_a_concept_may_be_left_without_words(auditor: Auditor) -> None:
    assert problems(auditor, BASE + EVERYDAY.replace("{CONCEPTS}", "{hat: []}")) == []


def test_a_vocabulary_that_no_audit_uses_is_a_warning(auditor: Auditor) -> None:
    everyday = EVERYDAY.replace("{CONCEPTS}", "{}")
    unworded = FILTERS.replace("features.0", "features.0, explainer: null")
    warning = "the spec has a vocabulary, but no audit names filters in words"
    for audits, expected in ((unworded, [warning]), (FILTERS, [])):
        Path("audit.yaml").write_text(BASE + audits + everyday)
        done = auditor("validate", "audit.yaml", "--json")
        assert done.code == 0, done.err
        assert done.document()["warnings"] == expected
