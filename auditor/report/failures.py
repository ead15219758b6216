"""What the section of a failure audit shows: its result, its pictures, and what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from auditor.audits.failures.actions import situation, suggest_actions
from auditor.audits.failures.describe import display_names, leaf_claim, shown_leaf
from auditor.audits.failures.naming import Naming, Suggested, claim_names
from auditor.audits.failures.result import FailuresResult
from auditor.audits.failures.section import FailuresSection, make_section
from auditor.audits.failures.spec import FailuresSpec
from auditor.catalog import network_of
from auditor.errors import ArtifactError
from auditor.judge.review import Reviews
from auditor.needs import NetworkRole
from auditor.people import Human
from auditor.report.filters import unit_names
from auditor.report.people import called, network_digest, signed
from auditor.report.reviewing import reviews_of
from auditor.results.finding import Finding
from auditor.results.run_record import TrainingRecord
from auditor.spec.extractor import (
    BuiltinExtractor,
    ExportedExtractor,
    ExtractorSpec,
    FeaturesExtractor,
    InspectedExtractor,
    PythonExtractor,
    TorchScriptExtractor,
    TorchvisionExtractor,
    TrainedExtractor,
)
from auditor.store.reader import Run


def failures_section(
    run: Run, audit: str, spec: FailuresSpec, result: FailuresResult
) -> FailuresSection:
    """The body of one section.

    Raises:
        ArtifactError: the heat maps do not belong to the pictures, or the review is damaged.
    """
    return make_section(
        audit=audit,
        spec=spec,
        result=result,
        findings=[finding for finding in run.findings if finding.audit == audit],
        naming=naming_of(run, spec, result),
        training=extractor_training(run),
        maps=heat_maps(run, audit, result),
        max_cases=run.spec.report.max_findings,
    )


def heat_maps(run: Run, audit: str, result: FailuresResult) -> NDArray[np.float32]:
    """Heat maps [K, h, w] of all pictures; K = 0 where the run kept none.

    Raises:
        ArtifactError: some picture has no map.
    """
    ends = [p.heatmaps + len(p.activating) for p in result.pictures if p.heatmaps is not None]
    if not ends:
        return np.zeros((0, 1, 1), np.float32)
    maps = run.arrays(audit, "pictures").get("maps", np.zeros(0, np.float32))
    if maps.ndim != 3 or len(maps) < max(ends) or 0 in maps.shape:
        raise ArtifactError(
            f"the heat maps of audit {audit} are of shape {maps.shape}, its pictures need "
            f"{max(ends)} of them",
            hint="Run the audit again; its folder was changed after the run.",
        )
    return maps.astype(np.float32)


def naming_of(run: Run, spec: FailuresSpec, result: FailuresResult) -> Naming:
    """What people called this audit's features, and what they called others.

    Raises:
        ArtifactError: the file is not a review.
    """
    names = called(run, extractor_digest(run, spec.split), result.layer)
    return Naming(
        key=names.key,
        people=names.people,
        findings=decided(run, reviews_of(run)),
        elsewhere=names.elsewhere,
        words=suggested_words(run, result),
    )


def suggested_words(run: Run, result: FailuresResult) -> dict[int, Suggested]:
    """Feature -> what a filter audit of this run calls its unit, where it has words for it."""
    role = feature_network(run)
    if role is None or result.layer is None:
        return {}
    names = unit_names(run, role, result.layer)
    return {
        unit: Suggested(said.suggested(), said.measured())
        for unit, said in names.items()
        if said.words
    }


def decided(run: Run, reviews: Reviews) -> dict[str, Human]:
    """Finding id -> what its decision says of the feature, as long as the evidence is the same."""
    return {
        finding.id: Human(decision.name, decision.kind, signed(decision), decision.comment)
        for finding in run.findings
        if (decision := reviews.decisions.get(finding.id)) is not None
        and (decision.name or decision.kind)
        and decision.evidence_digest == finding.evidence_digest
    }


def feature_network(run: Run) -> NetworkRole | None:
    """The network that the features come from; None where they come from a file, or nowhere."""
    extractor = run.spec.extractor
    if isinstance(extractor, InspectedExtractor):
        return "model"
    return "extractor" if network_of(run.spec, "extractor") is not None else None


def extractor_training(run: Run) -> TrainingRecord | None:
    """How the feature network was fitted, where a recipe in the spec fitted it."""
    role = feature_network(run)
    records = run.record.provenance.training
    return next((record for record in records if record.network == role), None)


def extractor_digest(run: Run, split: str) -> str | None:
    """What names the features: digest of the network's weights, or of the split's table."""
    role = feature_network(run)
    if role is not None:
        return network_digest(run, role)
    if isinstance(run.spec.extractor, FeaturesExtractor):
        inputs = run.record.provenance.inputs
        return next((i.digest for i in inputs if i.role == f"features {split}"), None)
    return None


def extractor_words(extractor: ExtractorSpec | None) -> str:
    """What the features come from, in a line for the cover; empty where there is nothing."""
    match extractor:
        case None:
            return ""
        case FeaturesExtractor():
            return extractor.title or "tables of features"
        case InspectedExtractor():
            name = "the model itself"
        case BuiltinExtractor() | TorchvisionExtractor():
            name = extractor.name
        case TrainedExtractor():
            name = f"{extractor.network.name}, fitted by the spec"
        case TorchScriptExtractor() | ExportedExtractor():
            name = extractor.path
        case PythonExtractor():
            name = extractor.file
        case _:
            assert_never(extractor)
    return f"{extractor.title or name}, layer {extractor.layer}"


def with_names(run: Run) -> Run:
    """The run with its slices worded as people named and judged their features.

    Claims and actions change, and neither numbers nor verdicts nor evidence digests.

    Raises:
        ArtifactError: the review is damaged.
    """
    findings: tuple[Finding, ...] = run.findings
    for audit, result in run.results.items():
        spec = run.spec.audits[audit]
        if isinstance(result, FailuresResult) and isinstance(spec, FailuresSpec):
            naming = naming_of(run, spec, result)
            if naming.people or naming.findings:
                findings = tuple(
                    renamed(finding, result, naming) if finding.audit == audit else finding
                    for finding in findings
                )
    return replace(run, findings=findings)


def renamed(finding: Finding, result: FailuresResult, naming: Naming) -> Finding:
    """One finding in the words of people, where it is about a slice."""
    group = next((g for g in result.groups if g.id in finding.subjects), None)
    leaf = shown_leaf(group) if group is not None else None
    if group is None or leaf is None or finding.code != "FAILING_SLICE":
        return finding
    feature = leaf.path[-1].feature
    said = naming.human(feature, (finding.id,))
    names = claim_names(result.features, naming)
    if said is not None and said.name:
        names = {**names, feature: said.name}
    before = leaf_claim(group, leaf, display_names(result.features))
    update: dict[str, str | Sequence[str]] = {
        "claim": finding.claim.replace(before, leaf_claim(group, leaf, names))
    }
    if said is not None:
        found = suggest_actions(situation(group, leaf, names), said.kind)
        update["actions"] = tuple(f"{action.what} {action.reason}" for action in found)
    return finding.model_copy(update=update)
