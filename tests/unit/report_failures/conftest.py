"""A synthetic run of a failure audit, written by the store's own writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.audits.failures.describe import display_names, leaf_claim, shown_leaf, strongest
from auditor.audits.failures.result import (
    AggregateResult,
    ConditionResult,
    Counts,
    DepthResult,
    FailuresResult,
    FeatureResult,
    GroupResult,
    LeafResult,
    NodeResult,
    PictureResult,
    SuggestionResult,
    SurfaceResult,
)
from auditor.catalog import AuditSpec
from auditor.results.base import canonical_json
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import (
    InputRecord,
    Interval,
    RunRecord,
    TrainingRecord,
)
from auditor.store.reader import Run, read_run
from tests.unit.finished_run import (
    HOST,
    audit_record,
    picture,
    provenance,
    share,
    write_finished_run,
)

DIGEST = "9b1d" + "a" * 60
"""Digest of the extractor's weights."""

KEY = f"{DIGEST}:relu1"
"""The extractor as a review file names it."""

CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COVERAGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
EXCESSES = (0.0, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2)


def grow(rng: np.random.Generator, size: int, failures: int, features: list[int], depth: int):
    """Nodes index -> (size, failures, feature, threshold), failures gathered on the low side."""
    nodes: dict[int, list[Any]] = {1: [size, failures, None, None]}
    for level in range(depth):
        for index in range(2**level, 2 ** (level + 1)):
            if index not in nodes or nodes[index][0] < 24 or nodes[index][1] == 0:
                continue
            n, f = nodes[index][:2]
            low = int(n * rng.uniform(0.3, 0.45))
            gathered = min(low, round(f * rng.uniform(0.5, 0.62)))
            nodes[index][2:] = [
                features[(index - 1) % len(features)],
                round(rng.uniform(0.1, 2.5), 4),
            ]
            nodes[2 * index] = [low, gathered, None, None]
            nodes[2 * index + 1] = [n - low, f - gathered, None, None]
    return nodes


