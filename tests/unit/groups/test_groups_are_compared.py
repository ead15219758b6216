"""Groups through the audit's own needs: planted differences, ceilings, unknowns, overlaps."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import fisher_exact as scipy_fisher

from auditor.audits.groups.grouping import comparisons_of, groups_of
from auditor.audits.groups.needs import compared_output, needs
from auditor.errors import InputError, PlanError
from auditor.measure.fold import Masks
from auditor.needs import Output

MAPS = Output(kind="activation", network="model", layer="conv")


def planted(num_images: int, skin: torch.Tensor, *, filters: int = 6) -> torch.Tensor:
    """Maps [N, U, 7, 7] of small noise; filter 2 has one strong place where skin is deep (0)."""
    generator = torch.Generator().manual_seed(1)
    maps = torch.rand(num_images, filters, 7, 7, generator=generator)
    deep = (skin == 0).nonzero().flatten()
    maps[deep, 2, 3, 3] = 5.0 + torch.rand(len(deep), generator=generator)
    maps[:, 4] = 0.0
    return maps


@pytest.fixture
def skin():
    """50 deep, 150 light, 100 medium."""
    return torch.tensor([0] * 50 + [1] * 150 + [2] * 100)


@pytest.fixture
def batch(make_batch, skin):
    return make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": skin})


def test_the_planted_filter_is_found_and_nothing_else(make_spec, make_context, audit, batch):
    found = audit(make_spec(), make_context(), {"test": batch})
    deep, light, medium = found.result.comparisons
    largest = deep.differences[0]
    assert (largest.item, largest.title, largest.different) == (2, "filter 2", True)
    # The deep ones are among the others of the light and of the medium ones.
    assert [deep.num_different, light.num_different, medium.num_different] == [1, 1, 1]
    # 300 images of 49 places: 73 places are active, of which 50 are the planted ones.
    assert largest.first.value == 1.0
    assert largest.second.value <= 23 / 250
    finding = found.findings[0]
    assert finding.verdict == "fail"
    assert finding.claim.startswith(
        "Filter 2 is active in 100\u202f% of the pictures whose skin is deep and in "
    )
    assert finding.estimates["difference"] == largest.difference


def test_groups_without_a_difference_pass(make_spec, make_context, audit, make_batch, skin):
    age = torch.arange(300) % 2
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"age": age})
    found = audit(make_spec(by=["age"]), make_context(), {"test": batch})
    (finding,) = found.findings
    assert (finding.code, finding.verdict, finding.actions) == ("GROUP_DIFFERENCE", "pass", ())
    assert finding.claim == (
        "No filter differs surely by at least 10 points between the pictures whose age is old and "
        "the pictures whose age is young."
    )


def test_dead_filters_are_counted_and_not_tested(make_spec, make_context, audit, batch):
    found = audit(make_spec(), make_context(), {"test": batch})
    assert found.result.num_silent == 1
    assert all(d.item != 4 for c in found.result.comparisons for d in c.differences)
    row = found.tables["differences"]["item"].index(4)
    assert found.tables["differences"]["p_value"][row] is None


def test_batches_make_no_difference(make_spec, make_context, audit, batch):
    whole = audit(make_spec(), make_context(), {"test": batch})
    pieces = audit(make_spec(), make_context(), {"test": batch}, size=37)
    assert whole.result == pieces.result
    assert whole.tables == pieces.tables


def test_no_share_exceeds_the_ceiling(make_spec, make_context, audit, make_batch, skin):
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(300, 40, 7, 7, generator=generator)
    batch = make_batch(300, outputs={MAPS: maps}, columns={"skin": skin})
    result = audit(make_spec(), make_context(), {"test": batch}).result
    assert result.ceiling == pytest.approx(0.245)
    shares = []
    for comparison in result.comparisons:
        assert comparison.first_ceiling == pytest.approx(
            min(1.0, 0.245 * 300 / comparison.num_first)
        )
        for one in comparison.differences:
            assert one.first.value <= comparison.first_ceiling
            assert one.second.value <= comparison.second_ceiling
            active = one.first.value * comparison.num_first
            active += one.second.value * comparison.num_second
            shares.append(active / 300)
    # One active place per image at most: exactly the ceiling cannot be passed.
    assert max(shares) <= 0.245


def test_the_ceiling_is_reached_by_one_place_per_image(
    make_spec, make_context, audit, make_batch, skin
):
    maps = torch.zeros(300, 1, 7, 7)
    maps[:, 0, 0, 0] = torch.arange(300.0)
    batch = make_batch(300, outputs={MAPS: maps}, columns={"skin": skin})
    result = audit(make_spec(min_difference=0.0), make_context(), {"test": batch}).result
    one = result.comparisons[0].differences[0]
    active = one.first.value * 50 + one.second.value * 250
    assert active == pytest.approx(math.floor(0.005 * 49 * 300))


def test_p_values_are_fishers_and_corrected_together(make_spec, make_context, audit, batch):
    table = audit(make_spec(), make_context(), {"test": batch}).tables["differences"]
    rows = [i for i, p in enumerate(table["p_value"]) if p is not None]
    for i in rows:
        n, m = table["first_size"][i], table["second_size"][i]
        cells = [
            [table["first"][i], n - table["first"][i]],
            [table["second"][i], m - table["second"][i]],
        ]
        assert table["p_value"][i] == pytest.approx(scipy_fisher(cells)[1], abs=1e-12)
    smallest = min(table["p_value"][i] for i in rows)
    assert min(table["p_adjusted"][i] for i in rows) == pytest.approx(
        min(1.0, smallest * len(rows)), rel=1e-9
    )


def test_unknown_groups_are_left_out_and_counted(make_spec, make_context, audit, make_batch, skin):
    unknown = skin.clone()
    unknown[200:230] = -1
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": unknown})
    result = audit(make_spec(), make_context(), {"test": batch}).result
    assert result.num_unknown == 30
    assert all(c.num_first + c.num_second == 270 for c in result.comparisons)


def test_values_that_are_no_numbers_are_unknown(make_spec, make_context, audit, make_batch, skin):
    maps = planted(300, skin)
    maps[0, 2, 1, 1] = torch.nan
    maps[1, 2, 0, 0] = torch.inf
    batch = make_batch(300, outputs={MAPS: maps}, columns={"skin": skin})
    table = audit(make_spec(), make_context(), {"test": batch}).tables["differences"]
    assert [table["first_size"][item] for item in (1, 2)] == [50, 48]


def test_small_and_empty_groups_are_not_testable(make_spec, make_context, audit, make_batch, skin):
    age = torch.zeros(300)
    age[:5] = 1
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": skin, "age": age})
    found = audit(make_spec(by=["skin", "age"]), make_context(), {"test": batch})
    outcomes = {c.id: (c.outcome, c.reason) for c in found.result.comparisons}
    assert len(outcomes) == 6
    small = outcomes["skin=deep+age=young"]
    assert small == (
        "not_testable",
        "there are only 5 pictures whose skin is deep and age is young, and 20 are needed",
    )
    empty = outcomes["skin=light+age=young"]
    assert empty[1].startswith("there are no pictures whose skin is light and age is young")
    finding = next(f for f in found.findings if "skin=light+age=young" in f.subjects)
    assert (finding.code, finding.verdict) == ("NOT_TESTABLE_COMPARISON", "inconclusive")
    assert finding.estimates["difference"].value is None


def test_a_column_without_values_is_inconclusive(make_spec, make_context, audit, make_batch):
    context = make_context(columns={"age": (), "skin": ()})
    batch = make_batch(
        30,
        outputs={MAPS: torch.rand(30, 2, 3, 3)},
        columns={"skin": -torch.ones(30), "age": -torch.ones(30)},
    )
    found = audit(make_spec(), context, {"test": batch})
    assert [f.verdict for f in found.findings] == ["inconclusive"]
    assert found.result.comparisons == ()


def test_overlapping_groups_lose_what_is_in_both(make_spec, make_context, audit, make_batch, skin):
    named = {"not_deep": {"skin": ["light", "medium"]}, "not_light": {"skin": ["deep", "medium"]}}
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": skin})
    spec = make_spec(by=[], named=named, against="each_other")
    (one,) = audit(spec, make_context(), {"test": batch}).result.comparisons
    assert (one.num_first, one.num_second, one.num_both) == (150, 50, 100)
    assert one.id == "not_deep~not_light"
    rest = audit(make_spec(by=[], named=named), make_context(), {"test": batch}).result.comparisons
    assert [(c.num_first, c.num_second, c.num_both) for c in rest] == [(250, 50, 0), (150, 150, 0)]


def test_a_group_that_lost_images_to_the_other_is_named_alone(
    make_spec, make_context, audit, make_batch, skin
):
    named = {"not_deep": {"skin": ["light", "medium"]}, "not_light": {"skin": ["deep", "medium"]}}
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": skin})
    spec = make_spec(by=[], named=named, against="each_other")
    found = audit(spec, make_context(), {"test": batch})
    (one,) = found.result.comparisons
    assert (one.num_first, one.num_second, one.num_both) == (150, 50, 100)
    assert (one.first_title, one.second_title) == ("not deep alone", "not light alone")
    assert "of the pictures of the group “not deep” alone and in" in found.findings[0].claim


def test_columns_of_0_and_1_read_as_with_and_without(make_spec, make_context):
    context = make_context(columns={"hat": ("0", "1"), "skin": ("deep", "light")})
    groups = groups_of(make_spec(by=["skin", "hat"]), context)
    assert [group.title for group in groups] == [
        "skin deep, with “hat”",
        "skin deep, without “hat”",
        "skin light, with “hat”",
        "skin light, without “hat”",
    ]
    assert groups[1].images == "pictures without “hat” whose skin is deep"
    assert groups[1].conditions == {"skin": ("deep",), "hat": ("0",)}


@pytest.mark.parametrize(
    ("compare", "severity"),
    [
        ("filters", "note"),
        ("attributes", "note"),
        ("concepts", "note"),
        ("predictions", "warning"),
        ("networks", "warning"),
    ],
)
def test_what_is_compared_decides_the_severity_unless_the_spec_does(make_spec, compare, severity):
    by = [] if compare == "networks" else ["skin"]
    assert make_spec(compare=compare, by=by).weight == severity
    assert make_spec(compare=compare, by=by, severity="error").weight == "error"


def test_findings_weigh_what_the_spec_says(make_spec, make_context, audit, batch):
    for severity in (None, "error"):
        found = audit(make_spec(severity=severity), make_context(), {"test": batch})
        assert {f.severity for f in found.findings} == {severity or "note"}


def test_groups_that_are_the_same_share_nothing(make_spec, make_context, audit, make_batch, skin):
    named = {"a": {"skin": ["deep"]}, "b": {"skin": ["deep"]}}
    batch = make_batch(300, outputs={MAPS: planted(300, skin)}, columns={"skin": skin})
    spec = make_spec(by=[], named=named, against="each_other")
    (one,) = audit(spec, make_context(), {"test": batch}).result.comparisons
    assert (one.outcome, one.num_both) == ("not_testable", 50)


def test_two_groups_that_share_out_everything_are_compared_once(make_spec, make_context):
    context = make_context(columns={"skin": ("deep", "light")})
    groups = groups_of(make_spec(), context)
    assert [(c.first, c.second) for c in comparisons_of(make_spec(), context, groups)] == [(0, 1)]


def test_every_pair_on_demand(make_spec, make_context, audit, batch):
    found = audit(make_spec(against="each_other"), make_context(), {"test": batch})
    assert [c.id for c in found.result.comparisons] == [
        "skin=deep~skin=light",
        "skin=deep~skin=medium",
        "skin=light~skin=medium",
    ]
    assert found.findings[0].subjects == ("skin=deep", "skin=light")


def test_two_splits_are_two_groups_with_one_threshold(
    make_spec, make_context, audit, make_batch, skin
):
    one, other = planted(300, skin), planted(200, torch.ones(200))
    batches = {
        "test": make_batch(300, outputs={MAPS: one}),
        "other": make_batch(200, outputs={MAPS: other}),
    }
    spec = make_spec(by=[], splits=["test", "other"])
    (comparison,) = audit(spec, make_context(), batches).result.comparisons
    # T_u pools both splits: the floor(0.005 * 49 * 500) + 1 = 123rd largest value.
    limit = torch.cat([one, other])[:, 1].flatten().sort(descending=True).values[122]
    found = next(d for d in comparison.differences if d.item == 1)
    assert found.first.value == float((one[:, 1].amax((1, 2)) > limit).double().mean())
    assert found.second.value == float((other[:, 1].amax((1, 2)) > limit).double().mean())
    assert comparison.first_images == "pictures of the split “test”"


@pytest.mark.parametrize("shape", [(8,), (8, 1, 1)])
def test_layers_without_places_are_refused(make_spec, make_context, audit, make_batch, shape):
    batch = make_batch(30, outputs={MAPS: torch.rand(30, *shape)})
    with pytest.raises(
        InputError, match=r"puts out \[8.*\] per image: its units have no"
    ) as raised:
        audit(make_spec(), make_context(), {"test": batch})
    assert "auditor layers" in str(raised.value)


def test_too_many_combinations_are_refused(make_spec, make_context):
    columns = {"age": tuple(map(str, range(50))), "skin": tuple(map(str, range(50)))}
    with pytest.raises(PlanError, match="2,500 groups, at most 1,000"):
        groups_of(make_spec(by=["age", "skin"]), make_context(columns=columns))
    spec, context = make_spec(by=["age"], against="each_other"), make_context(columns=columns)
    groups = groups_of(spec, context)
    with pytest.raises(PlanError, match="1,225 pairs of groups"):
        comparisons_of(spec, context, groups)


def test_a_layer_must_be_named(make_spec, make_context):
    with pytest.raises(PlanError, match="does not say which layer"):
        needs("groups", make_spec(layer=None), make_context())


def test_labels_that_are_unknown_are_left_out(make_spec, make_context, audit, make_batch, skin):
    labels = torch.ones(300, 2)
    labels[skin == 1, 0] = -1
    labels[:10, 0] = 0
    labels[:, 1] = -1
    spec = make_spec(compare="attributes")
    batch = make_batch(300, columns={"skin": skin}, attributes=labels)
    found = audit(spec, make_context(), {"test": batch})
    deep = found.result.comparisons[0]
    (largest,) = deep.differences  # nobody has a hat: nothing to test
    assert (largest.title, largest.first.num_samples, largest.first.value) == ("smiling", 40, 1.0)
    assert largest.second.value == 100 / 250
    assert found.findings[0].claim.startswith("“smiling” is labelled in 100\u202f% of the pictures")


def test_concepts_are_read_off_the_annotation(make_spec, make_context, audit, make_batch, skin):
    spec = make_spec(compare="concepts")
    output = compared_output(spec, make_context())
    deep = (skin == 0).nonzero().flatten()
    masks = Masks(
        annotated=torch.arange(300) < 280,
        image=deep,
        concept=torch.ones(50, dtype=torch.int64),
        masks=torch.zeros(50, 8, 8, dtype=torch.bool),  # cut off by the crop, still listed
    )
    batch = make_batch(300, columns={"skin": skin}, masks={output: masks})
    found = audit(spec, make_context(), {"test": batch}, size=77)
    (largest,) = found.result.comparisons[0].differences
    assert (largest.title, largest.first.value, largest.second.value) == ("mouth", 1.0, 0.0)
    assert largest.second.num_samples == 230
    assert "“mouth” is annotated in 100" in found.findings[0].claim


def test_predictions_of_a_network_per_attribute(make_spec, make_context, audit, make_batch, skin):
    logits = torch.full((300, 2), -1.0)
    logits[skin == 0, 1] = 1.0
    logits[0, 1] = torch.nan
    output = Output(kind="logits", network="model")
    batch = make_batch(300, columns={"skin": skin}, outputs={output: logits})
    found = audit(make_spec(compare="predictions"), make_context(), {"test": batch})
    (largest,) = found.result.comparisons[0].differences
    assert (largest.title, largest.first.num_samples, largest.first.value) == ("a hat", 49, 1.0)
    assert "are called “a hat”, and 0\u202f% of the others." in found.findings[0].claim


def test_a_column_of_predictions_needs_no_network(make_spec, make_context, audit, make_batch, skin):
    context = make_context(head="multi_class", is_network=False)
    spec = make_spec(compare="predictions", layer=None)
    called = torch.where(skin == 0, 1, 2)
    called[-3:] = -1
    batch = make_batch(300, columns={"skin": skin}, predictions=called)
    deep = audit(spec, context, {"test": batch}).result.comparisons[0]
    assert [(d.title, d.first.value, d.second.value) for d in deep.differences] == [
        ("dog", 1.0, 0.0),
        ("car", 0.0, 1.0),
    ]
    assert deep.differences[0].second.num_samples == 247
    with pytest.raises(InputError, match="no column of predictions"):
        audit(spec, context, {"test": make_batch(300, columns={"skin": skin})})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"named": {"a": {"skin": ["deep"]}}}, "either from `by` or from `named`"),
        ({"by": []}, "name columns under `by`"),
        ({"compare": "networks"}, "takes no groups"),
    ],
)
def test_specs_that_mean_nothing_are_refused(make_spec, fields, message):
    with pytest.raises(ValueError, match=message):
        make_spec(**fields)
