"""What the filter audit could not see, and which open choices were made how."""

from __future__ import annotations

from auditor.audits.filters.result import FiltersResult
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.words import noun, num_candidates
from auditor.wording import count, counted, number, percent, plain

FEW_PICTURES = 1000
"""Below so many annotated pictures a reference set is called small."""

DENOMINATORS = {
    "original": "all active places in pictures in which a concept of the same category is "
    "annotated anywhere, as in the original network dissection",
    "lite": "all active places in pictures in which the category is annotated under the active "
    "places, as in NetDissect-Lite, which gives higher values",
}
"""What an intersection over union is divided by, but for the concept's own area."""


def limits(spec: FiltersSpec, result: FiltersResult) -> tuple[str, ...]:
    """Sentences about coverage, power and method of one audit."""
    found = [thresholds(result)]
    if result.concepts:
        found += comparison(result)
    if result.attention is not None:
        found += naming(spec, result)
    if result.start is not None:
        found.append(
            "The units of this layer have no places of their own. Where each looks was taken from "
            f"the layer “{plain(result.start)}” before it, by gradient times activation, which is "
            "an approximation."
        )
    found.append(
        f"Only what the annotations and the words can say is found. A {noun(result)} without a "
        "name may respond to something for which neither has a word, such as an edge or a texture."
    )
    return tuple(found)


def thresholds(result: FiltersResult) -> str:
    """How T_u was found."""
    start = (
        f"A {noun(result)} counts as active in the {percent(result.share, 1)} of all places of "
        f"{counted(result.num_images, 'picture')} in which it responds most strongly; every "
        f"{noun(result)} has its own threshold. "
    )
    if result.exact:
        return start + "The thresholds are exact."
    return start + (
        "The thresholds come from a random part of the places: with 99.9 % probability a "
        f"{noun(result)}'s true share of active places is within "
        f"{number(100 * result.rank_error, 3)} percentage points of that."
    )


def comparison(result: FiltersResult) -> list[str]:
    """Choices that the definition of the intersection over union leaves open, as made here."""
    audited = [concept for concept in result.concepts if concept.audited]
    rows, columns = result.grid
    categories = {concept.category for concept in result.concepts} - {None}
    pools = (
        f"{counted(len(categories), 'category', 'categories')} of concepts, which count apart"
        if categories
        else "one pool of concepts without categories"
    )
    found = [
        f"A concept is compared only where at least {counted(result.min_images, 'photo')} list it: "
        f"{count(len(audited))} of {count(len(result.concepts))} concepts. A photo counts by its "
        "annotation as a whole, even where the crop that the network sees cuts the thing off.",
        f"Maps and regions are compared on a grid of {count(rows)} by {count(columns)} places: "
        "regions by the nearest pixel, maps smoothly enlarged from "
        f"{count(result.side[0])} by {count(result.side[1])}. Small things "
        "vanish on a coarse grid.",
        "The intersection over union divides by the concept's area and "
        f"{DENOMINATORS.get(result.denominator, plain(result.denominator))}; there are {pools}. "
        "Other choices move these values by up to a third, so compare them only with runs that "
        "made the same ones.",
        "The best of many concepts looks better than it is. Therefore a "
        f"{noun(result)} is a detector only if it stays above {number(result.detector)} on "
        "pictures that the concept was not chosen on as well.",
    ]
    if result.num_annotated < FEW_PICTURES:
        found.append(
            f"Only {counted(result.num_annotated, 'picture')} carry annotations. With so small a "
            "reference set, concepts that are rare in it are missed, and the ranges are wide."
        )
    return found


def naming(spec: FiltersSpec, result: FiltersResult) -> list[str]:
    """What words and recall mean, and what they do not."""
    one = noun(result)
    found = [
        f"Words are suggestions. Each picture of a {one} votes for the words nearest to what the "
        "explainer makes of it, and an explainer always answers something.",
        f"Whether words are a name is decided against a null: activations of other {one}s are "
        f"dealt out at random over the places of random pictures, and a {one}'s words have to win "
        f"more votes than those do in {counted(spec.naming.draws, 'draw')}, with a correction for "
        f"the number of {one}s at the level {percent(result.alpha)}. Within a {one} every word is "
        "held against the largest of all words, so that a word stands out wrongly in as many of "
        f"the {one}s that look at nothing. A {one} without a name is not proven to look at "
        "nothing.",
        f"Recall asks how many of the concepts that a {one} overlaps in a picture are among the "
        "explainer's answers for it. It measures the way of finding words, not the model, and only "
        "with concepts that are annotated: for novel words there is no such check. It was measured "
        f"on {counted(spec.naming.evaluated, one)} at most, drawn at random, and masking "
        "pictures on fewer, because it costs a pass per picture. The explainer is fitted anew for "
        "it, without the pictures that it is measured on. Five answers of "
        f"{count(num_candidates(result))} candidates are right now and then by luck alone.",
    ]
    if result.made:
        found.append(
            f"The vocabulary ({plain(result.vocabulary or '')}, "
            f"{counted(result.num_words, 'word')}) was made, not learnt: its vectors "
            "follow from a hand-written taxonomy of everyday words. Its words are few and its "
            "likenesses those of the taxonomy, so it is fit for demonstrations and for things of "
            "everyday life, and not for a special field."
        )
    return found
