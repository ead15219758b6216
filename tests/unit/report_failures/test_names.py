"""Names and judgements of people: applied to their own network and layer, and to nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.audits.failures.describe import strongest
from auditor.audits.filters.result import WordResult
from auditor.report.failures import extractor_digest, failures_section
from auditor.report.page import make_page
from auditor.report.render import render
from tests.unit.report_filters.conftest import make_result as make_filters

DIGEST = "9b1d" + "a" * 60
KEY = f"{DIGEST}:relu1"
OTHER = "c" * 64

NAMED = {
    "outcome": "named",
    "words": tuple(
        WordResult(
            word=word, share=share, by_chance=0.4, stands_out=share > 0.5, score=0.5, novel=False
        )
        for word, share in (("cup", 0.61), ("person", 0.5), ("handle", 0.55))
    ),
}
"""What a filter audit may say of a unit: two words stand out, and a common one does not."""


def review(key: str, number: int, *, name: str = "grin", kind: str = "spurious") -> bytes:
    return f"""version: 1
features:
  "{key}":
    "{number}":
      name: "{name}"
      kind: {kind}
      reviewer: J. Doe
      date: 2026-03-02
      comment: Only in studio pictures.
""".encode()


@pytest.fixture(scope="module")
def feature(run) -> int:
    """The feature of the strongest finding."""
    ((_, leaf),) = strongest(run.results["failures"], 1)
    return leaf.path[-1].feature


def first_case(run):
    return make_page(run).sections[0].body.cases[0]


@pytest.mark.parametrize("key", [KEY, DIGEST])
def test_a_name_appears_in_claim_tree_and_summary(make_run, feature, key):
    run = make_run(review=review(key, feature))
    case = first_case(run)
    assert "grin is low" in case.claim
    assert "grin" in case.drawing.alt
    assert "is called “grin” by a person (J. Doe, 2026-03-02)." in case.feature[0]
    assert "Only in studio pictures." in case.feature
    assert any("grin is low" in finding.claim for finding in make_page(run).summary.findings)
    (path,) = render(run, formats=("html",))
    assert "grin is low" in path.read_text()


def test_show_names_it_too(make_run, feature, auditor):
    run = make_run(review=review(KEY, feature))
    assert "grin is low" in auditor("show", str(run.paths.root), "--json").out


def test_a_judgement_changes_what_to_do(run, make_run, feature):
    steps = {
        kind: {step.category for step in first_case(make_run(review=reviewed)).steps}
        for kind, reviewed in (
            (None, None),
            ("spurious", review(KEY, feature)),
            ("causal", review(KEY, feature, kind="causal")),
            ("unsure", review(KEY, feature, kind="unsure")),
        )
    }
    assert "masking" in steps["spurious"]
    assert "masking" not in steps["causal"]
    assert "augmentation" in steps["causal"]
    assert steps["unsure"] == steps[None]
    page = make_page(make_run(review=review(KEY, feature)))
    assert any("Hide grin" in action for action in page.summary.actions)
    assert not first_case(make_run(review=review(KEY, feature))).undecided
    assert first_case(run).undecided


@pytest.mark.parametrize("key", [OTHER, f"{OTHER}:relu1", f"{DIGEST}:relu4"])
def test_a_name_for_another_network_or_layer_is_told_and_not_applied(make_run, feature, key):
    run = make_run(review=review(key, feature))
    body = make_page(run).sections[0].body
    assert "grin" not in body.cases[0].claim
    assert "1\u00a0name of features that is not shown here" in body.elsewhere
    (path,) = render(run, formats=("html",))
    assert "grin" not in path.read_text()


def test_names_change_no_digest_and_no_verdict(run, make_run, feature):
    named = make_run(review=review(KEY, feature))
    page, plain = make_page(named), make_page(run)
    assert page.summary.tally == plain.summary.tally
    assert [f.evidence_digest for f in named.findings] == [f.evidence_digest for f in run.findings]


def decision(finding, digest: str) -> bytes:
    return f"""version: 1
findings:
  "{finding.id}":
    decision: confirmed
    evidence_digest: {digest}
    reviewer: J. Doe
    date: 2026-03-02
    name: shadow
    kind: spurious
""".encode()


def test_a_decision_may_name_the_feature_of_its_finding(run, make_run):
    ((group, _),) = strongest(run.results["failures"], 1)
    finding = next(f for f in run.findings if group.id in f.subjects)
    named = first_case(make_run(review=decision(finding, finding.evidence_digest)))
    assert "shadow is low" in named.claim
    assert "masking" in {step.category for step in named.steps}
    stale = first_case(make_run(review=decision(finding, "f" * 64)))
    assert "shadow" not in stale.claim


WEIGHTS = {"role": "extractor weights", "name": "r.safetensors", "digest": "1" * 64}
MODEL = {"role": "model weights", "name": "m.safetensors", "digest": "2" * 64}
TABLE = {"role": "features test", "name": "f.npy", "digest": "3" * 64}


@pytest.mark.parametrize(
    ("extractor", "digest"),
    [
        (
            {"source": "builtin", "name": "robust_resnet4b", "num_outputs": 10, "layer": "relu1"},
            "1" * 64,
        ),
        ({"source": "python", "file": "net.py", "layer": "relu1"}, "1" * 64),
        ({"source": "model", "layer": "layer3"}, "2" * 64),
        ({"source": "features", "files": {"test": "f.npy"}}, "3" * 64),
    ],
)
def test_the_digest_is_that_of_what_the_features_come_from(make_run, extractor, digest):
    from auditor.results.run_record import InputRecord

    inputs = tuple(InputRecord(**given) for given in (MODEL, WEIGHTS, TABLE))
    run = make_run(extractor=extractor, provenance={"inputs": inputs, "training": ()})
    assert extractor_digest(run, "test") == digest
    assert make_page(run).sections[0].body.key == f"{digest}:relu1"


def test_without_a_digest_nothing_is_offered_to_copy(make_run):
    body = make_page(make_run(provenance={"inputs": (), "training": ()})).sections[0].body
    assert body.snippet == ""
    assert body.key == ""


def test_words_of_a_filter_audit_are_suggested_with_their_share_and_copied_without(run):
    spec, result = run.spec.audits["failures"], run.results["failures"]
    features = tuple(
        f.model_copy(update={"name": None, "suggestion": None}) for f in result.features
    )
    result = result.model_copy(update={"features": features})
    words = make_filters(
        units=max(f.index for f in features) + 1, cards=0, inspected="extractor", layer="relu1"
    )
    named = [unit.model_copy(update=NAMED) for unit in words.filters]
    words = words.model_copy(update={"filters": tuple(named)})
    both = replace(run, results={"failures": result, "filters": words})
    section = failures_section(both, "failures", spec, result)
    assert "· cup, handle (0.61): words that" in " ".join(section.cases[0].feature)
    assert 'name: "cup, handle"' in section.snippet
    assert "0.61" not in section.snippet
