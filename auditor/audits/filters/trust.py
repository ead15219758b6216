"""How far the words can be trusted: recall against ways of looking that know less of the filter."""

from __future__ import annotations

from typing import Literal

from auditor.audits.filters.result import FiltersResult, Method, RecallResult, Scope
from auditor.audits.filters.words import (
    BASELINES,
    KS,
    by_chance,
    noun,
    num_candidates,
    recalls,
)
from auditor.results.estimate import Estimate
from auditor.wording import (
    count,
    counted,
    listing,
    number,
    percent,
    percent_interval,
    percent_with_interval,
    plain,
    points,
    sentence,
    spelt,
)

Standing = Literal["clearly_more", "more", "no_more", "clearly_fewer"]

STANDINGS: dict[Standing, str] = {
    "clearly_more": "clearly more than",
    "more": "more, but within the ranges of both, than",
    "no_more": "no more than",
    "clearly_fewer": "clearly fewer than",
}

SHOWN: dict[Method, str] = {
    "paper": "filter attention",
    "release": "filter attention in the form of the authors' program",
    "activation": "the active places alone",
    "original": "the whole picture",
    "image": "the picture with everything else masked",
}


def trust(result: FiltersResult) -> tuple[str, ...]:
    """Sentences on recall, agreement and how the explainer was fitted; empty without words."""
    if result.attention is None:
        return ()
    return tuple(
        filter(None, (compared(result), unseen(result), agreement(result), learnt(result)))
    )


def naming_method(result: FiltersResult) -> Method | None:
    return next((method for method in SHOWN if method == result.attention), None)


def standing(own: Estimate, other: Estimate, difference: Estimate | None) -> Standing | None:
    """Whether the first is larger; clearly, where the range of their difference says so.

    Args:
        own: One recall.
        other: Another.
        difference: The first minus the second on the same pairs; where it was not measured, two
            ranges that do not overlap are taken for a clear difference.
    """
    if difference is not None and difference.low is not None and difference.high is not None:
        if difference.low > 0:
            return "clearly_more"
        if difference.high < 0:
            return "clearly_fewer"
        return "more" if (difference.value or 0.0) > 0 else "no_more"
    if own.value is None or other.value is None:
        return None
    if own.low is not None and other.high is not None and own.low > other.high:
        return "clearly_more"
    if own.high is not None and other.low is not None and own.high < other.low:
        return "clearly_fewer"
    return "more" if own.value > other.value else "no_more"


def standings(result: FiltersResult, scope: Scope, k: int) -> dict[Method, Standing]:
    """How the naming way of looking stands against each baseline."""
    rows, method = recalls(result, "concepts", scope, k), naming_method(result)
    if method is None or method not in rows:
        return {}
    own = rows[method]
    found = {
        other: standing(own.recall, rows[other].recall, paired(own, other))
        for other in BASELINES
        if other != method and other in rows
    }
    return {other: kind for other, kind in found.items() if kind is not None}


def paired(row: RecallResult, other: Method) -> Estimate | None:
    """The difference to another way of looking, where it was measured on the same pairs."""
    return row.difference if other == "original" else None


def compared(result: FiltersResult) -> str:
    """Whether what named the filters beats the baselines, whatever the answer is."""
    rows, method = recalls(result, "concepts", "all", KS[0]), naming_method(result)
    if method is None or method not in rows or rows[method].recall.value is None:
        reason = rows[method].recall.reason if method in rows and method else None
        why = f": {plain(reason)}" if reason else ""
        return f"How many true concepts the words find could not be measured{why}."
    found = standings(result, "all", KS[0])
    chance = by_chance(result, KS[0])
    told = (
        f"Shown {SHOWN[method]}, the explainer finds {percent_with_interval(rows[method].recall)} "
        f"of the true concepts among its first {spelt(KS[0])} answers"
    )
    if found:
        told += f". That is {listing(parts(rows, found, rows[method]))}"
    told += ". " + verdict(method, found)
    if others := other_ks(result, found):
        told += f" {others}"
    if chance is not None:
        told += (
            f" Answers drawn at random from the {count(num_candidates(result))} concepts would "
            f"find {percent(chance)}."
        )
    return told


def parts(
    rows: dict[Method, RecallResult], found: dict[Method, Standing], own: RecallResult
) -> list[str]:
    """`clearly more than the whole picture (41 %, range 37 to 45 %)`, one per standing."""
    texts = []
    for kind, words in STANDINGS.items():
        same = [
            f"{SHOWN[m]} ({value_and_range(rows[m].recall, paired(own, m))})"
            for m, s in found.items()
            if s == kind
        ]
        if same:
            texts.append(f"{words} {listing(same)}")
    return texts


