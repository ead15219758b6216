"""CycloneDX 1.6 (ECMA-424): the model with its card, data, packages, and the audit as evidence.

component      the model: digest of its weights, what it is for, the numbers that were measured
components     data sets, further networks, vocabulary, and the packages that computed
declarations   the policy as claims about the model, each with the evidence for or against it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_OID, uuid5

from auditor.catalog import network_of
from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.text import one_line
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Findings, findings_digest
from auditor.spec.model import (
    BuiltinModel,
    ModelSpec,
    PredictionsModel,
    TorchvisionModel,
    TrainedModel,
)
from auditor.store.documents import document_bytes
from auditor.store.reader import Run
from auditor.wording import sentence

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"

MODEL = "model"
FINDINGS = "evidence:findings"

WEIGHTS, TRAINED = " weights", "trained network"
"""How the roles of inputs end that belong to a network, and are no components of their own."""

ANSWERS: dict[Verdict, str] = {
    "pass": "Met",
    "warn": "Met, with warnings",
    "fail": "Not met",
    "inconclusive": "Could not be decided",
}


def bill_of_materials(run: Run) -> bytes:
    """The run as a CycloneDX ML-BOM in JSON; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    bom = make_bom(run, make_rows(run))
    return f"{json.dumps(bom, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def make_bom(run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    record, digest = run.record, findings_digest(run.findings)
    components = [*data_components(run), *networks(run), *packages(run)]
    datasets = [one["bom-ref"] for one in components if one["bom-ref"].startswith("data:dataset ")]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_OID, f'auditor:{record.run_id}:{digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": record.times.ended or record.times.started,
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "auditor",
                        "version": one_line(record.provenance.auditor_version),
                    }
                ]
            },
            "component": model(run, rows, datasets),
            "properties": properties(
                {
                    "auditor:run": record.run_id,
                    "auditor:verdict": record.verdict or "none",
                    "auditor:spec_sha256": record.provenance.spec_digest,
                    "auditor:findings_sha256": digest,
                }
            ),
        },
        "components": components,
        "dependencies": [
            {"ref": MODEL, "dependsOn": [one["bom-ref"] for one in components]},
        ],
        "declarations": declarations(run),
    }


def model(run: Run, rows: Sequence[Row], datasets: Sequence[str]) -> dict[str, Any]:
    """The audited model with its card."""
    spec, failed = run.spec, [row for row in rows if row.finding.verdict in ("fail", "warn")]
    limitations = [f"Not meant for: {spec.out_of_scope}"] if spec.out_of_scope else []
    limitations += [row.finding.claim for row in failed if row.finding.verdict == "fail"]
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "task": "image-classification",
        "datasets": [{"ref": ref} for ref in datasets],
        "inputs": [{"format": "image"}],
    }
    if architecture := architecture_of(spec.model):
        parameters["modelArchitecture"] = one_line(architecture)
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": one_line(spec.model.title or spec.title or spec.name),
        **({"description": one_line(spec.title)} if spec.title else {}),
        **hashes(network_digests(run).get("model")),
        "modelCard": {
            "modelParameters": parameters,
            "quantitativeAnalysis": {
                "performanceMetrics": [*accuracies(run), *(measured(row) for row in failed)]
            },
            "considerations": {
                **({"useCases": [one_line(spec.purpose)]} if spec.purpose else {}),
                "technicalLimitations": [sentence(one_line(text)) for text in limitations],
            },
        },
    }


def architecture_of(spec: ModelSpec) -> str:
    """Name of the network, where the spec gives one."""
    if isinstance(spec, TrainedModel):
        return spec.network.name
    return spec.name if isinstance(spec, BuiltinModel | TorchvisionModel) else ""


def accuracies(run: Run) -> Iterator[dict[str, Any]]:
    """Accuracies that were measured after fitting the model."""
    for network in run.record.provenance.training:
        if network.network == "model" and network.clean_accuracy is not None:
            yield metric("clean_accuracy", network.clean_accuracy, network.evaluated_on or "")
        if network.network == "model" and network.robust_accuracy is not None:
            yield metric("robust_accuracy", network.robust_accuracy, network.evaluated_on or "")


def measured(row: Row) -> dict[str, Any]:
    """The number that decides a finding; the slice says about whom."""
    estimate = row.estimate or Estimate.absent("not measured")
    return metric(row.metric or row.finding.code.lower(), estimate, row.finding.id)


def metric(name: str, estimate: Estimate, about: str) -> dict[str, Any]:
    """CycloneDX states numbers as text; they keep their full precision."""
    found: dict[str, Any] = {"type": one_line(name), "slice": one_line(about)}
    if estimate.value is not None:
        found["value"] = repr(estimate.value)
    if estimate.low is not None and estimate.high is not None:
        low, high = repr(estimate.low), repr(estimate.high)
        found["confidenceInterval"] = {"lowerBound": low, "upperBound": high}
    return found


