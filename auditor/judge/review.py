"""Human decisions about findings, read from a review file that is kept in version control.

    version: 1

    signoff:                            # the run as a whole; empty until somebody signs
      name: J. Doe
      role: Head of catalogue
      date: 2026-03-02
      findings_digest: 88c0…            # which findings were signed

    findings:
      relationships/BROKEN_RULE:lipstick~smiling:
        decision: accepted_risk         # confirmed | accepted_risk | false_alarm | mitigated
        reviewer: J. Doe
        date: 2026-03-01
        expires: 2026-12-31
        comment: Only used to sort the catalogue.
        evidence_digest: 3f5a…          # what the decision was based on
        based_on: {verdict: fail, cosine: "0.61 [0.58, 0.64]"}

    features:
      "9b1d…:relu4":                    # the features' network and layer, as the report states them
        "17":
          name: smile
          kind: spurious                # spurious | causal | unsure

`auditor review RUN` writes the file with the decisions left empty; an empty one decides nothing.
A decision other than `confirmed` closes its finding for the gate, as long as it has not expired and
the evidence is still the one it was based on. Changed evidence makes it stale: the finding is open.
A name belongs to one layer of one network; given for a digest alone, it holds for every layer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from pydantic import JsonValue, StringConstraints, ValidationError

from auditor.catalog import AuditSpec
from auditor.compose.place import Node, Places
from auditor.compose.validation import MOST_PROBLEMS
from auditor.compose.yaml_file import MAX_BYTES, read_yaml
from auditor.errors import Problem, SpecError
from auditor.judge.evidence import what_changed
from auditor.near import suggest
from auditor.results.base import canonical_json
from auditor.results.finding import Finding, findings_digest
from auditor.spec.base import SpecModel, Text

Ruling = Literal["confirmed", "accepted_risk", "false_alarm", "mitigated"]

Standing = Literal["open", "closed", "expired", "stale"]
"""What a finding is after review; all but `closed` count for the gate."""

Signed = Literal["absent", "signed", "stale"]
"""Whether somebody signed the run: not yet, as it is now, or with other findings."""

Kind = Literal["spurious", "causal", "unsure"]
"""Whether a feature should matter to the model: no, yes, nobody knows yet."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

ExtractorKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}(:.+)?$")]
"""Digest of what features come from, and the layer behind a colon."""

FeatureNumber = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})$")]
"""Position in the feature vector, in quotes: keys of a YAML file are text."""


class Decision(SpecModel):
    """What a person decided about one finding, or room for it."""

    decision: Ruling | None = None
    """`confirmed`: it is true and stays open; `accepted_risk`: true, and borne knowingly;
    `false_alarm`: not true; `mitigated`: dealt with outside the model; empty: not decided yet."""
    reviewer: Text = ""
    """Who decided."""
    date: dt.date | None = None
    """When."""
    expires: dt.date | None = None
    """Last day on which the decision holds; null never expires."""
    comment: Text = ""
    """Why."""
    name: Text = ""
    """What the finding's feature shows, in a person's words."""
    kind: Kind | None = None
    """Whether the feature should matter to the model."""
    evidence_digest: Digest | None = None
    """Digest of the evidence that the decision is based on, as the finding states it."""
    based_on: dict[str, str] = {}
    """Metric -> its value then, in short; tells what has changed once the digest differs."""


class Signoff(SpecModel):
    """Who stands for the review of a run as a whole, or room for it."""

    name: Text = ""
    """Who signed."""
    role: Text = ""
    """As what."""
    date: dt.date | None = None
    """When."""
    findings_digest: Digest | None = None
    """Digest of the findings that were signed, as the report states it."""

    @property
    def is_signed(self) -> bool:
        """Whether somebody filled it in."""
        return bool(self.name)


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
    signoff: Signoff = Signoff()
    """Sign-off of the run as a whole."""
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
        signoff: Sign-off of the run as a whole.
    """

    on: dt.date
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, FeatureName]] = field(default_factory=dict)
    signoff: Signoff = field(default_factory=Signoff)

    def names(self, digest: str | None, layer: str | None) -> dict[int, FeatureName]:
        """Names of the features of one layer; those given for its network come second.

        Args:
            digest: Digest of what the features come from.
            layer: Layer whose units they are; None where they come from a file.
        """
        keys = extractor_keys(digest, layer)
        found = [self.features.get(key, {}) for key in reversed(keys)]
        return {int(number): name for names in found for number, name in names.items()}

    def decided(self, finding: Finding) -> Decision | None:
        """What somebody decided about a finding; None where nobody has."""
        decision = self.decisions.get(finding.id)
        return decision if decision is not None and decision.decision is not None else None

    def standing(self, finding: Finding) -> Standing:
        """Whether a finding is still open, and if a decision failed to close it, why."""
        decision = self.decided(finding)
        if decision is None:
            return "open"
        if decision.evidence_digest != finding.evidence_digest:
            return "stale"
        if decision.expires is not None and decision.expires < self.on:
            return "expired"
        return "open" if decision.decision == "confirmed" else "closed"

    def holds(self, finding: Finding) -> bool:
        """Whether somebody decided about a finding as it is now, `confirmed` included."""
        return self.decided(finding) is not None and self.standing(finding) in ("open", "closed")

    def changes(self, finding: Finding) -> tuple[str, ...]:
        """What has changed in a finding since it was decided on, metric by metric."""
        decision = self.decided(finding)
        return what_changed(decision.based_on, finding) if decision is not None else ()

    def signed(self, findings: Sequence[Finding]) -> Signed:
        """Whether somebody signed the run with exactly these findings."""
        if not self.signoff.is_signed:
            return "absent"
        same = self.signoff.findings_digest == findings_digest(findings)
        return "signed" if same else "stale"


def reviews_on(on: dt.date, review: Review) -> Reviews:
    """A review file's content as it stands on a day."""
    return Reviews(
        on=on, decisions=review.findings, features=review.features, signoff=review.signoff
    )


