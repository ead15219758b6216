"""A run as one audience may see it: the internal report shows all of it, an external one less.

Everything that leaves the run directory is made from what `for_audience` returns: pages, what a
PDF carries, and exports. In every mode but `full`

- samples and pictures go by pseudonyms, keyed with a secret that stays in the run directory;
  with a plain digest, whoever has a photo or a list of file names could try which of them it was,
- paths that do not start from the folder of the run's start are hashed the same way,
- what an input said when it broke is not told, because it may name anything.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import BaseModel

from auditor.audits.filters.result import FiltersResult
from auditor.catalog import AnyResult, AuditSpec
from auditor.compose.load import as_yaml
from auditor.compose.validation import validate
from auditor.redaction import (
    WHOLE,
    redact_argument,
    redact_command,
    redact_text,
    redact_tree,
    suffix,
)
from auditor.report.images import ImageMode
from auditor.results.base import canonical_json
from auditor.results.run_record import AuditRecord, Quarantined, RunRecord
from auditor.store.reader import Run

Model = TypeVar("Model", bound=BaseModel)

DIGITS = 10
"""Of a pseudonym; with 40 bits, two of a million samples share one in one run out of two."""

NOT_TOLD = "told in the run directory alone, since it may name files or pictures"

KEYED = (
    "Samples, pictures and paths go by digests that are keyed with a secret of the run: whoever "
    "holds the run directory can tell what is meant, and nobody else can try a photo or a name on "
    "them."
)

ABOUT: dict[ImageMode, str] = {
    "full": "",
    "blurred": f"This report is written for others: pictures are shown blurred. {KEYED}",
    "heatmap_only": "This report is written for others: of pictures it shows heat maps and "
    f"outlines alone. {KEYED}",
    "withheld": f"This report is written for others: pictures are withheld. {KEYED}",
}
"""What a reader has to know about a report that shows less than the run holds."""


@dataclass(frozen=True)
class Pseudonyms:
    """Names in place of names.

    Attributes:
        key: The run's secret.
        samples: Sample ids that the run knows.
        kept: Words of the spec that look like paths and are none, such as classes.
    """

    key: str
    samples: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        telling = sorted(filter(is_telling, self.samples - self.kept), key=len, reverse=True)
        words = "|".join(map(re.escape, telling))
        pattern = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])") if words else None
        object.__setattr__(self, "pattern", pattern)

    def digest(self, kind: str, content: bytes) -> str:
        """HMAC-SHA-256 (RFC 2104) of a name or a picture, in hexadecimal."""
        return hmac.new(self.key.encode(), kind.encode() + b"\0" + content, "sha256").hexdigest()

    def sample(self, sample: str) -> str:
        return f"sample-{self.digest('sample', sample.encode())[:DIGITS]}"

    def picture(self, audit: str, name: str) -> str:
        digest = self.digest("picture", f"{audit}/{name}".encode())
        return f"picture-{digest[:DIGITS]}{suffix(name)}"

    def path(self, path: str) -> str:
        if path in self.kept:
            return path
        return f"path-{self.digest('path', path.encode())[:DIGITS]}{suffix(path)}"

    def value(self, value: str) -> str:
        """A value of a spec: a path as a whole, or text."""
        return self.path(value) if WHOLE.fullmatch(value) else self.text(value)

    def text(self, text: str) -> str:
        """A sentence without the samples and paths in it."""
        if self.pattern is not None:
            text = self.pattern.sub(lambda match: self.sample(match[0]), text)
        return redact_text(text, self.path)


def is_telling(sample: str) -> bool:
    """Whether a sample id can be known in a sentence: `12` may as well be a number."""
    return len(sample) >= (6 if sample.isdigit() else 4)


def pseudonyms(run: Run) -> Pseudonyms:
    """The pseudonyms of a run; without a key of its own, as from an older version, by its id."""
    spec = run.spec
    titles = {text for each in spec.attributes.values() if (text := each.title)}
    return Pseudonyms(
        key=run.record.key or run.record.run_id,
        samples=frozenset(samples_of(run)),
        kept=frozenset({*(spec.dataset.classes or ()), *spec.attributes, *spec.audits, *titles}),
    )


def samples_of(run: Run) -> Iterable[str]:
    """Every sample id that the documents of a run name."""
    yield from (image.sample for image in run.record.quarantined)
    for result in run.results.values():
        if isinstance(result, FiltersResult):
            yield from (sample for card in result.cards for sample in card.samples)


def for_audience(run: Run, mode: ImageMode) -> Run:
    """The run as a report with this mode may show it.

    Its pictures still come from the run directory: how far they are shown is for `Plates`.
    """
    if mode == "full":
        return run
    names = pseudonyms(run)
    spec = shown_spec(run.spec, names)
    renamed = {
        (audit, names.picture(audit, picture)): picture
        for audit in run.results
        for picture in run.image_names(audit)
    }
    evidence = {
        run.paths.relative(run.paths.audit(audit).image(old)): run.paths.relative(
            run.paths.audit(audit).image(new)
        )
        for (audit, new), old in renamed.items()
    }
    return replace(
        run,
        record=shown_record(run.record, names),
        spec=spec.model_copy(update={"report": spec.report.model_copy(update={"images": mode})}),
        rules=tuple(
            replace(
                rule,
                why=names.text(rule.why),
                location=rule.location
                and replace(rule.location, file=names.value(rule.location.file)),
            )
            for rule in run.rules
        ),
        source=shown_source(run.source, names),
        resolved=run.resolved if spec == run.spec else as_yaml(spec),
        plan_text=names.text(run.plan_text),
        findings=tuple(rewritten(finding, names, evidence) for finding in run.findings),
        results={
            audit: shown_result(audit, result, names, renamed)
            for audit, result in run.results.items()
        },
        review=run.review and names.text(run.review.decode(errors="replace")).encode(),
        comparison=run.comparison and rewritten(run.comparison, names),
        clauses={clause: names.text(text) for clause, text in run.clauses.items()},
        pictures=renamed,
    )


def shown_spec(spec: AuditSpec, names: Pseudonyms) -> AuditSpec:
    content = spec.model_dump(mode="json")
    return validate(redact_tree(content, names.value))


def shown_source(source: str, names: Pseudonyms) -> str:
    """The spec file line by line, so that places in it stay what they are."""
    path = re.compile(r"^([^#]*?[:-]\s+)(['\"]?)(\S.*?)\2\s*$")

    def line(text: str) -> str:
        found = path.match(text)
        if found is not None and names.value(found[3]) != names.text(found[3]):
            return f"{found[1]}{names.value(found[3])}"
        return names.text(text)

    return "\n".join(map(line, source.split("\n")))


def shown_record(record: RunRecord, names: Pseudonyms) -> RunRecord:
    """The record without sample ids, paths, and what inputs said when they broke."""
    came = record.provenance
    failure = record.failure
    if failure is not None and not failure.startswith("failed audits: "):
        failure = f"{failure.partition(':')[0]}, {NOT_TOLD}"
    told = came.model_copy(
        update={
            "command": redact_command(came.command, names.path),
            "overrides": tuple(redact_argument(o, names.path) for o in came.overrides),
            "inputs": tuple(
                each.model_copy(update={"name": names.value(each.name)}) for each in came.inputs
            ),
        }
    )
    return record.model_copy(
        update={
            "key": None,
            "title": names.text(record.title),
            "failure": failure,
            "provenance": told,
            "audits": tuple(map(shown_audit, record.audits)),
            "quarantined": tuple(
                Quarantined(sample=names.sample(q.sample), split=q.split, reason=NOT_TOLD)
                for q in record.quarantined
            ),
        }
    )


def shown_audit(audit: AuditRecord) -> AuditRecord:
    return audit if audit.status != "failed" else audit.model_copy(update={"reason": NOT_TOLD})


def shown_result(
    audit: str,
    result: AnyResult,
    names: Pseudonyms,
    renamed: Mapping[tuple[str, str], str],
) -> AnyResult:
    """A result whose samples and pictures go by their pseudonyms."""
    pictures = {old: new for (owner, new), old in renamed.items() if owner == audit}
    if isinstance(result, FiltersResult):
        cards = tuple(
            card.model_copy(update={"samples": tuple(map(names.sample, card.samples))})
            for card in result.cards
        )
        result = result.model_copy(update={"cards": cards})
    return rewritten(result, names, pictures)


def rewritten(model: Model, names: Pseudonyms, pictures: Mapping[str, str] | None = None) -> Model:
    """The same with every text in it as it may be shown."""
    known = pictures or {}
    content = model.model_dump(mode="json")
    told = redact_tree(content, lambda text: known.get(text) or names.text(text))
    if told == content:
        return model
    return type(model).model_validate_json(canonical_json(told))
