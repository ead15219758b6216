"""Rules written out: families and tables become one rule per pair, and contradictions show."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product
from pathlib import Path as FilePath
from typing import get_args

from auditor.catalog import AuditSpec
from auditor.compose.place import Path, Places
from auditor.compose.validation import MOST_PROBLEMS
from auditor.context import Rule
from auditor.errors import Location, Problem
from auditor.near import suggest
from auditor.spec.rule import RELATIONS, RuleSpec, Severity

COLUMNS = ("a", "b", "expect", "severity", "why")
REQUIRED = COLUMNS[:3]


@dataclass
class RuleBook:
    """The rules of a spec, one per pair, and what is wrong with them.

    Attributes:
        rules: In the order of the spec.
        problems: Unknown names, self rules, contradictions, unusable tables.
        warnings: Rules that say the same twice.
    """

    spec: AuditSpec
    places: Places
    rules: dict[frozenset[str], Rule] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, rule: Rule, path: Path) -> None:
        """Take a rule in, unless it contradicts or repeats an earlier one about its pair."""
        pair = frozenset((rule.a, rule.b))
        first = self.rules.setdefault(pair, rule)
        if first is rule:
            return
        if (first.expect, first.severity) == (rule.expect, rule.severity):
            self.warnings.append(
                f"rule {rule.id} repeats rule {first.id} about {rule.a} and {rule.b}; "
                "the first is kept"
            )
            return
        differs = "expect" if first.expect != rule.expect else "severity"
        ours, theirs = (
            (rule.expect, first.expect) if differs == "expect" else (rule.severity, first.severity)
        )
        where = f" ({first.location})" if first.location else ""
        self.complain(
            rule,
            path,
            f"contradicts rule `{first.id}`{where} about {rule.a} and {rule.b}: "
            f"{differs} `{ours}` against `{theirs}`",
            "keep one of the two; `null` removes a rule of a config group",
        )

    def complain(self, rule: Rule, path: Path, message: str, hint: str | None) -> None:
        """A problem with a rule: at its row of a table, else at its place in the spec."""
        found = self.places.problem(path, message, hint=hint, key=path[-1] == rule.id)
        if path[-1] == "file":
            found = Problem(message, path=found.path, location=rule.location, hint=hint)
        self.problems.append(found)


def write_out(spec: AuditSpec, places: Places) -> RuleBook:
    """All rules of a spec, one per pair, with the problems found on the way."""
    book = RuleBook(spec, places)
    for name, rule in spec.rules.items():
        if rule is None or len(book.problems) > MOST_PROBLEMS:
            continue
        path: Path = ("rules", name)
        if rule.file is not None:
            read_table(book, rule, name)
            continue
        relation_problem(book, rule.expect or "", (*path, "expect"))
        if names_fit(book, rule, path):
            location = places.location(path)
            for a, b in rule.pairs():
                one = Rule(name, a, b, rule.expect or "", rule.severity, rule.why, location)
                book.add(one, path)
    return book


def names_fit(book: RuleBook, rule: RuleSpec, path: Path) -> bool:
    """Whether all names of a rule exist and no pair is an attribute with itself."""
    before = len(book.problems)
    sides = named(rule)
    strange = (entry for side in sides for entry in side if entry[1] not in book.spec.attributes)
    for place, name in islice(strange, MOST_PROBLEMS + 1):
        attribute_problem(book, name, (*path, *place))
    pairs = product(*sides) if rule.between is not None else combinations(sides[0], 2)
    selves = {second[0]: second[1] for first, second in pairs if first[1] == second[1]}
    for place, name in selves.items():
        book.problems.append(
            book.places.problem(
                (*path, *place),
                f"a rule between `{name}` and itself says nothing",
                hint="a rule is about two different attributes",
            )
        )
    if rule.among is not None and len(rule.among) < 2:
        book.problems.append(
            book.places.problem((*path, "among"), "a family needs at least two attributes")
        )
    return len(book.problems) == before


def named(rule: RuleSpec) -> list[list[tuple[Path, str]]]:
    """The attribute names of each side of a rule, with their paths inside the rule."""
    if rule.between is None:
        return [[(("among", i), name) for i, name in enumerate(rule.among or ())]]
    sides: list[list[tuple[Path, str]]] = []
    for number, side in enumerate(rule.between):
        if isinstance(side, str):
            sides.append([(("between", number), side)])
        else:
            sides.append([(("between", number, i), name) for i, name in enumerate(side)])
    return sides


def attribute_problem(book: RuleBook, name: str, path: Path) -> None:
    """An attribute that does not exist, with the nearest one that does."""
    hint = suggest(name, book.spec.attributes, "attribute")
    book.problems.append(book.places.problem(path, f"there is no attribute `{name}`", hint=hint))


def relation_problem(book: RuleBook, name: str, path: Path) -> None:
    """A relation that is neither built in nor declared."""
    known = [*RELATIONS, *book.spec.relations]
    if name not in known:
        book.problems.append(
            book.places.problem(
                path, f"there is no relation `{name}`", hint=suggest(name, known, "relation")
            )
        )


def read_table(book: RuleBook, rule: RuleSpec, name: str) -> None:
    """Rules out of a CSV table, each with its row as place."""
    path: Path = ("rules", name, "file")
    label = rule.file or ""
    try:
        with FilePath(label).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            header = list(rows.fieldnames or ())
            if not header_fits(book, header, label, path):
                return
            for row in rows:
                if len(book.problems) > MOST_PROBLEMS:
                    return
                inner = sum(value.count("\n") for value in row.values() if isinstance(value, str))
                row_rule(book, rule, name, row, Location(label, rows.line_num - inner, 1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        book.problems.append(
            book.places.problem(path, f"the rule table cannot be read: {reason}", value=label)
        )


def header_fits(book: RuleBook, header: Sequence[str], label: str, path: Path) -> bool:
    """Whether a table has the columns of a rule table and no others."""
    wrong = [*(f"`{c}` is missing" for c in REQUIRED if c not in header)]
    wrong += [f"`{c}` is unknown" for c in header if c not in COLUMNS]
    if wrong:
        message = f"the columns of the table do not fit: {', '.join(wrong)}"
        hint = "a rule table has the columns a, b, expect and optionally severity and why"
        location = Location(label, 1, 1)
        book.problems.append(
            Problem(message, path=".".join(map(str, path)), location=location, hint=hint)
        )
    return not wrong


def row_rule(
    book: RuleBook,
    family: RuleSpec,
    name: str,
    row: Mapping[str | None, str | list[str] | None],
    place: Location,
) -> None:
    """One row of a table as a rule, if all its values fit."""
    given = {column: str(row.get(column) or "").strip() for column in COLUMNS}
    severity = given["severity"] or family.severity
    rule = Rule(
        name,
        given["a"],
        given["b"],
        given["expect"],
        family.severity,
        given["why"] or family.why,
        place,
    )
    wrong = list(row_problems(book.spec, rule, severity))
    if None in row:
        wrong.append(
            ("the row has more values than the table has columns", "quote commas in texts")
        )
    for message, hint in wrong:
        book.complain(rule, ("rules", name, "file"), message, hint)
    for allowed in get_args(Severity):
        if not wrong and allowed == severity:
            settled = Rule(name, rule.a, rule.b, rule.expect, allowed, rule.why, place)
            book.add(settled, ("rules", name, "file"))


def row_problems(spec: AuditSpec, rule: Rule, severity: str) -> Iterator[tuple[str, str | None]]:
    """Messages and hints about one row."""
    for attribute in dict.fromkeys((rule.a, rule.b)):
        if attribute not in spec.attributes:
            hint = suggest(attribute, spec.attributes, "attribute")
            yield f"there is no attribute `{attribute}`", hint
    if rule.a == rule.b:
        yield f"a rule between `{rule.a}` and itself says nothing", None
    relations = [*RELATIONS, *spec.relations]
    if rule.expect not in relations:
        hint = suggest(rule.expect, relations, "relation")
        yield f"there is no relation `{rule.expect}`", hint
    if severity not in get_args(Severity):
        yield (
            f"there is no severity `{severity}`",
            suggest(severity, get_args(Severity), "severity"),
        )
