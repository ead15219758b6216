"""The clause maps of a spec: packaged ones by name, a user's own by the path of its file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from auditor.catalog import AuditSpec
from auditor.compose import validation
from auditor.compose.place import Places
from auditor.compose.yaml_file import read_text, read_yaml
from auditor.errors import Problem, SpecError
from auditor.near import suggest
from auditor.resources import specs_dir
from auditor.results.base import canonical_json
from auditor.spec.clauses import Framework
from auditor.spec.report import framework_id, is_file


def packaged_frameworks() -> list[str]:
    """Names of the packaged clause maps."""
    return sorted(path.stem for path in (specs_dir() / "clauses").glob("*.yaml"))


def gather(spec: AuditSpec, places: Places) -> tuple[dict[str, str], list[Problem]]:
    """The text of every clause map that the report names, by id, and what is wrong with them.

    A user's own file is checked from top to bottom; packaged ones are the package's own.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    packaged = packaged_frameworks()
    for index, entry in enumerate(spec.report.clauses):
        try:
            if is_file(entry):
                text = read_text(Path(entry), entry)
                parse_framework(text, entry)
            elif entry in packaged:
                text = (specs_dir() / "clauses" / f"{entry}.yaml").read_text(encoding="utf-8")
            else:
                raise SpecError(
                    f"there is no clause map `{entry}`", hint=suggest(entry, packaged, "clause map")
                )
        except SpecError as error:
            here = places.problem(("report", "clauses", index), error.message, hint=error.hint)
            problems += [*error.problems] or [here]
            continue
        texts[framework_id(entry)] = text
    return texts, problems


@lru_cache(maxsize=8)
def parse_framework(text: str, label: str) -> Framework:
    """A clause map's content.

    Raises:
        SpecError: it is not YAML data or not a clause map; every problem with its place.
    """
    node = read_yaml(text, label)
    try:
        return Framework.model_validate_json(canonical_json(node.plain()))
    except ValidationError as error:
        problems = validation.problems(error, Places((node,)), root=Framework)
        raise SpecError(f"{label} is not a clause map", problems=problems) from error
