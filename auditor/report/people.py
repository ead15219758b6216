"""What people called the units of a run's networks, from its review file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from auditor.judge.review import Decision, FeatureName, extractor_keys
from auditor.needs import NetworkRole
from auditor.people import Human
from auditor.report.reviewing import reviews_of
from auditor.store.reader import Run


class Called(NamedTuple):
    """Names of one layer.

    Attributes:
        key: What its units come from, as a review file names it; None where no digest is known.
        people: Number of the unit -> what a person said about it.
        elsewhere: Names in the review file that belong to other networks or layers.
    """

    key: str | None
    people: Mapping[int, Human]
    elsewhere: int


def called(run: Run, digest: str | None, layer: str | None) -> Called:
    """What people called the units of one layer.

    Args:
        run: The run.
        digest: Digest of what the units come from.
        layer: Module path of their layer; None where they come from a file.

    Raises:
        ArtifactError: the review is damaged.
    """
    reviews, keys = reviews_of(run), extractor_keys(digest, layer)
    return Called(
        key=keys[0] if keys else None,
        people={unit: human(said) for unit, said in reviews.names(digest, layer).items()},
        elsewhere=sum(len(names) for key, names in reviews.features.items() if key not in keys),
    )


def network_digest(run: Run, role: NetworkRole) -> str | None:
    """Digest of a network's weights: of those that the spec fitted, else of what it was read from.

    None where the run recorded neither.
    """
    for record in run.record.provenance.training:
        if record.network == role:
            return record.digest
    # An archive or a Python file takes the place of weights where the network comes as one.
    own = sorted(
        (given for given in run.record.provenance.inputs if given.role.startswith(f"{role} ")),
        key=lambda given: given.role != f"{role} weights",
    )
    return next((given.digest for given in own if given.digest), None)


def human(said: FeatureName) -> Human:
    """A name of the review file."""
    return Human(said.name, said.kind, signed(said), said.comment)


def signed(said: FeatureName | Decision) -> str:
    """`J. Doe, 2026-03-01`."""
    return ", ".join(filter(None, (said.reviewer, said.date.isoformat() if said.date else "")))
