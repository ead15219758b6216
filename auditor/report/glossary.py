"""Words that the report uses in a sense of its own, explained without further such words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import CODES, AnyAudit
from auditor.store.reader import Run

COMMON = (
    (
        "Confidence interval",
        "The range in brackets behind a number. In 95 of 100 repetitions with other pictures, "
        "such a range holds the true value.",
    ),
    (
        "Correction for multiple tests",
        "Who checks a hundred things finds a few exceptions by luck. The method of Benjamini and "
        "Hochberg raises the bar so that among those reported only a small, known share is "
        "expected to be luck.",
    ),
    (
        "Digest",
        "A fingerprint of a file (SHA-256). Any change to the file, however small, gives another.",
    ),
    (
        "Heat map",
        "Shows which parts of an example picture count for an attribute or a feature: the darker "
        "the colour, the more they count.",
    ),
    (
        "Inconclusive",
        "The check was made, but the evidence allows neither a pass nor a fail.",
    ),
    (
        "p-value",
        "How often chance alone would give something at least this unusual. Small values mean that "
        "chance is a poor explanation.",
    ),
)
"""Words that every section may use."""

RELATIONSHIPS = (
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

FAILURES = (
    (
        "Average leaf error rate",
        "The error rate that a typical error lives with: the error rates of a tree's parts, each "
        "counted by its share of the errors. It is never below the base error rate, and the "
        "further above, the more the parts explain.",
    ),
    ("Base error rate", "How often the model is wrong in a whole group of pictures."),
    (
        "Confirmed on held-back images",
        "A part was found on some pictures and measured on others that played no role in finding "
        "it. What was only luck on the first does not repeat on the second.",
    ),
    ("Error coverage", "The share of a group's errors that lie in one part of it."),
    (
        "Feature attack",
        "A picture is changed little by little so that one feature rises. What appears or grows in "
        "it shows what the feature responds to.",
    ),
    (
        "Importance value",
        "Error coverage times error rate of a part: large where a part is often wrong and holds "
        "many of the errors. The part with the largest one is looked at first.",
    ),
    (
        "Permutation null",
        "What the search finds when the errors are dealt out at random among the pictures. A real "
        "finding has to beat it.",
    ),
    (
        "Robust features",
        "Features of a network that was fitted on pictures changed on purpose to mislead it. They "
        "respond to what people can see, where those of ordinary networks often respond to faint "
        "patterns.",
    ),
    (
        "Stability",
        "How often the search picks the same feature when the pictures are drawn anew. Where "
        "several features tell the same story it is low, although the finding may be true.",
    ),
)

FILTERS = (
    (
        "Concept",
        "Something that people marked in pictures, region by region, such as a dog or the sky.",
    ),
    (
        "Detector",
        "A filter that is active where one concept is, well enough on all pictures and on pictures "
        "that the concept was not chosen on.",
    ),
    (
        "Explainer",
        "A second network, fitted to put parts of pictures into words. It reads what the audited "
        "network computes, and changes nothing in it.",
    ),
    (
        "Filter",
        "One of many parts of a layer. It goes over the picture and responds where it finds what "
        "it is tuned to.",
    ),
    (
        "Filter attention",
        "What the explainer is shown of a picture: the other filters of the layer, each counted by "
        "how far it responds in the same places as the filter that is to be named.",
    ),
    (
        "Intersection over union",
        "The area that two regions share, divided by the area that either covers: 1 where they are "
        "the same, 0 where they never meet.",
    ),
    ("Layer", "One stage of a network. Each works on what the one before it found."),
    (
        "Novel word",
        "A word of a filter that stands for none of the annotated concepts, so that the "
        "annotations can neither confirm nor refute it.",
    ),
    (
        "Precision",
        "The share of right answers among the first few that were given.",
    ),
    (
        "Recall",
        "The share of what was to be found that is among the first few answers.",
    ),
    (
        "Vocabulary",
        "The list of words that filters can be named with. Each word has a place in a space where "
        "words of like meaning lie close together.",
    ),
)

GROUPS = (
    (
        "Active in a picture",
        "A filter is active in a picture if somewhere in it the filter's value is above its "
        "threshold, which a small share of all its values over all pictures passes.",
    ),
    (
        "Ceiling",
        "The largest share of pictures in which a filter can be active. Each such picture needs a "
        "place of its own above the threshold, and only so many places are.",
    ),
    (
        "Cohen's h",
        "The size of a difference of two shares on a scale on which 1 % against 6 % counts more "
        "than 51 % against 56 %. About 0.2 is small, 0.5 medium, 0.8 large.",
    ),
    (
        "Filter",
        "One of many parts of a layer. It goes over the picture and responds where it finds what "
        "it is tuned to.",
    ),
    (
        "Fisher's exact test",
        "Says how often chance alone would deal out the pictures at least this unevenly. It holds "
        "for groups of any size.",
    ),
    (
        "Intersection over union",
        "The area that two regions share, divided by the area that either covers: 1 where they are "
        "the same, 0 where they never meet.",
    ),
    ("Layer", "One stage of a network. Each works on what the one before it found."),
)


@dataclass(frozen=True)
class Term:
    """One entry."""

    word: str
    meaning: str
    source: str = ""


def glossary(run: Run) -> tuple[Term, ...]:
    """Words of this run's audits, then the codes of its findings."""
    used = {finding.code for finding in run.findings}
    words = {word: meaning for audit in run.spec.audits.values() for word, meaning in own(audit)}
    return (
        *(
            Term(word, meaning)
            for word, meaning in sorted({**dict(COMMON), **words}.items(), key=alphabetical)
        ),
        *(
            Term(code.code, f"{code.title}. {code.meaning} Decided by: {code.test}", code.source)
            for code in CODES
            if code.code in used
        ),
    )


def own(audit: AnyAudit) -> tuple[tuple[str, str], ...]:
    """Words that only the sections of one kind of audit use."""
    match audit:
        case RelationshipsSpec():
            return RELATIONSHIPS
        case FailuresSpec():
            return FAILURES
        case FiltersSpec():
            return FILTERS
        case GroupsSpec():
            return GROUPS
        case _:
            assert_never(audit)


def alphabetical(entry: tuple[str, str]) -> str:
    return entry[0].casefold()
