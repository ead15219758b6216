"""What the section of a filter audit shows, and the names that other sections borrow from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditor.audits.filters.result import FilterResult, FiltersResult
from auditor.audits.filters.section import FiltersSection, make_section
from auditor.audits.filters.spec import FiltersSpec
from auditor.errors import ArtifactError
from auditor.needs import NetworkRole
from auditor.people import Human
from auditor.report.people import called, network_digest
from auditor.results.estimate import Estimate
from auditor.store.reader import Run
from auditor.wording import number, plain


class UnitWords(NamedTuple):
    """What one unit is called: by a person, else by the filters audit of a run as a suggestion.

    Attributes:
        words: Its words that stand out from those for shuffled activations, most votes first.
        share: Share of votes of the first of them; None without words.
        concept: The annotated concept that it detects; None where it detects none.
        iou: Intersection over union with that concept.
        person: What a person said about it; None where nobody did.
    """

    words: tuple[str, ...] = ()
    share: float | None = None
    concept: str | None = None
    iou: Estimate | None = None
    person: Human | None = None

    def text(self, limit: int = 2) -> str:
        """`handle`, where a person says so, else `handle, cup (0.61)` as measured."""
        if self.person is not None:
            return plain(self.person.name)
        return self.measured(limit)

    def label(self, limit: int = 2) -> str:
        """A person's name, else the words alone; empty where there are neither."""
        return plain(self.person.name) if self.person is not None else self.suggested(limit)

    def suggested(self, limit: int = 2) -> str:
        """`handle, cup`: the words alone."""
        return ", ".join(map(plain, self.words[:limit]))

    def measured(self, limit: int = 2) -> str:
        """`handle, cup (0.61)`: words with the first one's share of votes, else the concept with
        its intersection over union."""
        if self.words and self.share is not None:
            return f"{self.suggested(limit)} ({number(self.share)})"
        if self.concept is None or self.iou is None:
            return ""
        return f"{plain(self.concept)} ({number(self.iou.value)})"


def filters_section(
    run: Run, audit: str, spec: FiltersSpec, result: FiltersResult
) -> FiltersSection:
    """The body of one section.

    Raises:
        ArtifactError: the active regions do not belong to the pictures, or the review is damaged.
    """
    names = called(run, network_digest(run, result.inspected), result.layer)
    return make_section(
        audit=audit,
        spec=spec,
        result=result,
        findings=[finding for finding in run.findings if finding.audit == audit],
        active=active_regions(run, audit, result),
        people=names.people,
        key=names.key,
    )


def active_regions(run: Run, audit: str, result: FiltersResult) -> NDArray[np.bool_]:
    """Active pixels [N, g, g'] of all pictures; N = 0 where the run kept none.

    Raises:
        ArtifactError: some picture has no region.
    """
    none = np.zeros((0, 1, 1), np.bool_)
    ends = [card.first + len(card.images) for card in result.cards]
    if not any(card.images for card in result.cards):
        return none
    active = run.arrays(audit, "cards").get("active", none)
    if active.ndim != 3 or len(active) < max(ends) or 0 in active.shape:
        raise ArtifactError(
            f"the active regions of audit {audit} are of shape {active.shape}, its pictures need "
            f"{max(ends)} of them",
            hint="Run the audit again; its folder was changed after the run.",
        )
    return active.astype(np.bool_)


def unit_names(run: Run, network: NetworkRole, layer: str) -> dict[int, UnitWords]:
    """Names of a layer's units: from the review file, and from a finished filters audit.

    Args:
        run: The run; where several of its audits looked at the layer, the first one that found
            words counts, and without words the first one.
        network: Whose units.
        layer: Module path of the layer.

    Returns:
        Unit -> its name, for units that a person named, that have words that stand out or that
        detect a concept.

    Raises:
        ArtifactError: the review is damaged.
    """
    found = [
        result
        for result in run.results.values()
        if isinstance(result, FiltersResult)
        and (result.inspected, result.layer) == (network, layer)
    ]
    found.sort(key=lambda result: result.attention is None)
    units = found[0].filters if found else ()
    named = {unit.unit: unit_words(unit) for unit in units}
    names = {unit: said for unit, said in named.items() if said.words or said.concept}
    people = called(run, network_digest(run, network), layer).people
    by_people = {
        unit: names.get(unit, UnitWords())._replace(person=said) for unit, said in people.items()
    }
    return names | by_people


def unit_words(unit: FilterResult) -> UnitWords:
    """What the filters audit says of one unit."""
    match = unit.match if unit.match is not None and unit.match.detector else None
    return UnitWords(
        words=tuple(word.word for word in unit.name),
        share=unit.name[0].share if unit.name else None,
        concept=match.concept if match else None,
        iou=match.iou if match else None,
    )
