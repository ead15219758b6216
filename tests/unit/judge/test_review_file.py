"""A review file is refreshed around what people wrote, and never over it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import SpecError
from auditor.judge.evidence import evidence_words
from auditor.judge.review import Reviews, parse_review, reviews_on
from auditor.judge.review_file import new_review, refresh_review
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, findings_digest, make_finding
from auditor.spec.rule import Severity


def finding(
    name: str,
    verdict: Verdict = "fail",
    *,
    value: float = 0.612,
    severity: Severity = "error",
    claim: str = "The model ties two things.",
    code: str = "BROKEN_RULE",
    feature: bool = False,
) -> Finding:
    cosine = Estimate(value=value, low=value - 0.03, high=value + 0.03, level=0.95)
    return make_finding(
        audit="relationships",
        code=code,
        verdict=verdict,
        severity=severity,
        claim=claim,
        subjects=(name, "smiling"),
        estimates={"cosine": cosine, **({"feature": Estimate(value=3.0)} if feature else {})},
    )


HAT, LIPSTICK, BEARD = finding("hat"), finding("lipstick"), finding("beard", "warn")
RUN = [HAT, LIPSTICK, BEARD, finding("tie", "pass"), finding("bow", "inconclusive")]


def reviews(text: str) -> Reviews:
    return reviews_on(date(2026, 6, 1), parse_review(text, "review.yaml"))


def decided(about: Finding, text: str, ruling: str = "accepted_risk") -> str:
    """The file with one entry filled in, as a person would with an editor."""
    head, key, rest = text.partition(f"{about.id}:\n")
    for name, value in (("decision", ruling), ("reviewer", "J. Doe"), ("date", "2026-03-01")):
        rest = rest.replace(f"    {name}:\n", f"    {name}: {value}\n", 1)
    return head + key + rest


def test_a_new_file_has_room_for_every_finding_that_needs_a_person() -> None:
    light = finding("aaa", severity="note")
    made = new_review("Portraits", [light, *RUN], "review.yaml")
    assert made.added == (HAT.id, LIPSTICK.id, light.id, BEARD.id)
    assert "#. Failed (error): The model ties two things.\n" in made.text
    assert "#. Warning (error): The model ties two things.\n" in made.text
    for name in ("decision", "reviewer", "date", "expires", "comment"):
        assert made.text.count(f"    {name}:\n") == 4
    entry = made.review.findings[HAT.id]
    assert (entry.decision, entry.reviewer, entry.date) == (None, "", None)
    assert entry.evidence_digest == HAT.evidence_digest
    assert entry.based_on == {"verdict": "fail", "cosine": "0.612 [0.582, 0.642]"}
    assert made.review.signoff.findings_digest == findings_digest([light, *RUN])
    assert reviews(made.text).standing(HAT) == "open"
    assert reviews(made.text).signed([light, *RUN]) == "absent"


def test_findings_about_a_feature_have_room_for_its_name_and_kind() -> None:
    made = new_review("Portraits", [finding("hat", feature=True), LIPSTICK], "review.yaml")
    assert made.text.count("    name:\n") == made.text.count("    kind:\n") == 1


def test_a_decision_typed_into_the_file_closes_its_finding() -> None:
    text = decided(HAT, new_review("Portraits", RUN, "review.yaml").text)
    assert reviews(text).standing(HAT) == "closed"
    assert reviews(text).holds(HAT)
    assert not reviews(text).holds(LIPSTICK)


def test_refreshing_with_the_same_run_changes_no_byte() -> None:
    text = decided(HAT, new_review("Portraits", RUN, "review.yaml").text)
    again = refresh_review(text, RUN, "review.yaml")
    assert again.text == text
    assert again.added == ()


def test_changed_evidence_is_told_where_the_decision_stands() -> None:
    text = decided(HAT, new_review("Portraits", RUN, "review.yaml").text)
    now = finding("hat", value=0.48)
    again = refresh_review(text, [now, LIPSTICK, BEARD], "review.yaml")
    words = "cosine was 0.612 [0.582, 0.642], is 0.48 [0.45, 0.51]"
    assert words in " ".join(again.text.replace("#.", "").split())
    assert f"#.   evidence_digest: {now.evidence_digest}\n" in again.text
    kept = reviews(again.text)
    assert kept.standing(now) == "stale"
    assert kept.changes(now) == (words,)
    assert kept.decisions[HAT.id] == reviews(text).decisions[HAT.id]
    # Copying the digest, as the comment says, decides again, and the comment goes.
    renewed = again.text.replace(f" {HAT.evidence_digest}", f" {now.evidence_digest}")
    assert reviews(renewed).standing(now) == "closed"
    after = refresh_review(renewed, [now, LIPSTICK, BEARD], "review.yaml").text
    assert "has changed since" not in after


def test_entries_nobody_decided_follow_the_evidence() -> None:
    text = new_review("Portraits", RUN, "review.yaml").text.replace(
        "    comment:\n", "    comment: looks odd\n", 1
    )
    now = finding("hat", value=0.48, claim="The model ties a hat.")
    again = refresh_review(text, [now, LIPSTICK], "review.yaml")
    entry = again.review.findings[HAT.id]
    assert entry.evidence_digest == now.evidence_digest
    assert entry.based_on == evidence_words(now)
    assert entry.comment == "looks odd"
    assert "The model ties a hat." in again.text
    assert "has changed since" not in again.text


def signed(text: str) -> str:
    values = {"name": "A. Person", "role": "Head of risk", "date": "2026-03-02"}
    for name, value in values.items():
        text = text.replace(f"  {name}:\n", f"  {name}: {value}\n", 1)
    return text


def test_a_sign_off_holds_for_the_findings_that_were_signed() -> None:
    text = signed(new_review("Portraits", RUN, "review.yaml").text)
    assert reviews(text).signed(RUN) == "signed"
    now = [finding("hat", value=0.48), *RUN[1:]]
    assert reviews(text).signed(now) == "stale"
    again = refresh_review(text, now, "review.yaml")
    assert again.review.signoff == parse_review(text, "").signoff
    assert f"#.   findings_digest: {findings_digest(now)}" in again.text


def test_what_a_person_finds_no_more_is_said_and_kept() -> None:
    text = decided(HAT, new_review("Portraits", RUN, "review.yaml").text)
    again = refresh_review(text, [finding("hat", "pass", value=0.01)], "review.yaml")
    assert "#. Passed now: The model ties two things." in again.text
    assert again.review.findings[HAT.id].reviewer == "J. Doe"


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\n",
        "version: 1",
        "version: 1\nfindings:",
        "version: 1\nfindings: {}  # none so far\n",
        "version: 1\nfindings: null\nsignoff: ~\n",
        "findings:\nversion: 1 # last\n",
        "---\n  version: 1\n  findings:\n    x/Y:z:\n      decision:\n...\n",
        f"version: 1\nfindings:\n  {HAT.id}:\n",
        f"version: 1\nfindings:\n  {HAT.id}: {{}}\n",
        f"version: 1\nfindings:\n  ? {HAT.id}\n  :\n    evidence_digest: '{'d' * 64}'\n"
        "    based_on:\n      verdict: fail\n      cosine: '1'\n\n    # more\n    comment: later\n",
        f"\ufeffversion: 1\nfindings:\n  {HAT.id}: {{comment: later}}\n".replace("\n", "\r\n"),
    ],
)
def test_short_files_are_filled(text: str) -> None:
    made = refresh_review(text, RUN, "review.yaml")
    assert {HAT.id, LIPSTICK.id, BEARD.id} <= set(made.review.findings)
    assert made.review.findings[HAT.id].evidence_digest == HAT.evidence_digest
    assert refresh_review(made.text, RUN, "review.yaml").text == made.text


@pytest.mark.parametrize(
    "text",
    [
        "{version: 1, findings: {}}\n",
        f"version: 1\nfindings: {{{HAT.id}: {{decision: }}}}\n",
        f"version: 1\nsignoff: &x {{name: }}\nfindings:\n  {HAT.id}: *x\n",
        f"version: 1\nfindings:\n  {HAT.id}:\n    based_on:\n      verdict: fail  # mine\n"
        "      cosine: '1'\n",
        "<<: {version: 1}\n",
    ],
)
def test_what_cannot_be_extended_is_refused_and_not_bent(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        refresh_review(text, RUN, "review.yaml")
    assert "review.yaml:1:1" in str(caught.value)
    assert "one below the other" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["a: b", "#x", "line\nbreak", "\x7f\x85", "'\"", "ünï 😀", "x" * 1500, "- a", "*a", "\u2028"],
)
def test_any_id_can_stand_in_the_file(name: str) -> None:
    odd = finding(name, claim=f"About {name}, # and more: of it.")
    made = new_review("A “title”: #1", [odd, HAT], "review.yaml")
    assert set(made.added) == set(made.review.findings) == {odd.id, HAT.id}
    again = refresh_review("version: 1\nfindings:\n  a/B:c:\n", [odd, HAT], "review.yaml")
    assert odd.id in again.review.findings


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  role: Head of risk\n", "  role:\n", "`role` is missing"),
        ("findings_digest: ", "findings_digest: # ", "`findings_digest` is missing"),
        ("  role:", "  rol:", "did you mean `role`"),
    ],
)
def test_a_sign_off_filled_in_by_half_is_refused(old: str, new: str, words: str) -> None:
    text = signed(new_review("Portraits", RUN, "review.yaml").text)
    with pytest.raises(SpecError, match=words):
        parse_review(text.replace(old, new, 1), "review.yaml")


# --- whatever people write ---------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
COMMENTS = st.lists(WORDS.map(lambda text: f"# {text}"), max_size=2)
RULINGS = ("confirmed", "accepted_risk", "false_alarm", "mitigated")
STYLES = (
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: "'" + text.replace("'", "''") + "'",
    lambda text: "!!str " + json.dumps(text, ensure_ascii=False),
)
CHANGED = finding("hat", value=0.1)
KNOWN = [HAT, LIPSTICK, finding("gone"), finding("other", code="X")]


@st.composite
def entries(draw: st.DrawFn, about: Finding, pad: str) -> list[str]:
    """One entry in some order, some quotes, with comments anywhere."""
    style = lambda text: draw(st.sampled_from(STYLES))(text)  # noqa: E731
    fields = {"comment": style(draw(WORDS)), "name": style(draw(WORDS))}
    if draw(st.booleans()):
        fields |= {"reviewer": style("J. Doe"), "date": "2026-03-01"}
        fields |= {"decision": style(draw(st.sampled_from(RULINGS)))}
        fields |= {"evidence_digest": style(about.evidence_digest)}
        fields |= draw(st.sampled_from([{}, {"based_on": '{verdict: fail, "cosine": "7"}'}]))
    elif draw(st.booleans()):
        fields |= {"decision": draw(st.sampled_from(["", "~", "# still open"]))}
        fields |= {"evidence_digest": draw(st.sampled_from(["", style("a" * 64)]))}
    if draw(st.booleans()):
        mark = draw(st.sampled_from(["|", ">", "|-", "|+", ">+"]))
        fields["comment"] = f"{mark}\n{pad * 3}#. not\n\n{pad * 3}  the tool's: own\n"
    key = draw(st.sampled_from([about.id, f'"{about.id}"', f"'{about.id}'"]))
    lines = [f"{pad}{key}:{draw(st.sampled_from(['', '  # why']))}"]
    for name in draw(st.permutations(list(fields))):
        lines += [f"{pad * 2}{comment}" for comment in draw(COMMENTS)]
        lines += f"{pad * 2}{name}: {fields[name]}".split("\n")
    return lines


@st.composite
def files(draw: st.DrawFn) -> str:
    """A review file as people may have left it."""
    pad = " " * draw(st.integers(1, 5))
    about = draw(st.lists(st.sampled_from(KNOWN), unique_by=lambda one: one.id))
    body = [[*draw(COMMENTS), *draw(entries(one, pad))] for one in about]
    parts = [["version: 1"], ["findings:", *draw(COMMENTS), *chain(*body)]]
    if draw(st.booleans()):
        digest = draw(st.sampled_from(["", "b" * 64]))
        parts.append(["signoff:", f"{pad}findings_digest: {digest}", f"{pad}role:"])
    if draw(st.booleans()):
        parts.append(["features:", f"{pad}{'c' * 64}:", f'{pad * 2}"4": {{name: x}}'])
    lines = list(chain(*(["", *draw(COMMENTS), *part] for part in draw(st.permutations(parts)))))
    end = draw(st.sampled_from(["", "\n", "\n\n# the end", "\n...\n"]))
    return ("\n".join(lines) + end).replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def survives(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether all lines are still there, in their order."""
    left = iter(after)
    return all(any(line == other for other in left) for line in before)


def bare(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in text.splitlines(keepends=True)]


@given(files())
@settings(deadline=None, max_examples=80)
def test_decisions_and_comments_survive_byte_for_byte(text: str) -> None:
    was = parse_review(text, "review.yaml")
    run = [CHANGED, LIPSTICK, BEARD, finding("tie", "pass")]
    made = refresh_review(text, run, "review.yaml")
    of_the_tool = ("evidence_digest", "based_on", "findings_digest")
    theirs = [
        line for line in text.splitlines(keepends=True) if not line.strip().startswith(of_the_tool)
    ]
    assert survives([line.rstrip("\r\n") for line in theirs], bare(made.text))
    if theirs and theirs[-1].endswith("\n"):
        assert survives(theirs, made.text.splitlines(keepends=True))
    for name, decision in was.findings.items():
        now = made.review.findings[name]
        if decision.decision is not None:
            assert now == decision
            assert f"{decision.evidence_digest}" in made.text
        else:
            assert (now.comment, now.name) == (decision.comment, decision.name)
    assert made.review.features == was.features
    assert {CHANGED.id, LIPSTICK.id, BEARD.id} <= set(made.review.findings)
    assert refresh_review(made.text, run, "review.yaml").text == made.text