def network_digests(run: Run) -> dict[str, str | None]:
    """Role of a network -> SHA-256 of its weights, fitted ones and those from a file."""
    provenance = run.record.provenance
    found: dict[str, str | None] = {one.network: one.digest for one in provenance.training}
    return found | {
        one.role.removesuffix(WEIGHTS): one.digest
        for one in provenance.inputs
        if one.role.endswith(WEIGHTS)
    }


def data_components(run: Run) -> Iterator[dict[str, Any]]:
    """Data sets by split, tables of features, the vocabulary."""
    for one in run.record.provenance.inputs:
        if one.role != TRAINED and not one.role.endswith(WEIGHTS):
            extent = {"auditor:num_rows": one.num_rows, "auditor:num_bytes": one.num_bytes}
            counts = {name: str(number) for name, number in extent.items() if number}
            yield {
                "type": "data",
                "bom-ref": one_line(f"data:{one.role}"),
                "name": one_line(one.name) or "unnamed",
                "description": one_line(one.role),
                **hashes(one.digest),
                "data": [{"type": "dataset", "name": one_line(one.role)}],
                **({"properties": properties(counts)} if counts else {}),
            }


def networks(run: Run) -> Iterator[dict[str, Any]]:
    """The extractor, where it is a network of its own."""
    own = network_of(run.spec, "extractor")
    if own is None or isinstance(own, PredictionsModel):
        return
    yield {
        "type": "machine-learning-model",
        "bom-ref": "extractor",
        "name": one_line(own.title or architecture_of(own) or own.source),
        "description": "The network whose features explain what the model does.",
        **hashes(network_digests(run).get("extractor")),
    }


def packages(run: Run) -> Iterator[dict[str, Any]]:
    """The packages that computed, with the digest of what was installed of each."""
    host = run.record.host
    for name, version in sorted(host.packages.items()):
        installed = host.package_digests.get(name)
        yield {
            "type": "library",
            "bom-ref": one_line(f"package:{name}"),
            "name": one_line(name) or "unnamed",
            "version": one_line(version),
            "purl": f"pkg:pypi/{purl_part(name)}@{purl_part(version)}",
            # Not `hashes`: a reader would hold those against the archive on a package index.
            **(
                {"properties": properties({"auditor:installed_files_sha256": installed})}
                if installed
                else {}
            ),
        }


def purl_part(text: str) -> str:
    """A part of a package URL: percent-encoded, the name as package indexes normalise it."""
    return quote(one_line(text).lower().replace("_", "-"), safe="")


def declarations(run: Run) -> dict[str, Any]:
    """The policy as claims about the model, with the audit as evidence for or against each."""
    record, evidence = run.record, list(evidence_of(run))
    refs = [one["bom-ref"] for one in evidence]
    sides: dict[Verdict, str] = {"pass": "evidence", "warn": "evidence", "fail": "counterEvidence"}
    return {
        "assessors": [
            {
                "bom-ref": "assessor",
                "thirdParty": False,
                "organization": {"name": one_line(run.spec.owner) or "not stated"},
            }
        ],
        "claims": [
            {
                "bom-ref": one_line(f"claim:{outcome.name}"),
                "target": MODEL,
                "predicate": sentence(one_line(outcome.target)),
                "reasoning": one_line(f"{ANSWERS[outcome.verdict]}: {outcome.value}"),
                **({sides[outcome.verdict]: refs} if outcome.verdict in sides else {}),
            }
            for outcome in record.policy
        ],
        "evidence": evidence,
    }


def evidence_of(run: Run) -> Iterator[dict[str, Any]]:
    """The files of the run that its verdict rests on, each with its digest."""
    created = run.record.times.ended or run.record.times.started
    findings = document_bytes(Findings(findings=run.findings))
    yield {
        "bom-ref": FINDINGS,
        "propertyName": "auditor:findings",
        "description": f"Every check made, the passed ones included. {digest_words(findings)}",
        "data": [{"name": "findings.json", "contents": {"url": "findings.json"}}],
        "created": created,
    }
    for audit in run.record.audits:
        if audit.id in run.results:
            name = run.paths.relative(run.paths.audit(audit.id).result)
            content = document_bytes(run.results[audit.id])
            yield {
                "bom-ref": f"evidence:{audit.id}",
                "propertyName": f"auditor:audit:{audit.kind}",
                "description": f"{sentence(one_line(audit.title))} {digest_words(content)}",
                "data": [{"name": name, "contents": {"url": name}}],
                "created": created,
            }


def digest_words(content: bytes) -> str:
    return f"SHA-256 {sha256(content).hexdigest()}."


def hashes(digest: str | None) -> dict[str, Any]:
    return {"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}


def properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": one_line(value)} for name, value in values.items()]
