"""Groups and features that nothing can be learnt from are named as such, and break nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from auditor.audits.failures.compute import solve
from auditor.audits.failures.result import FailuresResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Context
from auditor.results.finding import Finding
from auditor.results.outcome import Outcome

MakeTable = Callable[..., TableState]
MakeSpec = Callable[..., FailuresSpec]
MakeContext = Callable[..., Context]


def audit(spec: FailuresSpec, context: Context, table: TableState) -> Outcome:
    trees = solve(spec, context, "trees", {"table": table})
    found = solve(spec, context, "result", {"trees": trees})
    assert isinstance(found, Outcome)
    assert isinstance(found.result, FailuresResult)
    FailuresResult.model_validate_json(found.result.model_dump_json())
    return found


def about(outcome: Outcome, name: str) -> tuple[GroupResult, Finding]:
    assert isinstance(outcome.result, FailuresResult)
    group = next(group for group in outcome.result.groups if group.id == name)
    return group, next(one for one in outcome.findings if one.subjects == (name,))


def with_failures(table: TableState, failing: Callable[[torch.Tensor], torch.Tensor]) -> TableState:
    """The table with other failures among cats: `failing` maps their positions to the failing."""
    truth = table.truth[:, 0]
    predicted = truth.clone()
    predicted[failing(torch.nonzero(truth == 0).flatten())] = 1
    return replace(table, predicted=predicted.reshape(-1, 1, 1))


@pytest.mark.parametrize("exploratory", [False, True])
def test_a_group_without_failures_passes(
    exploratory: bool, make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = with_failures(make_table(), lambda cats: cats[:0])
    spec = make_spec(confirm=None) if exploratory else make_spec()
    if exploratory:
        table = replace(table, part=torch.zeros_like(table.part))
    group, finding = about(audit(spec, make_context(), table), "label=cat")
    assert group.outcome == "no_failures"
    assert group.nodes == ()
    assert (finding.code, finding.verdict) == ("NO_SLICE", "pass")
    assert finding.claim == (
        "There is nothing to explain: the model makes no mistake on the pictures of the class cat."
    )


def test_a_group_with_one_failure_is_not_testable(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = with_failures(make_table(), lambda cats: cats[:1])
    group, finding = about(audit(make_spec(), make_context(), table), "label=cat")
    assert group.outcome == "not_testable"
    assert (finding.code, finding.verdict) == ("NOT_TESTABLE_GROUP", "inconclusive")
    assert group.reason is not None
    assert "at least 5 are needed" in group.reason
    assert group.reason in finding.claim
    assert set(finding.estimates) == {"base_error_rate"}


def test_a_group_with_only_failures_is_not_testable(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = with_failures(make_table(), lambda cats: cats)
    outcome = audit(make_spec(), make_context(), table)
    group, _ = about(outcome, "label=cat")
    assert group.outcome == "not_testable"
    assert group.reason is not None
    assert group.reason.startswith("it has 0\N{NO-BREAK SPACE}successes among the ")
    # Nothing at all is called a cat.
    empty, finding = about(outcome, "prediction=cat")
    assert empty.found.size == 0
    assert empty.outcome == "not_testable"
    assert finding.estimates["base_error_rate"].value is None


def test_constant_zero_and_broken_features_are_left_out_and_counted(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    features = table.features.clone()
    features[:, 0], features[:, 1] = 0.0, 3.5
    features[5, 2], features[6, 3] = torch.nan, torch.inf
    for method in ("none", "mutual_information", "binned"):
        spec = make_spec(selection={"method": method, "num_features": 29})
        outcome = audit(spec, make_context(), replace(table, features=features))
        group, finding = about(outcome, "label=cat")
        assert isinstance(outcome.result, FailuresResult)
        assert (outcome.result.num_constant, outcome.result.num_nonfinite) == (2, 2)
        assert group.num_features == 26
        assert finding.estimates["feature"].value == 7


def test_a_feature_that_is_constant_inside_a_group_alone_does_not_count_there(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    features = table.features.clone()
    features[table.truth[:, 0] == 0, 4] = 0.0
    outcome = audit(make_spec(), make_context(), replace(table, features=features))
    assert about(outcome, "label=cat")[0].num_features == 29
    assert about(outcome, "label=dog")[0].num_features == 30


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_an_extractor_without_any_usable_feature_makes_every_group_untestable(
    value: float, make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    broken = replace(table, features=torch.full_like(table.features, value))
    outcome = audit(make_spec(group_by=("label",)), make_context(), broken)
    assert isinstance(outcome.result, FailuresResult)
    assert {group.outcome for group in outcome.result.groups} == {"not_testable"}
    assert {finding.verdict for finding in outcome.findings} == {"inconclusive"}
    reasons = {group.reason for group in outcome.result.groups}
    assert reasons == {"the extractor gives no feature that is finite and changes between images"}
    assert outcome.result.aggregate[0].gain.value is None
    assert outcome.result.surface == ()


def test_unknown_labels_leave_every_group_empty(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    unknown = replace(table, truth=torch.full_like(table.truth, -1))
    spec = make_spec(group_by=("label", "prediction", "confusion", "union"))
    outcome = audit(spec, make_context(), unknown)
    assert isinstance(outcome.result, FailuresResult)
    assert outcome.result.num_unlabelled == 900
    assert len(outcome.result.groups) == 9
    assert {group.outcome for group in outcome.result.groups} == {"not_testable"}


def test_a_table_of_no_images_is_no_accident(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = make_table()
    none = TableState(**{name: value[:0] for name, value in vars(table).items()})
    outcome = audit(make_spec(), make_context(), none)
    assert {finding.verdict for finding in outcome.findings} == {"inconclusive"}


def test_a_tree_that_no_split_fits_has_one_leaf_and_no_slice(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    outcome = audit(make_spec(min_leaf=200), make_context(), make_table())
    group, finding = about(outcome, "label=cat")
    assert [node.index for node in group.nodes] == [1]
    assert [(tree.num_leaves, tree.best) for tree in group.depths] == [(1, None), (1, None)]
    assert [tree.gain for tree in group.depths] == pytest.approx([0.0, 0.0])
    assert (group.outcome, finding.code) == ("no_slice", "NO_SLICE")
    assert group.null_p_value.reason == "no feature can split the group"


def test_a_group_in_which_everything_fails_warns(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = with_failures(make_table(), lambda cats: cats)
    group, finding = about(audit(make_spec(), make_context(), table), "label=cat")
    assert group.outcome == "not_testable"
    assert (finding.code, finding.verdict) == ("NOT_TESTABLE_GROUP", "warn")
    assert "fails every time" in finding.claim
