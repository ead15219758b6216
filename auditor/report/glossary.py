"""Words that the report uses in a sense of its own, explained without further such words."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.catalog import CODES
from auditor.store.reader import Run

WORDS = (
    (
        "Attribute",
        "Something that is or is not the case in a picture, such as wearing glasses. The model "
        "gives each attribute a score, and a person has labelled it.",
    ),
    (
        "Balanced accuracy",
        "The share of right answers, where pictures with and pictures without the attribute "
        "count equally. Guessing gives 50 %, perfection 100 %.",
    ),
    (
        "Confidence interval",
        "The range in brackets behind a number. In 95 of 100 repetitions with other pictures, "
        "such a range holds the true value.",
    ),
    (
        "Correction for multiple tests",
        "Who checks a hundred rules finds a few exceptions by luck. The method of Benjamini and "
        "Hochberg raises the bar so that among the rules called broken only a small, known share "
        "is expected to be luck.",
    ),
    (
        "Digest",
        "A fingerprint of a file (SHA-256). Any change to the file, however small, gives another.",
    ),
    (
        "Heat map",
        "Shows which parts of an example picture count for an attribute, whether they speak for or "
        "against it: the darker the colour, the more they count.",
    ),
    (
        "Inconclusive",
        "The check was made, but the evidence allows neither a pass nor a fail.",
    ),
    (
        "p-value",
        "How often a pair that is like all others would look at least this unusual by chance. "
        "Small values mean that chance is a poor explanation.",
    ),
    (
        "Robust z",
        "How far a pair lies from the middle of all pairs of its kind, counted in the distance "
        "that such pairs usually have from it. “Robust” means that a few extreme pairs do not "
        "shift the yardstick.",
    ),
    (
        "Rule",
        "A statement about two attributes that a sound model should respect, written down before "
        "the audit.",
    ),
    (
        "Tie",
        "Two attributes are tied when the same parts of the picture speak for both. Its strength "
        "runs from −1 to 1 and is a mean of cosines between the two attributes' patterns of "
        "evidence.",
    ),
)


@dataclass(frozen=True)
class Term:
    """One entry."""

    word: str
    meaning: str
    source: str = ""


def glossary(run: Run) -> tuple[Term, ...]:
    """General words, then the codes of this run's findings."""
    used = {finding.code for finding in run.findings}
    return (
        *(Term(word, meaning) for word, meaning in WORDS),
        *(
            Term(code.code, f"{code.title}. {code.meaning} Decided by: {code.test}", code.source)
            for code in CODES
            if code.code in used
        ),
    )