def extractor_keys(digest: str | None, layer: str | None) -> tuple[str, ...]:
    """How a review file may name what features come from, most precise first."""
    if digest is None:
        return ()
    return (f"{digest}:{layer}", digest) if layer else (digest,)


def review_path(spec: AuditSpec) -> str:
    """The review file of a spec: the one that it names, else `reviews/<name>.yaml`."""
    return spec.review or f"reviews/{spec.name}.yaml"


def load_reviews(path: str, on: dt.date) -> tuple[Reviews, bytes | None]:
    """The decisions of a spec's review file and its bytes, to be kept in the run directory.

    A file that is not there yet holds no decisions: it is written after the first run.

    Raises:
        SpecError: the file is not YAML data or not a review; every problem with its place.
    """
    if not Path(path).is_file():
        return Reviews(on=on), None
    text = read_review_text(path)
    return reviews_on(on, parse_review(text, path)), text.encode()


def read_review_text(path: str) -> str:
    """A review file's text, exactly as its bytes have it.

    Raises:
        SpecError: it cannot be read, is no UTF-8 text, or is too large to be a review.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise SpecError(f"{path} is too large to be a review file")
        return Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"the review file {path} cannot be read: {error}") from error


def parse_review(text: str, label: str) -> Review:
    """A review file's content.

    Raises:
        SpecError: it is not YAML data or not a review; every problem with its place.
    """
    node = read_yaml(text, label)
    places, problems = Places((node,)), []
    try:
        content = canonical_json(without_blanks(node.mapping()))
        review = Review.model_validate_json(content)
    except ValidationError as error:
        details = error.errors()[:MOST_PROBLEMS]
        problems = [located(places, detail["loc"], detail) for detail in details]
    problems += unfilled(places, node)
    if problems:
        raise SpecError(f"{label} is not a review file", problems=problems)
    return review


def without_blanks(content: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The file without its blanks: `date:` with nothing behind it is left to be filled in."""
    kept: dict[str, JsonValue] = {
        key: without_blanks(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if value is not None
    }
    if isinstance(entries := content.get("findings"), Mapping):
        empty: dict[str, JsonValue] = {name: {} for name, entry in entries.items() if entry is None}
        kept["findings"] = {**cast("dict[str, JsonValue]", kept["findings"]), **empty}
    return kept


def unfilled(places: Places, node: Node) -> Iterator[Problem]:
    """Decisions that do not say who decided, when, or on what; a sign-off filled in by half."""
    findings = node.child("findings")
    entries = findings.children() if findings is not None else {}
    for name, entry in entries.items():
        if entry.children() and not is_empty(entry, "decision"):
            for key in ("evidence_digest", "reviewer", "date"):
                if is_empty(entry, key):
                    hint = BIND if key == "evidence_digest" else None
                    message = f"`{key}` is missing"
                    yield places.problem(("findings", name), message, hint=hint, key=True)
    signoff = node.child("signoff")
    parts = ("name", "role", "date", "findings_digest")
    if signoff is not None and any(not is_empty(signoff, key) for key in parts[:3]):
        for key in parts:
            if is_empty(signoff, key):
                yield places.problem(("signoff",), f"`{key}` is missing", hint=SIGN, key=True)


def is_empty(node: Node, key: str) -> bool:
    child = node.child(key)
    return child is None or not str("" if child.value is None else child.value).strip()


BIND = "leave `decision` empty and run `auditor review RUN`: it writes the digest of the evidence"
SIGN = "a sign-off has a name, a role, a date and the digest of the findings that were signed"


def located(places: Places, path: tuple[str | int, ...], detail: Mapping[str, object]) -> Problem:
    """A pydantic error as a problem with its place and the next move."""
    kind, message, value = str(detail["type"]), str(detail["msg"]), detail["input"]
    if not path:  # such as a number with a thousand digits: YAML takes it, JSON does not
        return places.problem(path, message[0].lower() + message[1:])
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
    models: dict[str | int, type[SpecModel]] = {"features": FeatureName, "signoff": Signoff}
    return tuple(models.get(path[0], Decision).model_fields)


KEYS = {
    2: (
        "this names nothing that features come from",
        "copy it from the report: a digest of 64 letters and digits, `:` and the layer",
    ),
    3: ("this is no number of a feature", 'write its position in quotes, such as "17"'),
}
"""What is wrong with a key, and what to do, by how deep it stands."""
