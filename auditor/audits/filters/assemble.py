"""The audit's outcome: every filter and concept, recall by way of masking, findings and files."""

from __future__ import annotations

from typing import cast, get_args

from torch import Tensor

from auditor.audits.filters.explaining import asked_about
from auditor.audits.filters.files import (
    card_files,
    dissection_table,
    recall_table,
    word_table,
)
from auditor.audits.filters.findings import Wanted, all_findings
from auditor.audits.filters.fitting import parts_of_regions
from auditor.audits.filters.judged import (
    Judged,
    agreement_among,
    concept_results,
    filter_results,
    remarks,
)
from auditor.audits.filters.needs import layer_of, start_of
from auditor.audits.filters.overlaps import (
    all_overlaps,
    best_filter,
)
from auditor.audits.filters.recall import WHOLE, Scores, score, summarised
from auditor.audits.filters.reference import reference_of, why_no_words
from auditor.audits.filters.result import (
    FiltersResult,
    LearningResult,
    Method,
    RecallResult,
)
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import (
    ExplainedState,
    PicturesState,
    RegionsState,
    SelectedState,
)
from auditor.context import Context
from auditor.measure.vocabulary import Vocabulary
from auditor.results.outcome import Outcome


def outcome(
    spec: FiltersSpec,
    context: Context,
    selected: SelectedState,
    regions: RegionsState,
    explained: ExplainedState,
    pictures: PicturesState,
    vocabulary: Vocabulary | None,
) -> Outcome:
    """The audit's result, findings, tables, arrays and images.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        selected: Thresholds and chosen pairs.
        regions: Overlaps and features.
        explained: Words and their worth.
        pictures: What the chosen images looked like.
        vocabulary: The vocabulary; None where the audit looks for no words.
    """
    reference = reference_of(spec, context, regions, vocabulary)
    reason = why_no_words(spec, regions, reference, vocabulary)
    judged = Judged(spec, context, selected, regions, explained, reference, vocabulary, reason)
    files = card_files(explained.cards.tolist(), pictures)
    result = result_of(judged, recall_results(judged, pictures)).model_copy(
        update={"cards": files.cards}
    )
    names = [concept.name for concept in context.concepts]
    wanted = {
        name: Wanted(
            result.concepts[names.index(name)],
            best_filter(spec, context, regions, names.index(name)),
        )
        for name in (*spec.unwanted, *spec.expected)
        if name in names
    }
    return Outcome(
        result=result,
        findings=all_findings(spec, context.audit, result, wanted, reason),
        tables={
            "dissection": dissection_table(context, all_overlaps(spec, context, regions)),
            "words": word_table(result.filters),
            "recall": recall_table(result.recall),
        },
        arrays={"cards": {"active": files.active}} if files.cards else {},
        images=files.images,
    )


def result_of(judged: Judged, recall: tuple[RecallResult, ...]) -> FiltersResult:
    """The result without cards."""
    spec, context, selected, regions = judged[:4]
    filters = filter_results(judged)
    extractor = context.extractor
    own = spec.inspect == "model" or extractor is None
    agreement = agreement_among(judged, filters)
    words, vocabulary = context.words if judged.vocabulary else None, judged.vocabulary
    return FiltersResult(
        split=spec.split,
        inspected=spec.inspect,
        network=context.model_title if own or extractor is None else extractor.title,
        layer=layer_of(spec, context),
        start=start_of(spec, context),
        side=two(selected.side),
        grid=two(regions.grid),
        num_images=int(selected.num_images),
        num_annotated=int(regions.num_annotated),
        share=spec.threshold.share,
        exact=bool(selected.exact),
        rank_error=float(selected.rank_error),
        denominator=spec.dissection.denominator,
        detector=spec.dissection.detector,
        min_images=spec.dissection.min_images,
        attention=None if judged.reason else spec.naming.attention,
        vocabulary=words.title if words else None,
        made=bool(words and words.made),
        num_words=int(vocabulary.entities.sum()) if vocabulary else 0,
        alpha=spec.naming.alpha,
        filters=filters,
        concepts=concept_results(judged, filters),
        recall=recall,
        agreement=agreement.observed,
        agreement_by_chance=agreement.by_chance,
        learning=learning_result(judged),
        cards=(),
        problems=remarks(judged, recall),
    )


def two(sides: Tensor) -> tuple[int, int]:
    """Rows and columns."""
    rows, columns = (int(side) for side in sides)
    return rows, columns


def recall_results(judged: Judged, pictures: PicturesState) -> tuple[RecallResult, ...]:
    """All ways of showing an image; masking in pixels for the filters that were chosen for it."""
    if judged.reason or judged.vocabulary is None or judged.spec.explainer is None:
        return ()
    explained, evaluated = judged.explained, judged.selected.evaluated
    methods = cast("tuple[Method, ...]", get_args(Method))
    seed = judged.context.seed
    four = Scores(explained.recall, explained.precision, explained.num_pairs)
    whole = methods.index(WHOLE)
    found = summarised(four, methods[:4], explained.recall[:, whole], seed=seed)
    if not len(pictures.masked_unit):
        return found
    # Masking in pixels costs a pass per image, so it is measured on some of the filters, and its
    # difference to whole images is taken on these alone.
    asked = asked_about(
        judged.spec.explainer,
        judged.reference,
        judged.regions,
        evaluated,
        pictures.masked_unit,
        pictures.masked_row,
        pictures.masked_features.unsqueeze(1),
    )
    masked = score(
        judged.spec.explainer,
        explained.weights,
        explained.best,
        explained.held_out[judged.reference.learnable],
        asked,
        judged.reference,
        judged.vocabulary,
        num_filters=len(evaluated),
    )
    return (*found, *summarised(masked, methods[4:], explained.recall[:, whole], seed=seed))


def learning_result(judged: Judged) -> LearningResult | None:
    """How the explainer that names the filters was fitted."""
    recipe, explained = judged.spec.explainer, judged.explained
    if judged.reason or recipe is None:
        return None
    learns, stops = parts_of_regions(recipe, judged.regions, judged.reference.learnable)
    training, held_out = (
        tuple(loss for loss, done in zip(column, ran, strict=True) if done)
        for ran in [(explained.history[-1, :, 0] >= 0).tolist()]
        for column in explained.history[-1].T.tolist()
    )
    return LearningResult(
        loss=recipe.loss,
        num_regions=int(learns.sum()),
        num_held_out=int(stops.sum()),
        num_parameters=explained.weights.shape[1],
        best_epoch=int(explained.best[-1]) + 1,
        training_losses=training,
        held_out_losses=held_out,
    )