def value_and_range(estimate: Estimate, difference: Estimate | None) -> str:
    if difference is not None and difference.value is not None:
        apart, around = points(difference.value), scaled(difference)
        return f"{percent(estimate.value)}; difference {apart}" + (around and f", range {around}")
    around = percent_interval(estimate)
    return percent(estimate.value) + (around and f", range {around}")


def scaled(difference: Estimate) -> str:
    """`17 to 25` from a range of 0.17 to 0.25."""
    if difference.low is None or difference.high is None:
        return ""
    return f"{number(100 * difference.low, 0)} to {number(100 * difference.high, 0)}"


def verdict(method: Method, found: dict[Method, Standing]) -> str:
    """The comparison in one sentence."""
    kinds = set(found.values())
    subject = "Filter attention" if method in {"paper", "release"} else "This way of looking"
    if not kinds:
        return "There is no other way of looking to compare it with."
    if kinds == {"clearly_more"}:
        return f"{subject} beats every baseline: words belong to the filter, not to the picture."
    if kinds <= {"clearly_more", "more"}:
        return f"{subject} is ahead of every baseline, though not of all beyond doubt."
    if kinds <= {"no_more", "clearly_fewer"}:
        return (
            f"{subject} does not beat any baseline: on these pictures the words tell no more of "
            "the filter than of the picture around it. Read them with great caution."
        )
    return f"{subject} beats some baselines and not others: read the words with caution."


def other_ks(result: FiltersResult, first: dict[Method, Standing]) -> str:
    """Whether more answers change the order."""

    def better(found: dict[Method, Standing]) -> set[Method]:
        return {m for m, s in found.items() if s in {"clearly_more", "more"}}

    if not first:
        return ""
    others = [found for k in KS[1:] if (found := standings(result, "all", k))]
    if not others:
        return ""
    if all(better(found) == better(first) for found in others):
        return "With ten and twenty answers the order is the same."
    return "With ten or twenty answers the order is another; the figure shows it."


def unseen(result: FiltersResult) -> str:
    """Recall on concepts that the explainer never saw, beside those it learnt from."""
    method = naming_method(result)
    if method is None:
        return ""
    seen, held = (
        recalls(result, "concepts", scope, KS[0]).get(method) for scope in ("seen", "held_out")
    )
    if seen is None or held is None or None in (seen.recall.value, held.recall.value):
        return ""
    original = recalls(result, "concepts", "held_out", KS[0]).get("original")
    against = (
        f"; the whole picture gives {percent_with_interval(original.recall)} there"
        if original is not None and original.recall.value is not None and method != "original"
        else ""
    )
    return (
        "Of concepts that the explainer learnt from it finds "
        f"{percent_with_interval(seen.recall)}, of concepts that it never saw "
        f"{percent_with_interval(held.recall)}{against}. The second number is the one to trust "
        "novel words by."
    )


def agreement(result: FiltersResult) -> str:
    """How often words and annotation say the same, against chance."""
    own, chance = result.agreement, result.agreement_by_chance
    if own.value is None:
        return ""
    told = (
        f"Where a {noun(result)} has a name and detects a concept, that concept is in its name in "
        f"{percent_with_interval(own)} of the cases"
    )
    if chance.value is None:
        return f"{told}."
    return (
        f"{told}; were the names dealt out at random among the {noun(result)}s, it would be in "
        f"{percent(chance.value)}."
    )


def learnt(result: FiltersResult) -> str:
    """How the explainer was fitted."""
    fitted = result.learning
    if fitted is None:
        return ""
    told = (
        f"The explainer ({counted(fitted.num_parameters, 'parameter')}, loss: "
        f"{plain(fitted.loss)}) was fitted on {counted(fitted.num_regions, 'marked region')}; "
        f"{count(fitted.num_held_out)} regions of other pictures decided when to stop, after "
        f"{counted(fitted.best_epoch, 'pass', 'passes')}"
    )
    if fitted.training_losses and fitted.held_out_losses:
        best = min(fitted.best_epoch, len(fitted.held_out_losses)) - 1
        told += (
            f" with a loss of {number(fitted.training_losses[best])} on the first and "
            f"{number(fitted.held_out_losses[best])} on the second"
        )
    return sentence(told)
