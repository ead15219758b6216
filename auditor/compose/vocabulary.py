"""Cross checks of vocabularies: audits that name filters in words have some."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.audits.filters.spec import FiltersSpec
from auditor.catalog import AuditSpec
from auditor.compose.names import repeated, unknown
from auditor.compose.place import Path, Places
from auditor.errors import Problem
from auditor.spec.dataset import PortraitsDataset
from auditor.spec.portraits import PARTS


def vocabularies(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """Words come from somewhere, and stand for concepts that exist."""
    if spec.vocabulary is None:
        for name, audit in spec.audits.items():
            if isinstance(audit, FiltersSpec) and audit.explainer is not None:
                message = "this audit names filters in words, and the spec has no `vocabulary`"
                hint = (
                    "add `- vocabulary: everyday` to the defaults, or set `explainer: null` to "
                    "compare with annotated concepts alone"
                )
                yield places.problem(("audits", name), message, hint=hint, key=True)
        return
    for concept, words in spec.vocabulary.concepts.items():
        path: Path = ("vocabulary", "concepts", concept)
        # Only the files of other datasets tell which concepts they have; see `auditor words`.
        if isinstance(spec.dataset, PortraitsDataset) and concept not in PARTS:
            yield unknown(places, path, "concept", concept, PARTS, key=True)
        yield from repeated(places, path, words)
        for index, word in enumerate(words):
            if not word.strip():
                hint = "name a word of the vocabulary"
                yield places.problem((*path, index), "this word is empty", hint=hint)
