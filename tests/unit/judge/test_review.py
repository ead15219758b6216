"""Review decisions close findings for as long as their evidence and their date hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from auditor.errors import SpecError
from auditor.judge.review import Reviews, Standing, load_reviews, parse_review
from auditor.results.estimate import Estimate
from auditor.results.finding import make_finding

FINDING = make_finding(
    audit="relationships",
    code="BROKEN_RULE",
    verdict="fail",
    severity="error",
    claim="A claim.",
    subjects=("lipstick", "smiling"),
    estimates={"cosine": Estimate(value=0.5)},
)

FILE = f"""\
version: 1
findings:
  relationships/BROKEN_RULE:lipstick~smiling:
    decision: accepted_risk
    evidence_digest: {FINDING.evidence_digest}
    reviewer: J. Doé
    date: 2026-03-01
    expires: 2026-12-31
    comment: Only used to sort the catalogue.
"""


def standing(text: str, on: date) -> Standing:
    return Reviews(on=on, decisions=parse_review(text, "review.yaml").findings).standing(FINDING)


@pytest.mark.parametrize(
    ("ruling", "expected"),
    [
        ("confirmed", "open"),
        ("accepted_risk", "closed"),
        ("false_alarm", "closed"),
        ("mitigated", "closed"),
    ],
)
def test_decisions_close_findings(ruling: str, expected: Standing) -> None:
    assert standing(FILE.replace("accepted_risk", ruling), date(2026, 6, 1)) == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2026, 12, 31), "closed"), (date(2027, 1, 1), "expired")],
)
def test_a_decision_holds_to_its_last_day(on: date, expected: Standing) -> None:
    assert standing(FILE, on) == expected


def test_without_expiry_a_decision_holds() -> None:
    assert standing(FILE.replace("    expires: 2026-12-31\n", ""), date(2099, 1, 1)) == "closed"


def test_changed_evidence_makes_a_decision_stale() -> None:
    assert standing(FILE.replace(FINDING.evidence_digest, "f" * 64), date(2026, 6, 1)) == "stale"


def test_a_finding_nobody_spoke_of_is_open() -> None:
    assert standing("version: 1\n", date(2026, 6, 1)) == "open"


def test_the_bytes_of_the_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    path.write_text(FILE)
    reviews, content = load_reviews(str(path), on=date(2026, 6, 1))
    assert content == FILE.encode()
    assert reviews.standing(FINDING) == "closed"


def test_a_file_that_is_not_there_yet_holds_no_decisions(tmp_path: Path) -> None:
    reviews, content = load_reviews(str(tmp_path / "review.yaml"), on=date(2026, 6, 1))
    assert content is None
    assert reviews.standing(FINDING) == "open"


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("accepted_risk", "acepted_risk", "4:15", "did you mean `accepted_risk`"),
        ("reviewer", "reviwer", "6:5", "did you mean `reviewer`"),
        ("date: 2026-03-01", "date: 2026-13-01", "7:11", "date"),
        ("    date: 2026-03-01\n", "", "3:3", "`date` is missing"),
        (FINDING.evidence_digest, "3f5a", "5:22", "pattern"),
        ("version: 1", "version: 2", "1:10", "version"),
        ("    date", "    decision: mitigated\n    date", "7:5", "twice"),
        ("J. Doé", "!!python/name:os.system x", "6:15", "tag"),
        ("J. Doé", "[unclosed", "7:9", "YAML syntax"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, place: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_review(FILE.replace(old, new, 1), "review.yaml")
    assert words in str(caught.value)
    assert f"review.yaml:{place}" in str(caught.value)


def test_all_problems_come_at_once() -> None:
    broken = FILE.replace("accepted_risk", "ok").replace("reviewer", "who")
    with pytest.raises(SpecError) as caught:
        parse_review(broken, "review.yaml")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe", b"- a list\n", b"findings: 3\nversion: 1\n"])
def test_a_file_that_is_no_review_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "review.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"review\.yaml"):
        load_reviews(str(path), on=date(2026, 6, 1))


DIGEST = "9b1d" + "0" * 60

FEATURES = f"""\
version: 1
features:
  "{DIGEST}:relu4":
    "17":
      name: smile
      kind: spurious
      reviewer: J. Doe
      date: 2026-03-01
  "{DIGEST}":
    "17":
      name: face
    "4":
      name: buckle
      kind: causal
"""


def names(text: str, digest: str | None, layer: str | None) -> dict[int, str]:
    reviews = Reviews(on=date(2026, 6, 1), features=parse_review(text, "review.yaml").features)
    return {number: said.name for number, said in reviews.names(digest, layer).items()}


@pytest.mark.parametrize(
    ("digest", "layer", "expected"),
    [
        (DIGEST, "relu4", {17: "smile", 4: "buckle"}),
        (DIGEST, "relu3", {17: "face", 4: "buckle"}),
        (DIGEST, None, {17: "face", 4: "buckle"}),
        ("a" * 64, "relu4", {}),
        (None, "relu4", {}),
    ],
)
def test_names_hold_for_their_network_and_layer(
    digest: str | None, layer: str | None, expected: dict[int, str]
) -> None:
    assert names(FEATURES, digest, layer) == expected


def test_names_are_loaded_beside_decisions(tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    path.write_text(FEATURES)
    reviews, _ = load_reviews(str(path), on=date(2026, 6, 1))
    assert reviews.names(DIGEST, "relu4")[17].kind == "spurious"


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("spurious", "spurius", "6:13", "did you mean `spurious`"),
        ("      reviewer", "      reviwer", "7:7", "did you mean `reviewer`"),
        ("      name: smile\n", "", "4:5", "`name` is missing"),
        ('"17"', "17", "4:5", 'put it in quotes: "17"'),
        ('"17"', '"seventeen"', "4:5", "no number of a feature"),
        (f"{DIGEST}:relu4", "robust", "3:3", "copy it from the report"),
        ("date: 2026-03-01", "date: soon", "8:13", "date"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_with_its_place(
    old: str, new: str, place: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_review(FEATURES.replace(old, new, 1), "review.yaml")
    assert words in str(caught.value)
    assert f"review.yaml:{place}" in str(caught.value)
