"""Writes and refreshes a review file, and leaves what people wrote as it is, byte for byte.

The file is edited as text, at places that the YAML parser names: new findings go below the key
`findings`, and three things of the tool's own are kept up to date:

    comments that begin with `#.`      the claim of a finding, and what changed since a decision
    evidence_digest and based_on       of entries that nobody has decided yet
    findings_digest                    of a sign-off that nobody has signed yet

What comes out is read again and must mean what went in plus the new; a file that is written in a
way that does not allow it (aliases, findings inside braces) is refused and left alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import yaml
from omegaconf._utils import get_yaml_loader

from auditor.errors import Location, Problem, SpecError
from auditor.judge.evidence import evidence_words
from auditor.judge.review import Decision, Review, Signoff, parse_review
from auditor.judge.review_text import (
    HEADER,
    OWN,
    STEP,
    changed_lines,
    claim_lines,
    entries_lines,
    flow,
    listed,
    resigning_lines,
    signing_lines,
    signoff_lines,
)
from auditor.results.finding import Finding, findings_digest
from auditor.wording import plain

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where PyYAML ends a line."""


class Edit(NamedTuple):
    """Text that takes the place of `[start, end)`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Refreshed:
    """A review file brought up to date.

    Attributes:
        text: The whole file.
        review: What it says.
        added: Ids of findings that are new in it.
    """

    text: str
    review: Review
    added: tuple[str, ...]


def new_review(title: str, findings: Sequence[Finding], label: str) -> Refreshed:
    """The review file of a run that has none yet, with every field left empty."""
    added = listed(findings)
    entries = [f"{' ' * STEP}{line}".rstrip() for line in entries_lines(added)]
    lines = [*signoff_lines(findings), "", "findings:", *entries]
    text = HEADER.format(title=plain(title)) + "\n".join(lines) + "\n"
    return Refreshed(text, parse_review(text, label), tuple(finding.id for finding in added))


def refresh_review(text: str, findings: Sequence[Finding], label: str) -> Refreshed:
    """An existing review file with the findings of a run added.

    Args:
        text: The file as it is.
        findings: Every check of the run, the passed ones included.
        label: Its name in errors.

    Raises:
        SpecError: it is not a review, or cannot be extended without touching what people wrote.
    """
    before = parse_review(text, label)
    added = [finding for finding in listed(findings) if finding.id not in before.findings]
    try:
        changed = applied(text, edits_of(text, before, findings, added))
        after = parse_review(changed, label)
    except (ValueError, SpecError) as error:
        raise refused(label) from error
    if after != expected(before, findings, added):
        raise refused(label)
    return Refreshed(changed, after, tuple(finding.id for finding in added))


def edits_of(
    text: str, before: Review, findings: Sequence[Finding], added: Sequence[Finding]
) -> list[Edit]:
    """Everything to change in a file.

    Raises:
        ValueError: there is no place for it.
    """
    file = File(text, dict(entries_of(get_yaml_loader()(text).get_single_node())))
    if "version" not in file.top:
        raise ValueError("the version is not written here")
    return [
        *signoff_edits(file, before.signoff, findings),
        *finding_edits(file, before, findings),
        *adding_edits(file, added),
    ]


def refused(label: str) -> SpecError:
    problem = Problem(
        "it is written in a way that cannot be extended without touching what people wrote",
        location=Location(label, 1, 1),
        hint="write the keys and the findings one below the other, without braces, anchors and "
        "aliases; or move the file away, run `auditor review` again and copy the decisions over",
    )
    return SpecError(f"{label} was left as it is", problems=[problem])


def expected(before: Review, findings: Sequence[Finding], added: Sequence[Finding]) -> Review:
    """What the file has to mean once it is refreshed."""
    now = {finding.id: finding for finding in findings}
    kept = {
        name: bound(decision, now[name]) if name in now and decision.decision is None else decision
        for name, decision in before.findings.items()
    }
    new = {finding.id: bound(Decision(), finding) for finding in added}
    signoff = before.signoff
    if not signoff.is_signed:
        signoff = signoff.model_copy(update={"findings_digest": findings_digest(findings)})
    return before.model_copy(update={"findings": {**kept, **new}, "signoff": signoff})


def bound(decision: Decision, finding: Finding) -> Decision:
    """An entry that nobody has decided, with the evidence as it is now."""
    if decision.evidence_digest == finding.evidence_digest:
        return decision
    evidence = {
        "evidence_digest": finding.evidence_digest,
        "based_on": evidence_words(finding),
    }
    return decision.model_copy(update=evidence)


@dataclass(frozen=True)
class File:
    """A review file as text and as YAML nodes: top-level key -> its nodes."""

    text: str
    top: Mapping[str, tuple[yaml.Node, yaml.Node]]

    @cached_property
    def breaks(self) -> tuple[tuple[int, int], ...]:
        """Where each line break begins and ends."""
        return tuple(found.span() for found in BREAK.finditer(self.text))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each line begins."""
        return (0, *(end for _, end in self.breaks))

    @property
    def newline(self) -> str:
        """How the file ends its lines."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def line_start(self, index: int) -> int:
        return self.starts[bisect_right(self.starts, index) - 1]

    def line_end(self, index: int) -> int:
        line = bisect_right(self.starts, index) - 1
        return self.breaks[line][0] if line < len(self.breaks) else len(self.text)

    def column(self, node: yaml.Node) -> int:
        """Spaces before a key, whether or not a `?` stands in front of it."""
        start = self.line_start(node.start_mark.index)
        line = self.text[start : node.start_mark.index]
        return len(line) - len(line.lstrip(" "))

    def inserted(self, index: int, lines: Iterable[str]) -> Edit:
        """Lines behind the line that an index stands in."""
        end = self.line_end(index)
        return Edit(end, end, "".join(f"{self.newline}{line}" for line in lines))

    def filled(
        self, key: yaml.Node, value: yaml.Node, lines: Sequence[str], *, gap: Sequence[str] = ()
    ) -> Iterator[Edit]:
        """Lines below a key and above what stands there; `{}`, `null` or nothing gives way.

        Args:
            key: The key.
            value: Its value.
            lines: What to add, without indentation.
            gap: Lines between these and what stands there.
        """
        children = list(entries_of(value))
        column = self.column(children[0][1][0]) if children else self.column(key) + STEP
        shifted = [f"{' ' * column}{line}".rstrip() for line in lines]
        if children:
            yield self.inserted(key.end_mark.index, [*shifted, *gap])
            return
        start, end = value.start_mark.index, value.end_mark.index
        if end > start:
            yield Edit(start, end, "")
        yield self.inserted(end, shifted)


def entries_of(node: yaml.Node | None) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
    """The entries of a mapping by key; none of anything else."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, (key, value)) for key, value in node.value)


