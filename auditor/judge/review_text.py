"""What `auditor review` writes into a review file: entries with empty fields, and its own comments.

Everything here is lines without their indentation; `review_file` finds their place.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from auditor.judge.evidence import evidence_words, what_changed
from auditor.judge.review import Decision
from auditor.results.finding import Finding, findings_digest
from auditor.spec.rule import Severity
from auditor.wording import plain, sentence

OWN = "#."
"""What the tool's own comments begin with, as in gettext's catalogues."""

PLAIN_KEY = re.compile(r"[a-z][A-Za-z0-9_/:.=~-]*[A-Za-z0-9]")
LONGEST_KEY = 900
"""Characters: YAML allows a key of 1,024 before its colon, and longer ones behind a `?` alone."""

WIDTH = 96
STEP = 2

VERDICTS = {"fail": "Failed", "warn": "Warning"}
"""Findings that get an entry, in this order."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

HEADER = """\
# What people decided about the findings of “{title}”.
#
# `auditor review` adds findings to this file and leaves alone what people write here. Lines that
# begin with `#.` are its own and follow the newest run. An empty `decision` decides nothing.
#
#   decision   confirmed       it is true, and the finding stays open
#              accepted_risk   it is true, and borne knowingly (until `expires`, if that is given)
#              false_alarm     it is not true
#              mitigated       it is dealt with outside the model
#   name, kind                 what the finding's feature shows; spurious | causal | unsure
#
# A decision holds for the evidence that it was based on. Where a new run changes the evidence, the
# finding is open again and says what changed; to decide again, copy the new digest.

version: 1

"""


def listed(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that need a person: what failed, then what warned, the gravest first."""
    order = list(VERDICTS)
    return sorted(
        (finding for finding in findings if finding.verdict in VERDICTS),
        key=lambda f: (order.index(f.verdict), SEVERITIES.index(f.severity)),
    )


def entries_lines(findings: Sequence[Finding]) -> list[str]:
    """Entries of findings with every field left empty, a blank line between two."""
    return [line for finding in findings for line in ("", *entry_lines(finding))][1:]


def entry_lines(finding: Finding) -> Iterator[str]:
    yield from claim_lines(finding)
    key = scalar(finding.id)
    yield from [f"{key}:"] if len(key) <= LONGEST_KEY else [f"? {key}", ":"]
    about_feature = ("name", "kind") if "feature" in finding.estimates else ()
    fields = ("decision", "reviewer", "date", "expires", "comment", *about_feature)
    yield from (f"{' ' * STEP}{name}:" for name in fields)
    yield f"{' ' * STEP}evidence_digest: {finding.evidence_digest}"
    yield f"{' ' * STEP}based_on: {flow(evidence_words(finding))}"


def claim_lines(finding: Finding) -> list[str]:
    verdict = VERDICTS.get(finding.verdict)
    if verdict is None:
        said = "Passed now" if finding.verdict == "pass" else "Could not be decided this time"
        return own(f"{said}: {sentence(plain(finding.claim))}")
    return own(f"{verdict} ({finding.severity}): {sentence(plain(finding.claim))}")


def changed_lines(decision: Decision, finding: Finding) -> list[str]:
    """What changed since a decision, and how to decide again."""
    changes = what_changed(decision.based_on, finding)
    told = f": {'; '.join(changes)}" if changes else ""
    return [
        *own(f"The evidence has changed since this decision{plain(told)}."),
        *own("To decide again, write the new date and the new digest:"),
        f"{OWN}   evidence_digest: {finding.evidence_digest}",
    ]


def signoff_lines(findings: Sequence[Finding]) -> list[str]:
    return [
        *signing_lines(),
        "signoff:",
        *(f"{' ' * STEP}{name}:" for name in ("name", "role", "date")),
        f"{' ' * STEP}findings_digest: {findings_digest(findings)}",
    ]


def signing_lines() -> list[str]:
    return own("To sign the run, fill in name, role and date. The digest stands for its findings.")


def resigning_lines(digest: str) -> list[str]:
    changed = "The findings have changed since this sign-off. To sign again, write the new date and"
    return [*own(f"{changed} the new digest:"), f"{OWN}   findings_digest: {digest}"]


def own(text: str) -> list[str]:
    """Comment lines of the tool's own."""
    return [f"{OWN} {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False)]


def scalar(text: str) -> str:
    """A key or value of one line, in quotes where YAML might take it for something else."""
    if PLAIN_KEY.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)


def flow(words: Mapping[str, str]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{scalar(k)}: {json.dumps(v)}" for k, v in words.items()) + "}"
