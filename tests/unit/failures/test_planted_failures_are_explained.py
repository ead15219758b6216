"""From a table to findings: what is planted is found and confirmed, what is not is not claimed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save

from auditor.audits.failures.compute import solve, state_type
from auditor.audits.failures.describe import shown_leaf
from auditor.audits.failures.result import FailuresResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import GrownState, PicturesState, TableState
from auditor.context import Context
from auditor.measure.state import from_tensors, to_tensors
from auditor.results.base import canonical_json
from auditor.results.outcome import Outcome
from auditor.store.tables import array_bytes, table_bytes

MakeTable = Callable[..., TableState]
MakeSpec = Callable[..., FailuresSpec]
MakeContext = Callable[..., Context]


def grow(spec: FailuresSpec, context: Context, table: TableState) -> GrownState:
    """The trees, through bytes as between two processes."""
    found = solve(spec, context, "trees", {"table": table})
    assert state_type(spec, "trees") is GrownState
    return from_tensors(GrownState, load(save(to_tensors(found))))


def audit(spec: FailuresSpec, context: Context, table: TableState) -> Outcome:
    found = solve(spec, context, "result", {"trees": grow(spec, context, table)})
    assert isinstance(found, Outcome)
    return found


def result_of(outcome: Outcome) -> FailuresResult:
    assert isinstance(outcome.result, FailuresResult)
    return outcome.result


def group_of(outcome: Outcome, name: str) -> GroupResult:
    return next(group for group in result_of(outcome).groups if group.id == name)


def test_a_planted_failure_is_confirmed_with_its_feature_and_threshold(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    outcome = audit(make_spec(), make_context(), make_table())
    cat = group_of(outcome, "label=cat")
    leaf = shown_leaf(cat)
    assert cat.outcome == "slice"
    assert leaf is not None
    assert (leaf.depth, leaf.path[0].feature, leaf.path[0].side) == (1, 7, "low")
    assert abs(leaf.path[0].threshold - 0.3) < 0.05
    assert leaf.p_adjusted.value is not None
    assert leaf.p_adjusted.value < 1e-6
    assert leaf.error_rate.value is not None
    assert leaf.error_rate.value > 0.7
    assert cat.stability.value == 1.0
    assert cat.null_p_value.value == 1 / 20
    assert group_of(outcome, "label=dog").outcome == "no_slice"


def test_findings_name_the_slice_and_the_share_of_failures(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    outcome = audit(make_spec(), make_context(), make_table())
    finding = next(one for one in outcome.findings if one.subjects == ("label=cat",))
    assert finding.id == "failures/FAILING_SLICE:label=cat"
    assert finding.verdict == "fail"
    assert finding.severity == "warning"
    error_rate, base = finding.estimates["error_rate"], finding.estimates["base_error_rate"]
    assert error_rate.value is not None
    assert base.value is not None
    assert finding.claim.startswith(
        "When feature 7 (goes with smiling) is low, the model misses "
        f"{100 * error_rate.value:.0f}\N{NARROW NO-BREAK SPACE}% of the pictures of the class cat "
        f"instead of {100 * base.value:.0f}\N{NARROW NO-BREAK SPACE}%."
    )
    assert set(finding.estimates) == {
        "error_rate",
        "base_error_rate",
        "error_coverage",
        "excess",
        "aler_gain",
        "importance_value",
        "feature",
        "threshold",
        "null_p_value",
        "stability",
    }
    assert finding.estimates["feature"].value == 7
    assert finding.actions
    dog = next(one for one in outcome.findings if one.subjects == ("label=dog",))
    assert (dog.code, dog.verdict) == ("NO_SLICE", "pass")
    for one in (finding, dog):
        gain = one.estimates["aler_gain"]
        assert 0 <= (gain.low or 0.0) <= (gain.value or 0.0) < (gain.high or 0.0)
    assert len(outcome.findings) == len(result_of(outcome).groups) == 6


def test_shuffled_failures_give_no_finding_in_most_draws(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    spec = make_spec(permutations=0, resamples=0)
    claimed = sum(
        any(
            finding.code == "FAILING_SLICE"
            for finding in audit(
                spec, make_context(), make_table(shuffled=True, seed=seed)
            ).findings
        )
        for seed in range(20)
    )
    # At a level of 0.05, four or more of 20 would have a chance below 0.02 even without τ and ρ.
    assert claimed <= 3


def test_exploratory_mode_warns_and_tests_nothing(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    table = replace(table, part=torch.zeros_like(table.part))
    outcome = audit(make_spec(confirm=None), make_context(), table)
    result = result_of(outcome)
    assert result.exploratory
    assert result.num_tested == 0
    assert result.num_found == 900
    cat = group_of(outcome, "label=cat")
    assert cat.outcome == "exploratory"
    assert cat.confirmed is None
    assert all(node.confirmed is None for node in cat.nodes)
    leaf = shown_leaf(cat)
    assert leaf is not None
    assert leaf.valid
    assert not leaf.confirmed
    assert leaf.p_value.value is None
    assert leaf.p_value.reason == leaf.p_adjusted.reason == "nothing was held back to test on"
    finding = next(one for one in outcome.findings if one.subjects == ("label=cat",))
    assert (finding.code, finding.verdict) == ("FAILING_SLICE", "warn")
    assert "Exploratory: " in finding.claim
    assert "nothing was held back" in finding.claim
    assert {one.verdict for one in outcome.findings} <= {"warn", "pass", "inconclusive"}


@pytest.mark.parametrize("method", ["none", "mutual_information", "binned"])
def test_every_selection_finds_the_planted_feature(
    method: str, make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    spec = make_spec(selection={"method": method, "num_features": 4})
    cat = group_of(audit(spec, make_context(), make_table()), "label=cat")
    leaf = shown_leaf(cat)
    assert leaf is not None
    assert leaf.path[0].feature == 7
    assert cat.num_features == (30 if method == "none" else 4)


def test_two_runs_give_the_same_bytes_and_groups_do_not_depend_on_each_other(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    first = audit(make_spec(), make_context(), table)
    second = audit(make_spec(), make_context(), table)
    assert first.result.model_dump_json() == second.result.model_dump_json()
    assert first.findings == second.findings
    alone = group_of(audit(make_spec(group_by=("label",)), make_context(), table), "label=cat")
    both = group_of(first, "label=cat")
    assert alone.nodes == both.nodes
    assert alone.null_p_value == both.null_p_value
    assert alone.stability == both.stability


def test_everything_is_strict_json_and_storable(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    outcome = audit(make_spec(), make_context(), make_table())
    text = outcome.result.model_dump_json()
    canonical_json(json.loads(text))
    assert FailuresResult.model_validate_json(text) == outcome.result
    for table in outcome.tables.values():
        table_bytes(table)
    leaves = [leaf for group in result_of(outcome).groups for leaf in group.leaves]
    assert len(outcome.tables["leaves"]["node"]) == len(leaves) == result_of(outcome).num_tested
    assert len(outcome.tables["groups"]["id"]) == 6


def test_samples_say_where_each_image_lies(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    outcome = audit(make_spec(), make_context(), table)
    samples = outcome.tables["samples"]
    cat = group_of(outcome, "label=cat")
    mine = [k for k, group in enumerate(samples["group"]) if group == "label=cat"]
    held = [k for k in mine if samples["part"][k] == "confirming"]
    assert cat.confirmed is not None
    assert len(held) == cat.confirmed.size
    assert sum(samples["failed"][k] for k in held) == cat.confirmed.failures
    values = {int(row): float(v) for row, v in zip(table.rows, table.features[:, 7], strict=True)}
    threshold = cat.nodes[0].threshold
    assert threshold is not None
    for k in mine:
        path = f"{samples['node'][k]:b}"[1:]
        assert path.startswith("0" if values[samples["row"][k]] <= threshold else "1")


def test_two_networks_stand_side_by_side(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    other = make_table(shuffled=True)
    table = replace(table, predicted=torch.cat([table.predicted, other.predicted], 1))
    spec = make_spec(inspect=("model", "extractor"), group_by=("label",))
    result = result_of(audit(spec, make_context(), table))
    assert [group.id for group in result.groups] == [
        f"label={name}@{role}" for role in ("model", "extractor") for name in ("cat", "dog", "car")
    ]
    assert result.inspected == {"model": "a small network", "extractor": "features"}
    rows = {(row.inspected, row.depth): row for row in result.aggregate}
    assert set(rows) == {(role, depth) for role in ("model", "extractor") for depth in (1, 2)}
    assert rows["model", 1].num_groups == 3
    assert rows["model", 1].num_confirmed == 1
    assert rows["extractor", 1].num_confirmed == 0
    gain = rows["model", 1].normalised_gain
    assert gain.value is not None
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low <= gain.value <= gain.high


def pictures_of(grown: GrownState, *, missing: int) -> PicturesState:
    """As the visit leaves them, with one image unreadable."""
    rows = grown.rows[grown.rows != missing]
    shown = (grown.activating >= 0) & (grown.activating != missing)
    shape = grown.activating.shape
    pixels = (rows.reshape(-1, 1, 1, 1) % 251).expand(-1, 3, 16, 16).to(torch.uint8)
    return PicturesState(
        rows=rows,
        pixels=pixels,
        shown=shown.to(torch.uint8),
        maps=torch.rand(*shape, 4, 4),
        attacked=torch.full((*shape, 3, 16, 16), 200, dtype=torch.uint8),
        before=torch.ones(shape),
        after=torch.full(shape, 2.0),
        distance=torch.full(shape, 0.5),
    )


def test_pictures_show_the_feature_and_the_held_back_failures_of_the_slice(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    spec = make_spec(pictures={"findings": 3, "images": 4, "failures": 3})
    context = make_context()
    grown = grow(spec, context, table)
    assert grown.feature.tolist()[0] == 7
    top = table.rows[table.features[:, 7].sort(descending=True).indices[:4]]
    assert grown.activating[0].tolist() == top.tolist()
    position = {int(row): k for k, row in enumerate(table.rows)}
    for row in grown.failures[0].tolist():
        k = position[row]
        assert table.part[k] == 1
        assert table.truth[k, 0] == 0
        assert table.predicted[k, 0, 0] != 0
        assert table.features[k, 7] < 0.35
    for row in grown.successes[0].tolist():
        assert table.predicted[position[row], 0, 0] == 0
    asked = torch.cat([grown.activating, grown.failures, grown.successes], 1).flatten()
    assert grown.rows.tolist() == sorted(set(asked[asked >= 0].tolist()))

    missing = int(grown.activating[0, 1])
    states = {"trees": grown, "pictures": pictures_of(grown, missing=missing)}
    outcome = solve(spec, context, "result", states)
    assert isinstance(outcome, Outcome)
    picture = result_of(outcome).pictures[0]
    assert picture.group == "label=cat"
    assert len(picture.activating) == len(picture.attacked) == 3
    assert picture.attacked_activations == (2.0, 2.0, 2.0)
    assert picture.heatmaps == 0
    maps = outcome.arrays["pictures"]["maps"]
    assert maps.dtype == np.float32
    assert len(maps) == sum(len(one.activating) for one in result_of(outcome).pictures)
    array_bytes(outcome.arrays["pictures"])
    named = {*picture.activating, *picture.attacked, *picture.failures, *picture.successes}
    assert named <= set(outcome.images)
    opened = Image.open(BytesIO(outcome.images[picture.activating[0]]))
    assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", (16, 16), {})
    evidence = next(f for f in outcome.findings if f.subjects == ("label=cat",)).evidence
    assert f"audits/failures/images/{picture.activating[0]}" in evidence


def test_without_a_network_the_store_tells_how_active_an_image_is(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table, context = make_table(), make_context()
    spec = make_spec(pictures={"findings": 1, "images": 2, "failures": 2})
    grown = grow(spec, context, table)
    seen = replace(
        pictures_of(grown, missing=-2),
        maps=torch.zeros(0),
        attacked=torch.zeros(0, dtype=torch.uint8),
        before=torch.zeros(1, 2),
    )
    outcome = solve(spec, context, "result", {"trees": grown, "pictures": seen})
    assert isinstance(outcome, Outcome)
    (picture,) = result_of(outcome).pictures
    assert picture.activations == pytest.approx(table.features[:, 7].topk(2).values.tolist())
    assert (picture.attacked, picture.distances, picture.heatmaps) == ((), (), None)
    assert outcome.arrays == {}


def test_where_no_slice_stands_no_picture_is_asked_for(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    spec = make_spec(pictures={"findings": 3})
    grown = grow(spec, make_context(), make_table(inside=0.1, seed=3))
    assert grown.rows.shape == (0,)
    assert grown.activating.shape == (0, 5)
    assert grown.failures.shape == (0, 5)


def test_unknown_names_and_missing_inputs_are_refused(
    make_spec: MakeSpec, make_context: MakeContext
) -> None:
    with pytest.raises(ValueError, match="no solve named 'leaves'"):
        solve(make_spec(), make_context(), "leaves", {})
    with pytest.raises(ValueError, match="'table' must be a TableState"):
        solve(make_spec(), make_context(), "trees", {})
    states: dict[str, Any] = {"table": TableState, "trees": GrownState, "pictures": PicturesState}
    assert {name: state_type(make_spec(), name) for name in states} == states
    with pytest.raises(ValueError, match="keeps no state named 'masks'"):
        state_type(make_spec(), "masks")


def test_a_failure_that_follows_one_of_many_features_is_found_every_time(
    make_spec: MakeSpec, make_context: MakeContext
) -> None:
    """300 images, 2048 features; it fails exactly where one of them is low, across a gap."""
    spec = make_spec(group_by=("label",), permutations=0, resamples=0)
    context = make_context(classes=("purse",))
    for trial in range(20):
        generator = torch.Generator().manual_seed(trial)
        features = torch.rand(300, 2048, generator=generator)
        planted = int(torch.randint(2048, (1,), generator=generator))
        low = torch.rand(300, generator=generator) < 0.3
        spread = 0.4 * torch.rand(300, generator=generator)
        features[:, planted] = torch.where(low, spread, 0.6 + spread)
        table = TableState(
            rows=torch.arange(300),
            part=(torch.rand(300, generator=generator) < 0.5).to(torch.int8),
            truth=torch.zeros(300, 1, dtype=torch.int64),
            predicted=low.long().reshape(-1, 1, 1),
            columns=torch.zeros(300, 0, dtype=torch.int64),
            attributes=torch.zeros(300, 0, dtype=torch.int8),
            features=features,
        )
        (group,) = result_of(audit(spec, replace(context, attributes=()), table)).groups
        leaf = shown_leaf(group)
        assert leaf is not None
        assert (leaf.path[0].feature, leaf.path[0].side, leaf.depth) == (planted, "low", 1)
        assert 0.4 < leaf.path[0].threshold < 0.6
        assert leaf.error_rate.value == 1.0
        assert leaf.error_coverage.value == 1.0