def path_of(nodes: dict[int, list[Any]], index: int) -> tuple[ConditionResult, ...]:
    steps = []
    while index > 1:
        above = nodes[index // 2]
        side = "high" if index % 2 else "low"
        steps.insert(0, ConditionResult(feature=above[2], side=side, threshold=above[3]))
        index //= 2
    return tuple(steps)


def make_leaf(nodes, index: int, depth: int, *, confirmed: bool, exploratory: bool) -> LeafResult:
    n, f = nodes[index][:2]
    size, failures = nodes[1][:2]
    rate, whole = f / n, failures / size
    p = Estimate(value=0.0004 if confirmed else 0.31)
    absent = Estimate.absent("nothing was held back")
    return LeafResult(
        node=index,
        depth=depth,
        path=path_of(nodes, index),
        error_rate=share(f, n),
        excess=Estimate(value=rate - whole, low=rate - whole - 0.05, high=rate - whole + 0.05),
        error_coverage=share(f, failures),
        importance_value=f / failures * rate,
        p_value=absent if exploratory else p,
        p_adjusted=absent if exploratory else p,
        valid=confirmed,
        confirmed=confirmed and not exploratory,
    )


def make_group(
    rng: np.random.Generator,
    *,
    inspected: str,
    grouping: str,
    value: str,
    outcome: str,
    features: list[int],
    depth: int,
    exploratory: bool,
    networks: int,
) -> GroupResult:
    size = int(rng.integers(380, 620))
    failures = int(size * rng.uniform(0.1, 0.3))
    behind = f"@{inspected}" if networks > 1 else ""
    words = {
        "label": (f"pictures of the class {value}", "misses"),
        "prediction": (f"pictures that it calls {value}", "is wrong about"),
    }.get(grouping, (f"pictures whose {grouping.partition(':')[2]} is {value}", "is wrong about"))
    common = {
        "id": f"{grouping}={value}{behind}",
        "inspected": inspected,
        "attribute": None,
        "grouping": grouping,
        "value": value,
        "images": words[0],
        "wrong": words[1],
    }
    absent = Estimate.absent("not tested")
    if outcome in {"not_testable", "no_failures"}:
        counts = Counts(size=size, failures=2 if outcome == "not_testable" else 0)
        return GroupResult(
            **common, outcome=outcome, found=counts, confirmed=None if exploratory else counts,
            reason="it has 2 failures to grow trees on, 5 are needed"
            if outcome == "not_testable" else None,
            null_p_value=absent, stability=absent,
        )  # fmt: skip
    nodes = grow(rng, size, failures, features, depth)
    results = []
    for index, (n, f, feature, threshold) in sorted(nodes.items()):
        scored = Counts(size=n, failures=f)
        found = Counts(size=n + 4, failures=min(n, f + 3))
        results.append(
            NodeResult(
                index=index,
                feature=feature,
                threshold=threshold,
                gain=0.04 if feature is not None else None,
                found=scored if exploratory else found,
                confirmed=None if exploratory else scored,
            )
        )
    stands = outcome in {"slice", "exploratory"}
    leaves = [
        make_leaf(nodes, 2**d, d, confirmed=stands, exploratory=exploratory)
        for d in range(1, depth + 1)
        if 2**d in nodes
    ]
    if depth > 1:  # some findings need the deeper tree
        leaves = leaves[1:] + leaves[:1] if rng.random() < 0.4 else leaves
        if leaves[0].depth > 1 and stands:
            flat = next(i for i, leaf in enumerate(leaves) if leaf.depth == 1)
            leaves[flat] = leaves[flat].model_copy(update={"valid": False, "confirmed": False})
    root = nodes[1][2]
    return GroupResult(
        **common,
        outcome=outcome,
        found=results[0].found,
        confirmed=results[0].confirmed,
        num_features=98,
        nodes=tuple(results),
        depths=tuple(
            DepthResult(
                depth=d,
                num_leaves=2**d,
                average_leaf_error_rate=0.3,
                gain=0.02 * d,
                normalised_gain=0.03 * d,
                found_gain=0.05 * d,
                best=2**d,
                best_valid=stands,
            )
            for d in range(1, depth + 1)
        ),
        leaves=tuple(leaves),
        null_p_value=Estimate(value=0.01, num_samples=99),
        null_gain=0.012,
        stability=Estimate(value=0.84, num_samples=50),
        rivals=((root, 0.84), (99, 0.1)),
    )


def make_result(
    *,
    classes: tuple[str, ...] = CLASSES[:6],
    groupings: tuple[str, ...] = ("label", "prediction"),
    inspected: tuple[str, ...] = ("model",),
    depth: int = 3,
    exploratory: bool = False,
    slices: int = 6,
    names: dict[int, str] | None = None,
    pictures: int = 10,
    images: int = 5,
    seed: int = 5,
) -> FailuresResult:
    """A result with about so many slices; the last classes are quiet, untestable or faultless."""
    rng = np.random.default_rng(seed)
    groups = []
    pool = [17, 4, 63, 88, 31, 7]
    for role in inspected:
        for grouping in groupings:
            for i, value in enumerate(classes):
                quiet = ("no_slice", "not_testable", "no_failures")
                outcome = "slice" if i * 2 < slices else quiet[(i - slices // 2 - 1) % 3]
                if exploratory and outcome in {"slice", "no_slice"}:
                    outcome = "exploratory"
                order = pool[i % 6 :] + pool[: i % 6]
                groups.append(
                    make_group(
                        rng,
                        inspected=role,
                        grouping=grouping,
                        value=value,
                        outcome=outcome,
                        features=order if i % 3 else [17, 4, 63],
                        depth=depth,
                        exploratory=exploratory,
                        networks=len(inspected),
                    )
                )
    used = sorted({n.feature for g in groups for n in g.nodes if n.feature is not None})
    features = [make_feature(f, groups, (names or {}).get(f)) for f in used]
    features.sort(key=lambda f: -len(f.groups))
    result = FailuresResult(
        split="test",
        exploratory=exploratory,
        extractor="Robust ResNet-4B",
        layer="relu1",
        inspected={
            role: {"model": "CIFAR ResNet-56", "extractor": "Robust ResNet-4B"}[role]
            for role in inspected
        },
        num_images=10_000,
        num_found=10_000 if exploratory else 5012,
        num_unlabelled=3,
        num_features=100,
        num_constant=2,
        num_nonfinite=0,
        criterion="balanced_entropy",
        coverage=0.2,
        excess=0.05,
        alpha=0.05,
        num_tested=sum(len(g.leaves) for g in groups),
        groups=tuple(groups),
        features=tuple(features),
        aggregate=tuple(
            aggregate(role, grouping, d, len(classes))
            for role in inspected
            for grouping in groupings
            for d in range(1, depth + 1)
        ),
        surface=tuple(
            SurfaceResult(
                inspected=role,
                grouping=grouping,
                depth=d,
                coverages=COVERAGES,
                excesses=EXCESSES,
                shares=tuple(
                    tuple(max(0.0, 1 - c - 3 * e - 0.05 * d) for e in EXCESSES) for c in COVERAGES
                ),
                num_groups=len(classes),
            )
            for role in inspected
            for grouping in groupings
            for d in range(1, depth + 1)
        ),
        pictures=(),
        attack="l2, eps 1, 60 steps of 0.042",
    )
    shown = [
        make_pictures(group, leaf, k, images)
        for k, (group, leaf) in enumerate(strongest(result, pictures))
    ]
    return result.model_copy(update={"pictures": tuple(shown)})


def make_feature(index: int, groups: list[GroupResult], name: str | None) -> FeatureResult:
    about = []
    for group in groups:
        leaf = shown_leaf(group)
        if leaf is not None and index in {step.feature for step in leaf.path}:
            about.append(group.id)
    suggestion = SuggestionResult(
        attribute="smiling",
        title="smiling",
        present_when="high",
        auc=Estimate(value=0.93, low=0.91, high=0.95),
    )
    return FeatureResult(
        index=index, name=name, suggestion=suggestion if index == 17 else None, low=0.02, high=3.1,
        groups=tuple(about),
    )  # fmt: skip


def aggregate(role: str, grouping: str, depth: int, groups: int) -> AggregateResult:
    gain = (0.021 if role == "model" else 0.034) * depth
    return AggregateResult(
        inspected=role,
        grouping=grouping,
        depth=depth,
        num_groups=groups,
        base_error_rate=share(900 if role == "model" else 3000, 5000),
        gain=Estimate(value=gain, low=gain - 0.012, high=gain + 0.014),
        normalised_gain=Estimate(value=gain * 1.2, low=gain * 0.7, high=gain * 1.6),
        share_valid=share(min(groups, 3 + depth), groups),
        num_confirmed=min(groups, 2 + depth),
    )


def make_pictures(group: GroupResult, leaf: LeafResult, k: int, images: int) -> PictureResult:
    def files(kind: str) -> tuple[str, ...]:
        return tuple(f"{k:02d}-{kind}-{i}.jpg" for i in range(images))

    values = tuple(4.2 - 0.21 * i for i in range(images))
    return PictureResult(
        group=group.id,
        node=leaf.node,
        depth=leaf.depth,
        feature=leaf.path[-1].feature,
        activating=files("top"),
        activations=values,
        attacked=files("attack"),
        attacked_activations=tuple(2.1 * v for v in values),
        distances=(1.0,) * images,
        heatmaps=k * images,
        failures=files("wrong"),
        successes=files("right"),
    )


def make_findings(result: FailuresResult, audit: str) -> list[Finding]:
    names = display_names(result.features)
    found = []
    for group in result.groups:
        leaf = shown_leaf(group)
        code = (
            "FAILING_SLICE"
            if leaf
            else "NOT_TESTABLE_GROUP"
            if group.outcome == "not_testable"
            else "NO_SLICE"
        )
        verdict = {"NO_SLICE": "pass", "NOT_TESTABLE_GROUP": "inconclusive"}.get(code, "fail")
        found.append(
            make_finding(
                audit=audit,
                code=code,
                verdict="warn" if leaf and result.exploratory else verdict,
                severity="warning",
                claim=leaf_claim(group, leaf, names) if leaf else f"Nothing on {group.images}.",
                subjects=(group.id,),
                estimates={"error_rate": leaf.error_rate} if leaf else {},
                actions=("Add varied images. They are too few.",) if leaf else (),
            )
        )
    return found


def make_files(result: FailuresResult) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    names = [
        name
        for p in result.pictures
        for name in (*p.activating, *p.attacked, *p.failures, *p.successes)
    ]
    number = sum(len(p.activating) for p in result.pictures)
    yy, xx = np.mgrid[0:8, 0:8] / 7.0
    spots = rng.uniform(0.2, 0.8, (number, 2))
    maps = np.stack(
        [np.exp(-((xx - a) ** 2 + (yy - b) ** 2) / 0.05) for a, b in spots] or [np.zeros((8, 8))]
    )
    return {name: picture(rng) for name in dict.fromkeys(names)}, {"maps": maps.astype(np.float32)}


EXTRACTOR: dict[str, object] = {
    "source": "train",
    "title": "Robust ResNet-4B",
    "layer": "relu1",
    "network": {"source": "builtin", "name": "robust_resnet4b", "num_outputs": 10},
    "recipe": {
        "epochs": 30,
        "loss": "multi_class",
        "adversary": {"norm": "l2", "eps": 0.5},
    },
}


def make_spec(result: FailuresResult, extractor: dict[str, object], **report: object) -> AuditSpec:
    return AuditSpec.model_validate_json(
        canonical_json(
            {
                "version": 1,
                "name": "cifar10",
                "title": "CIFAR-10 classifier, why it fails",
                "purpose": "Sorts small pictures into ten classes.",
                "dataset": {"source": "portraits", "title": "CIFAR-10 test images"},
                "model": {
                    "source": "builtin",
                    "name": "cifar_resnet56",
                    "num_outputs": 10,
                    "head": "multi_class",
                    "title": "CIFAR ResNet-56",
                },
                "extractor": extractor,
                "audits": {
                    "failures": {
                        "kind": "failures",
                        "inspect": list(result.inspected),
                        "confirm": None if result.exploratory else 0.5,
                    }
                },
                "report": {"audience": "Model owners", **report},
            }
        )
    )


def make_record(findings: list[Finding], digest: str, **changes: Any) -> RunRecord:
    training = TrainingRecord(
        network="extractor",
        name="robust_resnet4b",
        digest=DIGEST,
        device="cpu",
        num_epochs=30,
        adversary="l2, eps 0.5, 7 steps of 0.18",
        evaluated_on="test",
        clean_accuracy=share(8123, 10_000),
        robust_accuracy=share(6012, 10_000),
    )
    inputs = (
        InputRecord(role="dataset test", name="cifar10", digest="d" * 64, num_rows=10_000),
        InputRecord(role="model weights", name="m.safetensors", digest="e" * 64, num_bytes=9),
    )
    made = provenance(digest, command="auditor run cifar10_failures", inputs=inputs)
    title = "Failures explained by features"
    return RunRecord(
        run_id="20260301T140510Z-" + digest[:8],
        name="cifar10",
        title="CIFAR-10 classifier, why it fails",
        status="ok",
        verdict="warn",
        exit_code=0,
        times=Interval(started="2026-03-01T14:05:10Z", ended="2026-03-01T14:06:42Z"),
        host=HOST,
        provenance=made.model_copy(update={"training": (training,), **changes}),
        audits=(audit_record("failures", "failures", title, "warn", findings),),
    )


def write_run(
    out: Path,
    *,
    result: FailuresResult | None = None,
    review: bytes | None = None,
    extractor: dict[str, object] = EXTRACTOR,
    provenance: dict[str, Any] | None = None,
    **report: object,
) -> Path:
    """Write one finished run and return its directory."""
    result = result or make_result()
    findings = make_findings(result, "failures")
    images, arrays = make_files(result)
    outcome = Outcome(
        result=result,
        findings=tuple(findings),
        arrays={"pictures": arrays} if result.pictures else {},
        images=images,
    )
    return write_finished_run(
        out,
        spec=make_spec(result, extractor, **report),
        outcomes={"failures": outcome},
        record=lambda digest: make_record(findings, digest, **(provenance or {})),
        review=review,
    )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with slices, quiet groups and groups that could not be tested."""
    return read_run(write_run(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Writes a run with another result, review, extractor or report settings."""
    return lambda **changes: read_run(write_run(tmp_path_factory.mktemp("runs"), **changes))


@pytest.fixture(scope="session")
def fixture_result() -> Callable[..., FailuresResult]:
    """Builds a result with other classes, networks, depth or names."""
    return make_result
