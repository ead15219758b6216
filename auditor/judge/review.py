"""Human decisions about findings, read from a review file that is kept in version control.

    version: 1
    findings:
      relationships/BROKEN_RULE:lipstick~smiling:
        decision: accepted_risk         # confirmed | accepted_risk | false_alarm | mitigated
        evidence_digest: 3f5a…          # what the decision was based on
        reviewer: J. Doe
        date: 2026-03-01
        expires: 2026-12-31
        comment: Only used to sort the catalogue.

    features:
      "9b1d…:relu4":                    # the features' network and layer, as the report states them
        "17":
          name: smile
          kind: spurious                # spurious | causal | unsure

A decision other than `confirmed` closes its finding for the gate, as long as it has not expired and
the evidence is still the one it was based on. Changed evidence makes it stale: the finding is open.
A name belongs to one layer of one network; given for a digest alone, it holds for every layer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import StringConstraints, ValidationError

from auditor.compose.place import Places
from auditor.compose.yaml_file import read_yaml
from auditor.errors import Problem, SpecError
from auditor.near import suggest
from auditor.results.base import canonical_json
from auditor.results.finding import Finding
from auditor.spec.base import SpecModel, Text

Ruling = Literal["confirmed", "accepted_risk", "false_alarm", "mitigated"]

Standing = Literal["open", "closed", "expired", "stale"]
"""What a finding is after review; all but `closed` count for the gate."""

Kind = Literal["spurious", "causal", "unsure"]
"""Whether a feature should matter to the model: no, yes, nobody knows yet."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

ExtractorKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}(:.+)?$")]
"""Digest of what features come from, and the layer behind a colon."""

FeatureNumber = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})$")]
"""Position in the feature vector, in quotes: keys of a YAML file are text."""


class Decision(SpecModel):
    """What a person decided about one finding."""

    decision: Ruling
    """`confirmed`: it is true and stays open; `accepted_risk`: true, and borne knowingly;
    `false_alarm`: not true; `mitigated`: dealt with outside the model."""
    evidence_digest: Digest
    """Digest of the evidence that the decision is based on, as the finding states it."""
    reviewer: Text
    """Who decided."""
    date: dt.date
    """When."""
    expires: dt.date | None = None
    """Last day on which the decision holds; null never expires."""
    comment: Text = ""
    """Why."""
    name: Text = ""
    """What the finding's feature shows, in a person's words."""
    kind: Kind | None = None
    """Whether the feature should matter to the model."""


class FeatureName(SpecModel):
    """What a person sees in a feature."""

    name: Text
    """What the feature shows, such as `buckle`."""
    kind: Kind = "unsure"
    """Whether the feature should matter to the model."""
    reviewer: Text = ""
    """Who looked."""
    date: dt.date | None = None
    """When."""
    comment: Text = ""
    """Why."""


class Review(SpecModel):
    """The content of a review file."""

    version: Literal[1]
    """Version of this layout."""
    findings: dict[str, Decision] = {}
    """Finding id -> decision."""
    features: dict[ExtractorKey, dict[FeatureNumber, FeatureName]] = {}
    """What features come from, as the report states it (digest, or digest and layer) -> number of
    the feature -> its name. A feature of another network with the same number is another one."""


@dataclass(frozen=True)
class Reviews:
    """Decisions as they stand on a day.

    Attributes:
        on: The day that expiry is measured against.
        decisions: Finding id -> decision.
        features: What features come from -> number of the feature -> its name.
    """

    on: dt.date
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, FeatureName]] = field(default_factory=dict)

    def names(self, digest: str | None, layer: str | None) -> dict[int, FeatureName]:
        """Names of the features of one layer; those given for its network come second.

        Args:
            digest: Digest of what the features come from.
            layer: Layer whose units they are; None where they come from a file.
        """
        keys = extractor_keys(digest, layer)
        found = [self.features.get(key, {}) for key in reversed(keys)]
        return {int(number): name for names in found for number, name in names.items()}

    def standing(self, finding: Finding) -> Standing:
        """Whether a finding is still open, and if a decision failed to close it, why."""
        decision = self.decisions.get(finding.id)
        if decision is None or decision.decision == "confirmed":
            return "open"
        if decision.evidence_digest != finding.evidence_digest:
            return "stale"
        if decision.expires is not None and decision.expires < self.on:
            return "expired"
        return "closed"


def extractor_keys(digest: str | None, layer: str | None) -> tuple[str, ...]:
    """How a review file may name what features come from, most precise first."""
    if digest is None:
        return ()
    return (f"{digest}:{layer}", digest) if layer else (digest,)


def load_reviews(path: str | None, on: dt.date) -> tuple[Reviews, bytes | None]:
    """The decisions of a spec's review file and its bytes, to be kept in the run directory.

    A file that is not there yet holds no decisions: it is written after the first run.

    Raises:
        SpecError: the file is not YAML data or not a review; every problem with its place.
    """
    if path is None or not Path(path).is_file():
        return Reviews(on=on), None
    try:
        content = Path(path).read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"the review file {path} cannot be read: {error}") from error
    review = parse_review(text, path)
    return Reviews(on=on, decisions=review.findings, features=review.features), content


def parse_review(text: str, label: str) -> Review:
    """A review file's content.

    Raises:
        SpecError: it is not YAML data or not a review; every problem with its place.
    """
    node = read_yaml(text, label)
    try:
        return Review.model_validate_json(canonical_json(node.plain()))
    except ValidationError as error:
        places = Places((node,))
        problems = [located(places, detail["loc"], detail) for detail in error.errors()]
        raise SpecError(f"{label} is not a review file", problems=problems) from error


def located(places: Places, path: tuple[str | int, ...], detail: Mapping[str, object]) -> Problem:
    """A pydantic error as a problem with its place and the next move."""
    kind, message, value = str(detail["type"]), str(detail["msg"]), detail["input"]
    if path[-1] == "[key]":
        wrong, hint = KEYS[len(path) - 1]
        return places.problem(path[:-1], wrong, hint=hint, key=True)
    if kind == "extra_forbidden":
        known = fields_at(path)
        hint = suggest(str(path[-1]), known, "key")
        return places.problem(path, f"`{path[-1]}` is not a key here", hint=hint, key=True)
    if kind == "missing":
        return places.problem(path[:-1], f"`{path[-1]}` is missing", key=True)
    if path[-1] == "decision":
        return places.problem(
            path, "not a decision", value=value, hint=suggest(str(value), get_args(Ruling))
        )
    if path[-1] == "kind":
        return places.problem(
            path, "not a kind of feature", value=value, hint=suggest(str(value), get_args(Kind))
        )
    return places.problem(path, message[0].lower() + message[1:], value=value)


def fields_at(path: Sequence[str | int]) -> tuple[str, ...]:
    """Keys that a mapping of the file may have."""
    if len(path) == 1:
        return tuple(Review.model_fields)
    model = FeatureName if path[0] == "features" else Decision
    return tuple(model.model_fields)


KEYS = {
    2: (
        "this names nothing that features come from",
        "copy it from the report: a digest of 64 letters and digits, `:` and the layer",
    ),
    3: ("this is no number of a feature", 'write its position in quotes, such as "17"'),
}
"""What is wrong with a key, and what to do, by how deep it stands."""
