"""From batches to groups: who is in which group, on which part, and how groups read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from auditor.audits.failures.compute import measurement
from auditor.audits.failures.describe import (
    condition_text,
    display_name,
    leaf_claim,
    rule_text,
    two_percent,
)
from auditor.audits.failures.folds import parts
from auditor.audits.failures.groups import Group, make_groups
from auditor.audits.failures.result import (
    ConditionResult,
    Counts,
    FeatureResult,
    GroupResult,
    LeafResult,
    Side,
    SuggestionResult,
)
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Context, Extractor
from auditor.errors import InputError
from auditor.measure.fold import Batch
from auditor.measure.state import merge_all
from auditor.needs import Output
from auditor.results.estimate import Estimate

MakeTable = Callable[..., TableState]
MakeSpec = Callable[..., FailuresSpec]
MakeContext = Callable[..., Context]

FEATURES = Output(kind="features", network="extractor")


def batch(num_images: int, outputs: Mapping[Output, Tensor], **changes: Any) -> Batch:
    plain = Batch(
        ids=tuple(f"image-{k}" for k in range(num_images)),
        rows=torch.arange(num_images),
        pixels={},
        attributes=torch.zeros(num_images, 2),
        labels=torch.arange(num_images) % 3,
        predictions=None,
        columns={},
        outputs={FEATURES: torch.rand(num_images, 4), **outputs},
    )
    return replace(plain, **changes)


def by_id(groups: list[Group]) -> dict[str, Group]:
    return {group.id: group for group in groups}


def test_a_class_is_predicted_by_the_largest_of_all_logits(
    make_spec: MakeSpec, make_context: MakeContext
) -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0, 9.0], [3.0, 2.0, 1.0, 0.0], [0.0, torch.nan, 1.0, 0.0]])
    given = batch(3, {Output(kind="logits"): logits})
    state = measurement(make_spec(), make_context(), "table", {}).measure(given)
    assert state.predicted.tolist() == [[[3]], [[0]], [[-1]]]
    assert state.truth.tolist() == [[0], [1], [2]]
    assert state.features.dtype == torch.float32


def test_attributes_are_two_class_tasks_at_their_own_output(
    make_spec: MakeSpec, make_context: MakeContext
) -> None:
    context = make_context(head="multi_label")
    spec = make_spec(attributes=("hat", "smile"))
    logits = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [torch.nan, 0.0]])
    attributes = torch.tensor([[1.0, -1.0], [0.0, 1.0], [-1.0, -1.0]])
    given = batch(3, {Output(kind="logits"): logits}, attributes=attributes, labels=None)
    state = measurement(spec, context, "table", {}).measure(given)
    assert state.truth.tolist() == [[0, 1], [1, -1], [0, 0]]
    assert state.predicted[:, 0].tolist() == [[0, 1], [1, 0], [0, -1]]
    assert state.attributes.tolist() == [[1, -1], [0, 1], [-1, -1]]


def test_predictions_may_come_from_a_column(make_spec: MakeSpec, make_context: MakeContext) -> None:
    context = make_context(is_network=False)
    given = batch(3, {}, predictions=torch.tensor([2, -1, 0]))
    state = measurement(make_spec(), context, "table", {}).measure(given)
    assert state.predicted.flatten().tolist() == [2, -1, 0]
    with pytest.raises(InputError, match="one class per image"):
        measurement(make_spec(), context, "table", {}).measure(batch(3, {}))


def test_both_networks_may_be_inspected(make_spec: MakeSpec, make_context: MakeContext) -> None:
    extractor = Extractor("robust", "extractor", "relu1", "mean", None, None, True)
    context = make_context(extractor=extractor)
    spec = make_spec(inspect=("model", "extractor"))
    units = Output(kind="features", network="extractor", layer="relu1", pool="mean")
    outputs = {
        Output(kind="logits"): torch.eye(3),
        Output(kind="logits", network="extractor"): torch.eye(3).flip(0),
        units: torch.rand(3, 4),
    }
    state = measurement(spec, context, "table", {}).measure(batch(3, outputs))
    assert state.predicted[:, :, 0].tolist() == [[0, 2], [1, 1], [2, 0]]


def test_parts_follow_the_id_alone_and_hold_their_share() -> None:
    ids = tuple(f"image-{k}" for k in range(4000))
    for share in (0.2, 0.5, 0.8):
        part = parts(ids, share)
        # Four standard deviations of a binomial share.
        assert abs(part.double().mean() - share) < 4 * (share * (1 - share) / 4000) ** 0.5
        assert parts(ids[::-1], share).tolist() == part.tolist()[::-1]
    assert not parts(ids, None).any()


def test_a_larger_confirming_share_keeps_what_was_held_back() -> None:
    ids = tuple(f"image-{k}" for k in range(500))
    assert bool((parts(ids, 0.3) <= parts(ids, 0.6)).all())


def test_states_do_not_depend_on_batches(make_spec: MakeSpec, make_context: MakeContext) -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    whole = batch(10, {Output(kind="logits"): logits})
    working = measurement(make_spec(), make_context(), "table", {})
    pieces = [
        replace(
            whole,
            ids=whole.ids[a:b],
            rows=whole.rows[a:b],
            attributes=whole.attributes[a:b],
            labels=whole.labels[a:b] if whole.labels is not None else None,
            outputs={output: value[a:b] for output, value in whole.outputs.items()},
        )
        for a, b in ((0, 3), (3, 4), (4, 10))
    ]
    merged, once = merge_all([working.measure(one) for one in pieces]), working.measure(whole)
    for name in ("rows", "part", "truth", "predicted", "columns", "attributes", "features"):
        assert torch.equal(getattr(merged, name), getattr(once, name))
    assert not working.enough(once)


def test_groups_hold_the_images_that_their_grouping_says(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    truth = torch.tensor([0, 0, 0, 1, 1, 2, 2, -1, 0])
    predicted = torch.tensor([0, 1, 1, 1, 0, 2, 5, 0, -1])
    table = replace(
        make_table(num_images=9),
        truth=truth.unsqueeze(1),
        predicted=predicted.reshape(-1, 1, 1),
        columns=torch.tensor([0, 1, 0, 1, -1, 0, 1, 0, 0]).unsqueeze(1),
    )
    spec = make_spec(group_by=("label", "prediction", "confusion", "union"), columns=("camera",))
    context = make_context(columns={"camera": ("old", "new")})
    groups = by_id(list(make_groups(spec, context, table)))
    members = {name: group.members.tolist() for name, group in groups.items()}
    failed = {name: group.members[group.failed].tolist() for name, group in groups.items()}
    assert members["label=cat"] == [0, 1, 2]
    assert members["label=car"] == failed["prediction=car"] + [5, 6]
    assert failed["label=car"] == [6]
    assert members["prediction=cat"] == [0, 4]
    assert members["union=cat"] == [0, 1, 2, 4]
    assert members["confusion=cat+dog"] == [0, 1, 2, 3, 4]
    assert failed["confusion=cat+dog"] == [1, 2, 4]
    assert members["column:camera=old"] == [0, 2, 5]
    assert members["column:camera=new"] == [1, 3, 6]
    assert sum(name.startswith("confusion") for name in groups) == 1
    assert groups["union=cat"].images == "pictures that are of the class cat or that it calls cat"
    assert groups["column:camera=new"].images == "pictures whose camera is new"


def test_attribute_groups_read_as_sentences(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> None:
    table = replace(
        make_table(num_images=4),
        truth=torch.tensor([[0, 1], [1, 0], [1, 1], [0, -1]]),
        predicted=torch.tensor([[0, 0], [1, 0], [0, 1], [0, 1]]).unsqueeze(1),
    )
    groups = by_id(list(make_groups(make_spec(), make_context(head="multi_label"), table)))
    assert list(groups)[:4] == [
        "smile:label=absent",
        "smile:label=present",
        "smile:prediction=absent",
        "smile:prediction=present",
    ]
    present = groups["smile:label=present"]
    assert (present.images, present.wrong) == ("pictures that show smiling", "misses")
    assert present.failed.tolist() == [False, True]
    absent = groups["smile:label=absent"]
    assert (absent.images, absent.wrong) == ("pictures that do not show smiling", "is wrong about")
    sees = groups["hat:prediction=present"]
    assert sees.images == "pictures in which it sees a hat"
    assert sees.members.tolist() == [2]


def condition(feature: int, side: Side, threshold: float = 0.431) -> ConditionResult:
    return ConditionResult(feature=feature, side=side, threshold=threshold)


def leaf(*path: ConditionResult, error_rate: float = 0.333) -> LeafResult:
    absent = Estimate.absent("not needed")
    return LeafResult(
        node=2,
        depth=len(path),
        path=path,
        error_rate=Estimate(value=error_rate),
        excess=absent,
        error_coverage=absent,
        importance_value=0.1,
        p_value=absent,
        p_adjusted=absent,
        valid=True,
        confirmed=True,
    )


def purse(**changes: Any) -> GroupResult:
    fields: dict[str, Any] = {
        "id": "label=purse",
        "inspected": "model",
        "attribute": None,
        "grouping": "label",
        "value": "purse",
        "images": "pictures of the class purse",
        "wrong": "misses",
        "outcome": "slice",
        "found": Counts(size=100, failures=50),
        "confirmed": Counts(size=100, failures=22),
        "null_p_value": Estimate.absent("not needed"),
        "stability": Estimate.absent("not needed"),
    }
    return GroupResult.model_validate({**fields, **changes})


def test_a_claim_reads_like_the_papers_sentence() -> None:
    said = leaf_claim(purse(), leaf(condition(638, "low")), {638: "buckle"})
    assert said.replace("\N{NARROW NO-BREAK SPACE}", " ") == (
        "When buckle is low, the model misses 33 % of the pictures of the class purse instead of "
        "22 %."
    )
    other = purse(inspected="extractor", confirmed=None)
    deep = leaf_claim(other, leaf(condition(1, "low"), condition(2, "high")), {})
    assert deep.startswith("When feature 1 is low and feature 2 is high, the feature network ")
    assert deep.replace("\N{NARROW NO-BREAK SPACE}", " ").endswith("instead of 50 %.")


def test_a_feature_asked_from_both_sides_lies_between() -> None:
    path = (condition(1, "low", 2.0), condition(3, "high"), condition(1, "high", -0.25))
    assert condition_text(path, {}) == "feature 1 is neither low nor high and feature 3 is high"
    assert rule_text(path, {3: "fur"}) == (
        "feature 1 ≤ 2, fur > 0.431 and feature 1 > \N{MINUS SIGN}0.25"
    )


def test_close_shares_get_the_digits_that_tell_them_apart() -> None:
    plain = [text.replace("\N{NARROW NO-BREAK SPACE}", " ") for text in two_percent(0.333, 0.331)]
    assert plain == ["33.3 %", "33.1 %"]


def test_only_a_clear_attribute_stands_beside_a_number() -> None:
    def feature(auc: float, side: Side, name: str | None = None) -> FeatureResult:
        suggestion = SuggestionResult(
            attribute="smile", title="smiling", present_when=side, auc=Estimate(value=auc)
        )
        return FeatureResult(
            index=17, name=name, suggestion=suggestion, low=0.0, high=1.0, groups=()
        )

    assert display_name(feature(0.9, "high")) == "feature 17 (goes with smiling)"
    assert display_name(feature(0.9, "low")) == "feature 17 (goes with the absence of smiling)"
    assert display_name(feature(0.6, "high")) == "feature 17"
    assert display_name(feature(0.9, "high", "teeth")) == "teeth"
