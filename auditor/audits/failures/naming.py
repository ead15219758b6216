"""What features are called: by people, by the spec, or by the labels as a suggestion.

A person's name wins over one from the spec or the feature table; without either, the report says
`feature 17`. What the labels suggest is shown as a suggestion and never used as a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from auditor.audits.failures.describe import display_names, relation_to
from auditor.audits.failures.result import FeatureResult, SuggestionResult
from auditor.people import KINDS, Human, review_lines, said_by
from auditor.wording import NO_BREAK, counted, interval, number, plain, sentence


class Suggested(NamedTuple):
    """What a filter audit says of a feature.

    Attributes:
        name: Its words alone, such as `mouth, lips`.
        text: The same with how sure they are, such as `mouth, lips (0.61)`.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Naming:
    """What people called features.

    Attributes:
        key: What the features come from, as a review file names it; None where no digest is known.
        people: Number of the feature -> what a person said about it.
        findings: Finding id -> what the decision about it says of its feature.
        elsewhere: Names in the review file that belong to other networks or layers.
        words: Number of the feature -> what a filter audit of this run suggests for it.
    """

    key: str | None = None
    people: Mapping[int, Human] = field(default_factory=dict)
    findings: Mapping[str, Human] = field(default_factory=dict)
    elsewhere: int = 0
    words: Mapping[int, Suggested] = field(default_factory=dict)

    def human(self, feature: int, ids: Sequence[str] = ()) -> Human | None:
        """What a person said about a feature, in a decision about these findings or in general."""
        own = (self.findings.get(finding) for finding in ids)
        return next((said for said in own if said), self.people.get(feature))


def claim_names(features: Sequence[FeatureResult], naming: Naming) -> dict[int, str]:
    """Number -> name inside a sentence: a person's, else as the audit itself would say it."""
    return display_names(features) | called(naming)


def short_names(features: Sequence[FeatureResult], naming: Naming) -> dict[int, str]:
    """Number -> name where there is little room, such as `smile` or `feature 17`."""
    found = {f.index: plain(f.name) if f.name else numbered(f.index) for f in features}
    return found | called(naming)


def called(naming: Naming) -> dict[int, str]:
    """Number -> a person's name for it."""
    return {number: plain(said.name) for number, said in naming.people.items() if said.name}


def numbered(feature: int) -> str:
    """`feature 17`, never torn apart."""
    return f"feature{NO_BREAK}{feature}"


def suggestion_words(suggestion: SuggestionResult) -> str:
    """`It goes with smiling, AUC 0.93 (0.91 to 0.95): a suggestion from the labels, …`"""
    around = interval(suggestion.auc)
    auc = number(suggestion.auc.value) + (f" ({around})" if around else "")
    return (
        f"it {relation_to(suggestion)}, AUC {auc}: a suggestion from the labels, not a person's "
        "judgement"
    )


def feature_words(
    feature: FeatureResult | None, said: Human | None, words: Suggested | None = None
) -> tuple[str, ...]:
    """Who calls the feature what, and what labels and pictures suggest; for `The feature`.

    Args:
        feature: The feature; nothing is said without one.
        said: What a person said about it.
        words: What a filter audit suggests.
    """
    if feature is None:
        return ()
    found = []
    here = numbered(feature.index)
    if said and said.name:
        found.append(sentence(f"{here} is called “{plain(said.name)}” by a person{said_by(said)}"))
    elif feature.name:
        found.append(sentence(f"{here} is called “{plain(feature.name)}” by its source"))
    else:
        found.append(f"Nobody has named {here} yet, or judged whether it should matter.")
    if said and said.kind:
        found.append(f"Their judgement: {KINDS[said.kind]} ({said.kind}).")
    if said and said.comment:
        found.append(sentence(plain(said.comment)))
    if feature.suggestion and feature.suggestion.auc.value is not None:
        found.append(sentence(suggestion_words(feature.suggestion)))
    if words is not None:
        found.append(
            f"{sentence(here).removesuffix('.')} · {words.text}: words that its most activating "
            "pictures vote for, with the share of votes for the first; a suggestion, not a "
            "person's judgement."
        )
    found.append(
        f"Most pictures lie between {number(feature.low)} (low) and {number(feature.high)} (high)."
    )
    return tuple(found)


def snippet(naming: Naming, numbers: Sequence[int], suggested: Mapping[int, str]) -> str:
    """Lines for the review file, ready to be copied; empty where no digest is known.

    Args:
        naming: Names so far.
        numbers: Features to write lines for.
        suggested: Number -> a name to start from.
    """
    return review_lines(naming.key, naming.people, numbers, suggested)


def elsewhere_words(naming: Naming) -> str:
    """Names for other networks are told, and not applied."""
    if not naming.elsewhere:
        return ""
    are = "is" if naming.elsewhere == 1 else "are"
    return (
        f"The review file also holds {counted(naming.elsewhere, 'name')} of features that "
        f"{are} not shown here: given for another network or another layer, where the same number "
        "is another feature."
    )
