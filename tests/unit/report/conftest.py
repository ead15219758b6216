"""A synthetic run directory, written by the store's own writer: twenty attributes, 190 pairs."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from auditor.audits.relationships.result import (
    AttributeResult,
    CellResult,
    PairResult,
    RelationResult,
    RelationshipsResult,
    TopDrop,
)
from auditor.catalog import AuditSpec
from auditor.context import Rule
from auditor.errors import Location
from auditor.report.render import render
from auditor.results.base import canonical_json
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import (
    InputRecord,
    Interval,
    PolicyOutcome,
    Quarantined,
    RunRecord,
)
from auditor.store.reader import Run, read_run
from auditor.store.writer import reopen_run
from tests.unit.finished_run import HOST, audit_record, provenance, write_finished_run

TITLES = {
    "smiling": "smiling",
    "lipstick": "wearing lipstick",
    "glasses": "wearing glasses",
    "hat": "wearing a hat",
    "beard": "a beard",
    "mustache": "a mustache",
    "earrings": "earrings",
    "necktie": "a necktie",
    "necklace": "a necklace",
    "badge": "a badge",
    "flower": "a flower",
    "stripes": "striped clothes",
    "blond": "blond hair",
    "longhair": "long hair",
    "bangs": "bangs",
    "blush": "blushing",
    "bushybrows": "bushy brows",
    "bignose": "a big nose",
    "bigears": "big ears",
    "winking": "winking",
}
PLANTED = (
    ("smiling", "lipstick", 0.61),
    ("glasses", "necktie", 0.55),
    ("hat", "badge", 0.52),
    ("beard", "earrings", -0.48),
    ("flower", "longhair", 0.44),
    ("stripes", "winking", 0.43),
    ("blond", "necklace", 0.40),
    ("bangs", "blush", -0.38),
    ("bushybrows", "bignose", 0.35),
    ("hat", "bigears", 0.33),
)


def estimate(value: float, half: float, n: int, method: str = "poisson bootstrap") -> Estimate:
    low, high = round(value - half, 4), round(value + half, 4)
    return Estimate(
        value=round(value, 4), low=low, high=high, level=0.95, method=method, num_samples=n
    )


def make_pair(a: str, b: str, planted: float | None, rng: np.random.Generator) -> PairResult:
    related = {a, b} == {"beard", "mustache"}
    usual = 0.3 if related else 0.02
    mean = planted if planted is not None else float(rng.normal(usual, 0.05))
    unlearnt = "winking" in (a, b) and planted is None
    z = (mean - usual) / 0.055
    samples = rng.normal(mean, 0.14, int(rng.integers(260, 460))).clip(-0.99, 0.99)
    cells: tuple[CellResult, ...] = ()
    if planted is not None:
        ways = ((True, False), (False, True)) if planted > 0 else ((True, True), (False, False))
        drop = abs(planted) * 0.4
        cells = tuple(
            CellResult(
                present=way,
                num_mined=int(rng.integers(20, 200)),
                accuracy=estimate(0.93 - d, 0.05, 180, "wilson"),
                drop=estimate(d, 0.05, 180, "newcombe"),
            )
            for way, d in zip(ways, (drop, drop / 3), strict=True)
        )
    return PairResult(
        a=a,
        b=b,
        rule="separate",
        expect="probably_positive" if related else "unrelated",
        outcome="undecided"
        if related
        else "broken"
        if planted is not None
        else "not_learnt"
        if unlearnt
        else "as_expected",
        reason="only 1 pair of this relation and no declared mean" if related else None,
        cosine=estimate(mean, 0.02, len(samples)),
        sd=0.14,
        centred=round(mean - 0.01, 4),
        robust_z=Estimate.absent("too few pairs of this relation")
        if related
        else estimate(z, 0.3, 189),
        p_adjusted=Estimate.absent("too few pairs of this relation")
        if related
        else Estimate(value=round(min(1.0, math.erfc(abs(z) / 1.414) * 12), 8)),
        divergence_gaussian=round(z * 0.2, 4),
        divergence_histogram=round(z * 0.19, 4),
        shape="failure_mode" if planted is not None else "none",
        cells=cells,
        label_correlation=estimate(
            planted * 0.9 if planted else float(rng.normal(0, 0.02)), 0.02, 8000
        ),
        regression=estimate(abs(planted) * 0.5 if planted else 0.01, 0.01, 8000),
        entropy=1.02,
        histogram=tuple(int(c) for c in np.histogram(samples, bins=40, range=(-1, 1))[0]),
        decision="decided",
    )


def make_result(titles: dict[str, str] = TITLES, seed: int = 7) -> RelationshipsResult:
    rng = np.random.default_rng(seed)
    names = list(titles)
    planted = {frozenset((a, b)): m for a, b, m in PLANTED}
    pairs = [
        make_pair(a, b, planted.get(frozenset((a, b))), rng)
        for a, b in itertools.combinations(names, 2)
    ]
    pairs.sort(key=lambda p: -abs(p.robust_z.value or 0.0))
    rng = np.random.default_rng(seed)
    attributes = tuple(
        AttributeResult(
            name=name,
            title=title,
            balanced_accuracy=estimate(
                0.58 if name == "winking" else float(rng.uniform(0.86, 0.97)), 0.015, 2000
            ),
            learnt=name != "winking",
            share_present=estimate(0.4, 0.01, 8000, "wilson"),
            divergence_gaussian=estimate(0.2, 0.02, 400),
            divergence_histogram=estimate(0.2, 0.02, 400),
        )
        for name, title in titles.items()
    )
    return RelationshipsResult(
        layer="features.4",
        num_units=4608,
        num_images=768,
        num_available=8000,
        num_confirming=2000,
        stopped="all_decided",
        cut=0.2,
        zone=0.02,
        alpha=0.05,
        mask="none",
        mask_sizes={},
        attributes=attributes,
        relations=(
            RelationResult(name="unrelated", mean=0.02, sd=0.14, source="robust", num_pairs=189),
            RelationResult(
                name="probably_positive",
                mean=None,
                sd=None,
                source="robust",
                num_pairs=1,
                reason="1 pair, 8 are needed",
            ),
        ),
        pairs=tuple(pairs),
        estimator_agreement=Estimate(value=0.97, num_samples=190),
        top_drops=tuple(
            TopDrop(
                ranking=ranking,
                num_modes=n,
                ordinary=estimate(0.93, 0.01, 900),
                inside=estimate(0.93 - drop, 0.02, 900),
                drop=estimate(drop, 0.02, 900),
            )
            for ranking, n, drop in (
                ("audit", 5, 0.171),
                ("audit", 10, 0.134),
                ("entropy_smallest", 5, 0.046),
                ("entropy_smallest", 10, 0.035),
            )
        ),
        num_rules=190,
        num_decided=sum(p.outcome in {"as_expected", "broken"} for p in pairs),
    )


def make_findings(result: RelationshipsResult, audit: str = "relationships") -> list[Finding]:
    titles = {a.name: a.title for a in result.attributes}
    verdicts = {"broken": "fail", "as_expected": "pass"}
    found = []
    for pair in result.pairs:
        verdict = verdicts.get(pair.outcome, "inconclusive")
        a, b = titles[pair.a], titles[pair.b]
        claim = {
            "fail": f"The model takes evidence for {a} as evidence for {b}, more than the rule "
            "allows."
            if (pair.cosine.value or 0) > 0
            else f"The model takes evidence for {a} as evidence against {b}, against the rule.",
            "pass": f"The model relates {a} and {b} as the rule expects.",
        }.get(verdict, f"It is open whether the model relates {a} and {b} as the rule expects.")
        found.append(
            make_finding(
                audit=audit,
                code="BROKEN_RULE",
                verdict=verdict,
                severity="error",
                claim=claim,
                subjects=(pair.a, pair.b),
                estimates={"mean_cosine": pair.cosine, "robust_z": pair.robust_z},
                p_adjusted=pair.p_adjusted,
                actions=("Collect images in which the two attributes come apart, and train again.",)
                if verdict == "fail"
                else (),
                location=Location(file="specs/portraits.yaml", line=23, column=5),
            )
        )
        if verdict == "fail" and pair.cells:
            found.append(
                make_finding(
                    audit=audit,
                    code="FAILURE_MODE",
                    verdict="fail",
                    severity="error",
                    claim=f"On images with {a} but not {b} the model is 21 percentage points less "
                    "accurate than on other images with the same attributes.",
                    subjects=(pair.a, pair.b),
                    estimates={"drop": pair.cells[0].drop},
                    actions=(
                        f"Add training images with {a} but not {b}; there are 61 of them now.",
                    ),
                )
            )
    for attribute in result.attributes:
        if attribute.learnt is False:
            found.append(
                make_finding(
                    audit=audit,
                    code="NOT_LEARNT",
                    verdict="warn",
                    severity="warning",
                    claim=f"The model hardly tells {attribute.title}.",
                    subjects=(attribute.name,),
                    estimates={"balanced_accuracy": attribute.balanced_accuracy},
                    actions=(f"Check the labels of {attribute.title} and how many there are",),
                )
            )
    return found


def face(rng: np.random.Generator, size: int = 96) -> bytes:
    """A plain cartoon face as a JPEG."""
    colour = lambda lo, hi: tuple(int(v) for v in rng.integers(lo, hi, 3))  # noqa: E731
    image = Image.new("RGB", (size, size), colour(150, 250))
    draw = ImageDraw.Draw(image)
    s = size / 96
    draw.ellipse((14 * s, 4 * s, 82 * s, 80 * s), fill=colour(30, 120))
    draw.rectangle((20 * s, 78 * s, 76 * s, 96 * s), fill=colour(40, 200))
    draw.ellipse((22 * s, 14 * s, 74 * s, 84 * s), fill=(224, 180 - int(rng.integers(60)), 150))
    for x in (38, 58):
        draw.ellipse((x * s - 4, 40 * s - 3, x * s + 4, 40 * s + 3), fill=(40, 40, 60))
    draw.arc((36 * s, 54 * s, 60 * s, 72 * s), 10, 170, fill=(170, 30, 60), width=3)
    if rng.random() < 0.5:
        for x in (38, 58):
            draw.ellipse(
                (x * s - 8, 40 * s - 8, x * s + 8, 40 * s + 8), outline=(20, 20, 20), width=2
            )
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "SECRET-LOCATION"
    image.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def make_examples(
    result: RelationshipsResult, num: int, seed: int = 3
) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    images = {f"{k:04d}.jpg": face(rng) for k in range(num)}
    yy, xx = np.mgrid[0:24, 0:24] / 23.0
    names = [a.name for a in result.attributes]
    spots = {n: rng.uniform(0.2, 0.8, 2) for n in names}
    for a, b, _ in PLANTED:
        if a in spots and b in spots:
            spots[b] = spots[a] + 0.04
    maps = np.zeros((num, len(names), 24, 24), np.float32)
    for k, (i, n) in itertools.product(range(num), enumerate(names)):
        cx, cy = spots[n] + rng.normal(0, 0.03, 2)
        bump = np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / 0.02)
        maps[k, i] = bump + 0.15 * rng.random((24, 24))
    present = rng.choice(np.array([-1, 1], np.int8), size=(num, len(names)))
    return images, {"maps": maps, "present": present}


def make_spec(titles: dict[str, str], **report: object) -> AuditSpec:
    names = list(titles)
    return AuditSpec.model_validate_json(
        canonical_json(
            {
                "version": 1,
                "name": "portraits",
                "title": "Portrait attribute classifier, release 3",
                "owner": "catalogue team",
                "purpose": "Decides which portraits enter the catalogue search.",
                "out_of_scope": "Identification of persons.",
                "dataset": {"source": "portraits", "title": "Procedural portraits"},
                "model": {
                    "source": "builtin",
                    "name": "portraits_net",
                    "num_outputs": len(names),
                    "title": "Portraits network, four convolutions",
                },
                "attributes": {
                    n: {"output": i, "column": n, "title": t}
                    for i, (n, t) in enumerate(titles.items())
                },
                "rules": {
                    "separate": {
                        "among": names,
                        "expect": "unrelated",
                        "why": "Each attribute has a place of its own in the picture",
                    }
                },
                "audits": {"relationships": {"kind": "relationships", "layer": "features.4"}},
                "report": {"audience": "Catalogue steering board", **report},
            }
        )
    )


def make_record(findings: list[Finding], digest: str) -> RunRecord:
    num_fails = sum(finding.verdict == "fail" for finding in findings)
    inputs = (
        InputRecord(role="dataset train", name="portraits", digest="c" * 64, num_rows=8000),
        InputRecord(role="dataset test", name="portraits", digest="d" * 64, num_rows=2000),
        InputRecord(
            role="model weights",
            name="portraits_biased.safetensors",
            digest="e" * 64,
            num_bytes=1_400_000,
        ),
    )
    made = provenance(digest, command="auditor run portraits engine.device=cpu", inputs=inputs)
    verdict = "fail" if num_fails else "pass"
    title = "Attribute relationships"
    return RunRecord(
        run_id="20250301T140510Z-" + digest[:8],
        name="portraits",
        title="Portrait attribute classifier, release 3",
        status="ok",
        verdict=verdict,
        exit_code=1 if num_fails else 0,
        times=Interval(started="2025-03-01T14:05:10Z", ended="2025-03-01T14:06:42Z"),
        step_seconds={"aaaabbbbccccdddd": 41.0},
        host=HOST.model_copy(
            update={"determinism": {"seed": "0", "deterministic_algorithms": "true"}}
        ),
        provenance=made.model_copy(
            update={
                "revision": "0123456789abcdef0123456789abcdef01234567",
                "dirty": False,
                "overrides": ("engine.device=cpu",),
            }
        ),
        audits=(audit_record("relationships", "relationships", title, verdict, findings),),
        policy=(
            PolicyOutcome(
                name="fail_on",
                target="no open finding of severity error",
                value=f"{num_fails} open findings",
                verdict="fail" if num_fails else "pass",
            ),
            PolicyOutcome(
                name="min_decided",
                target="at least 80 % of the rules decided",
                value="90 % (171 of 190)",
                verdict="pass",
            ),
            PolicyOutcome(
                name="limit:worst_rule",
                target="robust_z of relationships at most 6.0",
                value="10.7 (10.4 to 11.0)",
                verdict="fail",
            ),
        ),
        quarantined=(Quarantined(sample="img_0193", split="train", reason="the file ends early"),),
    )


def write_run(
    out: Path,
    *,
    titles: dict[str, str] = TITLES,
    result: RelationshipsResult | None = None,
    findings: list[Finding] | None = None,
    num_examples: int = 24,
    review: bytes | None = None,
    **report: object,
) -> Path:
    """Write one finished run and return its directory."""
    result = result or make_result(titles)
    findings = make_findings(result) if findings is None else findings
    why = "Each attribute has a place of its own in the picture"
    rules = tuple(
        Rule(id="separate", a=a, b=b, expect="unrelated", severity="error", why=why, location=None)
        for a, b in itertools.combinations(titles, 2)
    )
    images, arrays = make_examples(result, num_examples)
    outcome = Outcome(
        result=result,
        findings=tuple(findings),
        arrays={"examples": arrays} if num_examples else {},
        images=images,
    )
    return write_finished_run(
        out,
        spec=make_spec(titles, **report),
        outcomes={"relationships": outcome},
        record=lambda digest: make_record(findings, digest),
        rules=rules,
        overrides=("engine.device=cpu",),
        review=review,
    )


EPOCH = "1740837600"

SIX = {name: name for name in ("smiling", "lipstick", "glasses", "necktie", "hat", "badge")}


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run with its report as HTML and PDF, sealed; tests that alter it take a copy."""
    folder = tmp_path_factory.mktemp("sealed")
    run = read_run(write_run(folder, titles=SIX, max_findings=2, num_examples=4, clauses=()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        render(run, formats=("html", "pdf"))
    with reopen_run(run.paths.root) as writer:
        writer.write_record(run.record)
        writer.seal()
    return run


@pytest.fixture(scope="session")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run with a PDF for an archive that shows no picture, beside no page; sealed."""
    folder = tmp_path_factory.mktemp("archived")
    run = read_run(
        write_run(folder, titles=SIX, num_examples=4, clauses=(), pdf_variant="pdf/a-3b")
    )
    render(run, formats=("pdf",), images="withheld")
    with reopen_run(run.paths.root) as writer:
        writer.seal()
    return run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with ten broken rules."""
    return read_run(write_run(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Writes a run with other titles, findings or report settings."""
    return lambda **changes: read_run(write_run(tmp_path_factory.mktemp("runs"), **changes))
