"""The audit's result, its findings and its table, from the measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.audits.relationships.evidence import LEVEL, Evidence, measured
from auditor.audits.relationships.expectations import expectation, pair_names
from auditor.audits.relationships.findings import all_findings
from auditor.audits.relationships.judged import Judged, judge_pairs, suspicion_order
from auditor.audits.relationships.modes import Mode, candidates, top_drops
from auditor.audits.relationships.pairs import Stopped, deviation, pair_result
from auditor.audits.relationships.result import (
    AttributeResult,
    PairResult,
    RelationResult,
    RelationshipsResult,
)
from auditor.measure.divergence import rank_agreement
from auditor.measure.intervals import wilson
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding


@dataclass(frozen=True, eq=False)
class Assembled:
    """What the audit says.

    Attributes:
        result: The content of `result.json`.
        findings: Every check.
        table: One row per pair, most suspicious first, as columns.
    """

    result: RelationshipsResult
    findings: tuple[Finding, ...]
    table: Mapping[str, Sequence[Any]]


def assemble(evidence: Evidence, *, num_units: int, mask_sizes: dict[str, int]) -> Assembled:
    """Judge every pair and write it down."""
    spec, context = evidence.spec, evidence.context
    judged, stopped = judge_pairs(evidence), stopped_because(evidence)
    names = pair_names(context)
    order = suspicion_order(evidence, judged)
    results = {pair: pair_result(evidence, judged, pair, stopped) for pair in order}
    attributes = attribute_results(evidence, results)
    suspects = [
        Mode(names[pair], candidates(evidence, names[pair], deviation(evidence, judged, pair))[0])
        for pair in order
        if judged.testable[pair]
    ]
    ruled = [results[pair] for pair in judged.rules]
    result = RelationshipsResult(
        layer=spec.layer,
        num_units=num_units,
        num_images=evidence.num_images,
        num_available=context.num_available[spec.split],
        num_confirming=evidence.num_confirming,
        stopped=stopped,
        cut=spec.cut,
        zone=spec.sampling.zone,
        alpha=spec.alpha,
        mask=spec.mask.method,
        mask_sizes=mask_sizes,
        attributes=tuple(attributes),
        relations=relation_results(evidence, judged),
        pairs=tuple(results[pair] for pair in order),
        estimator_agreement=estimator_agreement(ruled),
        top_drops=top_drops(evidence, suspects, names),
        num_rules=len(judged.rules),
        num_decided=sum(one.outcome in ("broken", "as_expected") for one in ruled),
        exploratory=spec.confirm == spec.split,
    )
    findings = all_findings(evidence, judged, results, attributes)
    return Assembled(result, findings, pair_table(result.pairs))


def stopped_because(evidence: Evidence) -> Stopped:
    """Why sampling ended."""
    spec, available = evidence.spec, evidence.context.num_available[evidence.spec.split]
    if spec.sampling.method == "sequential" and evidence.decided:
        return "all_decided"
    limit = spec.sampling.max_images
    return "max_images" if limit is not None and limit < available else "all_images"


def attribute_results(evidence: Evidence, pairs: Mapping[int, PairResult]) -> list[AttributeResult]:
    """One result per attribute, in the order of the spec."""
    found = []
    for index, attribute in enumerate(evidence.context.attributes):
        mine = [one for one in pairs.values() if attribute.name in (one.a, one.b)]
        found.append(
            AttributeResult(
                name=attribute.name,
                title=attribute.title,
                balanced_accuracy=evidence.balanced_accuracies[index],
                learnt=evidence.learnt[index],
                share_present=share_present(evidence, index),
                divergence_gaussian=mean_divergence([p.divergence_gaussian for p in mine]),
                divergence_histogram=mean_divergence([p.divergence_histogram for p in mine]),
            )
        )
    return found


def share_present(evidence: Evidence, index: int) -> Estimate:
    """Share of mined images that show an attribute, of those with a label."""
    cells = evidence.mined_cells[index, index]
    known = int(cells.sum())
    if not known:
        return Estimate.absent("no mined image has a label", num_samples=0)
    return measured(wilson(int(cells[1, 1]), known, level=LEVEL), "Wilson", known)


def mean_divergence(divergences: Sequence[float | None]) -> Estimate:
    """KL_i of the paper: the mean over an attribute's rules, without signs."""
    known = [abs(value) for value in divergences if value is not None]
    if not known:
        return Estimate.absent("no rule of the attribute has an expected distribution")
    return Estimate(value=float(np.mean(known)), method="mean over rules", num_samples=len(known))


def relation_results(evidence: Evidence, judged: Judged) -> tuple[RelationResult, ...]:
    """Expected relations that rules speak of."""
    found = []
    for pool in judged.pools.values():
        expected = expectation(pool, evidence.seen)
        found.append(
            RelationResult(
                name=pool.relation.name,
                mean=expected.mean if expected else None,
                sd=expected.sd if expected else None,
                source=pool.source,
                num_pairs=pool.num_rules,
                reason=pool.reason,
            )
        )
    return tuple(found)


def estimator_agreement(pairs: Sequence[PairResult]) -> Estimate:
    """Spearman correlation of both divergence estimators over the rules."""
    both = [
        (pair.divergence_gaussian, pair.divergence_histogram)
        for pair in pairs
        if pair.divergence_gaussian is not None and pair.divergence_histogram is not None
    ]
    agreement = rank_agreement([g for g, _ in both], [h for _, h in both])
    if agreement is None:
        return Estimate.absent("fewer than three rules have both", num_samples=len(both))
    return Estimate(value=agreement, method="Spearman", num_samples=len(both))


def pair_table(pairs: Sequence[PairResult]) -> dict[str, list[Any]]:
    """One row per pair, as columns, for spreadsheets."""
    estimates = ("cosine", "robust_z", "p_adjusted", "label_correlation", "regression")
    plain = (
        "a", "b", "rule", "expect", "outcome", "reason", "shape", "sd", "centred",
        "divergence_gaussian", "divergence_histogram", "entropy", "decision",
    )  # fmt: skip
    rows = [pair.model_dump() for pair in pairs]
    table: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in plain}
    for name in estimates:
        table[name] = [row[name]["value"] for row in rows]
    table["cosine_low"] = [row["cosine"]["low"] for row in rows]
    table["cosine_high"] = [row["cosine"]["high"] for row in rows]
    table["num_images"] = [row["cosine"]["num_samples"] for row in rows]
    return table
