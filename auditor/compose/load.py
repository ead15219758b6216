"""From a spec file and overrides to a validated spec. Read `load_spec` from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig
from pydantic import JsonValue, ValidationError

from auditor.catalog import AuditSpec
from auditor.compose import clauses, crosscheck, interpolation, validation
from auditor.compose.composed import Composed
from auditor.compose.folders import open_spec
from auditor.compose.interpolation import DATA_ROOT, resolve
from auditor.compose.merge import merge
from auditor.compose.place import Places
from auditor.compose.rules import write_out
from auditor.compose.salvage import salvage
from auditor.context import Rule
from auditor.errors import Problem, SpecError
from auditor.results.base import digest_of

NEUTRAL = "DATA_ROOT"
"""What `${data_root}` stands for in the digest, so that moving the data changes nothing."""


def load_spec(spec: str | Path, overrides: Sequence[str] = ()) -> Composed:
    """Compose, validate and cross-check a spec.

    Args:
        spec: Path to a YAML file, or the name of a packaged spec.
        overrides: Overrides in Hydra's syntax, such as `engine.device=cuda` or `~audits.filters`.

    Raises:
        SpecError: at the first thing that cannot be composed, or with everything that does not
            validate (of hundreds of problems, with some); each has its place.
    """
    file = open_spec(spec)
    merged = merge(file, overrides)
    complete(merged.config)
    refuse(file.label, interpolation.problems(merged))

    plain = resolve(merged)
    try:
        validated = validation.validate(plain)
    except ValidationError as error:
        raise invalid(file.label, plain, error, merged.places) from error

    book = write_out(validated, merged.places)
    texts, unread = clauses.gather(validated, merged.places)
    refuse(file.label, [*book.problems, *crosscheck.check(validated, merged.places), *unread])

    rules = tuple(book.rules.values())
    neutral = validation.validate(resolve(merged, data_root=NEUTRAL))
    return Composed(
        spec=validated,
        digest=digest(neutral, rules),
        path=file.label,
        source=file.text,
        overrides=tuple(overrides),
        resolved=as_yaml(validated),
        rules=rules,
        clauses=texts,
        warnings=(*crosscheck.warnings(validated), *book.warnings),
    )


def complete(config: DictConfig) -> None:
    """What may be left out: the data root is the current directory, `audits:` alone means none."""
    if DATA_ROOT not in config:
        config[DATA_ROOT] = "."
    if "audits" in config and config["audits"] is None:
        config["audits"] = {}


def refuse(label: str, problems: Sequence[Problem]) -> None:
    """Raise where there are problems."""
    if problems:
        raise not_valid(label, problems)


def invalid(
    label: str, plain: Mapping[str, JsonValue], error: ValidationError, places: Places
) -> SpecError:
    """The problems of a spec that does not validate, those of the cross checks included."""
    problems = validation.problems(error, places)
    rest = salvage(plain, error)
    if rest and rest.rules_whole:
        problems += write_out(rest.spec, places).problems
    if rest and rest.names_whole:
        problems += crosscheck.check(rest.spec, places)
    return not_valid(label, problems)


def not_valid(label: str, problems: Sequence[Problem]) -> SpecError:
    """The problems sorted by place, as many as anybody mends at a time."""
    most, count = validation.MOST_PROBLEMS, len(problems)
    shown = "1 problem" if count == 1 else f"{count} problems" if count <= most else "many problems"
    rest = f", {most} of them below" if count > most else ""
    ordered = sorted(problems, key=validation.order)[:most]
    return SpecError(f"{label} is not valid: {shown}{rest}", problems=ordered)


def digest(spec: AuditSpec, rules: Sequence[Rule]) -> str:
    """SHA-256 of the spec in canonical JSON, without the data root.

    Rules that come from tables are part of it, since the spec holds only the table's name.
    """
    content: dict[str, JsonValue] = spec.model_dump(mode="json", exclude={DATA_ROOT})
    tables = {name for name, rule in spec.rules.items() if rule is not None and rule.file}
    rows: list[JsonValue] = [
        [rule.id, rule.a, rule.b, rule.expect, rule.severity, rule.why]
        for rule in rules
        if rule.id in tables
    ]
    return digest_of({"spec": content, "tables": rows} if rows else content)


def as_yaml(spec: AuditSpec) -> str:
    """The composed spec, interpolations resolved and defaults filled in."""
    content = spec.model_dump(mode="json")
    # Innermost lists and mappings on one line each: the report prints the whole of it.
    text: str = yaml.safe_dump(
        content, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return text