def adding_edits(file: File, added: Sequence[Finding]) -> Iterator[Edit]:
    """New findings, below the key `findings` and above what stands there."""
    lines = entries_lines(added)
    if not lines:
        return
    if "findings" in file.top:
        yield from file.filled(*file.top["findings"], lines, gap=[""])
    else:
        key, value = file.top["version"]
        indent = " " * file.column(key)
        shifted = [f"{indent}{' ' * STEP}{line}".rstrip() for line in lines]
        yield file.inserted(value.end_mark.index, [f"{indent}findings:", *shifted])


def finding_edits(file: File, before: Review, findings: Sequence[Finding]) -> Iterator[Edit]:
    """Comments above entries, and the evidence of those that nobody has decided."""
    now = {finding.id: finding for finding in findings}
    _, entries = file.top.get("findings", (None, None))
    for name, (key, value) in entries_of(entries):
        if name not in now or name not in before.findings:
            continue
        decision, lines = before.findings[name], claim_lines(now[name])
        if decision.decision is None:
            yield from evidence_edits(file, (key, value), decision, now[name])
        elif decision.evidence_digest != now[name].evidence_digest:
            lines += changed_lines(decision, now[name])
        yield from comment_edits(file, key, lines)


def evidence_edits(
    file: File, entry: tuple[yaml.Node, yaml.Node], decision: Decision, finding: Finding
) -> Iterator[Edit]:
    """Digest and numbers of an entry that nobody has decided, as they are now."""
    if decision.evidence_digest != finding.evidence_digest:
        new = {
            "evidence_digest": finding.evidence_digest,
            "based_on": flow(evidence_words(finding)),
        }
        yield from owned_edits(file, entry, new)


def signoff_edits(file: File, signoff: Signoff, findings: Sequence[Finding]) -> Iterator[Edit]:
    """Room to sign where there is none, and the digest of what would be signed."""
    digest = findings_digest(findings)
    if "signoff" not in file.top:
        key, value = file.top["version"]
        indent = " " * file.column(key)
        lines = [f"{indent}{line}" for line in signoff_lines(findings)]
        yield file.inserted(value.end_mark.index, ["", *lines, ""])
        return
    key, value = file.top["signoff"]
    if not signoff.is_signed:
        yield from comment_edits(file, key, signing_lines())
        if signoff.findings_digest != digest:
            yield from owned_edits(file, (key, value), {"findings_digest": digest})
    else:
        stale = signoff.findings_digest != digest
        yield from comment_edits(file, key, resigning_lines(digest) if stale else [])


def owned_edits(
    file: File, entry: tuple[yaml.Node, yaml.Node], new: Mapping[str, str]
) -> Iterator[Edit]:
    """Values of the tool's own, in place where they stand and added where they do not.

    Raises:
        ValueError: a comment stands inside one of them.
    """
    key, value = entry
    fields = dict(entries_of(value))
    for name, text in new.items():
        if name in fields:
            yield replaced(file, fields[name][1], text)
    missing = [f"{name}: {text}" for name, text in new.items() if name not in fields]
    if missing and fields and value.flow_style:
        first = value.value[0][0].start_mark.index
        yield Edit(first, first, "".join(f"{each}, " for each in missing))
    elif missing:
        yield from file.filled(key, value, missing)


def replaced(file: File, node: yaml.Node, text: str) -> Edit:
    start, end = node.start_mark.index, last_leaf(node).end_mark.index
    if "#" in file.text[start:end]:
        raise ValueError("a comment would be lost")
    # Behind a bare colon a value needs a space.
    return Edit(start, end, text if end > start else f" {text}")


def last_leaf(node: yaml.Node) -> yaml.Node:
    """What a node's own text ends with: PyYAML counts what follows a block mapping as its part."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return last_leaf(node.value[-1][1])
    return node


def comment_edits(file: File, key: yaml.Node, lines: Sequence[str]) -> Iterator[Edit]:
    """The tool's own comments right above a key, as they should be now."""
    end = file.line_start(key.start_mark.index)
    if file.text[end : key.start_mark.index].replace("?", "").strip(" "):
        return  # inside braces: there is no line of its own to stand above
    indent = " " * file.column(key)
    start = end
    # Deeper lines may belong to a text of many lines; these cannot.
    while start > 0 and file.text.startswith(f"{indent}{OWN}", file.line_start(start - 1)):
        start = file.line_start(start - 1)
    text = "".join(f"{indent}{line}{file.newline}" for line in lines)
    if file.text[start:end] != text:
        yield Edit(start, end, text)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made.

    Raises:
        ValueError: two edits overlap.
    """
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ValueError("two edits overlap")
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])
