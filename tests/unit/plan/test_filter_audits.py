"""A plan with filter audits and comparisons of groups: what is shared, identified, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from auditor.compose.composed import Composed
from auditor.context import Concept, Words
from auditor.errors import InputError, PlanError
from auditor.plan.context import make_context
from auditor.plan.facts import take_stock
from auditor.plan.identity import content_id, fold_ingredients, probe_key
from auditor.plan.make import make_plan
from auditor.plan.steps import Plan, Scan, Solve, Train, Visit
from auditor.spec.portraits import PARTS

Compose = Callable[..., Composed]

EVERYDAY = "+vocabulary={source: everyday}"
FILTERS = "audits.named={kind: filters, layer: features.4}"
GROUPS = "audits.compared={kind: groups, layer: features.4, by: [skin]}"
ADDED = (EVERYDAY, FILTERS, GROUPS)

WORDED = {"solve named/explained", "visit named/pictures", "solve named/result"}
NAMED = WORDED | {"solve named/selected"}


def ids(plan: Plan) -> dict[str, str]:
    """Job of each step -> its id; a scan is named by its folds."""
    found = {}
    for step in plan.steps:
        match step:
            case Train():
                found[f"train {step.network}"] = step.id
            case Scan():
                folds = " ".join(f"{fold.audit}/{fold.name}" for fold in step.folds)
                found[f"scan {folds}"] = step.id
            case Visit():
                found[f"visit {step.audit}/{step.name}"] = step.id
            case Solve():
                found[f"solve {step.audit}/{step.name}"] = step.id
    return found


def changed(compose: Compose, before: tuple[str, ...], after: tuple[str, ...]) -> set[str]:
    """Jobs whose steps have another id."""
    old, new = (ids(make_plan(compose(*overrides))) for overrides in (before, after))
    assert set(old) == set(new)
    return {job for job in new if new[job] != old[job]}


def test_filters_and_groups_share_the_look_at_the_maps(compose: Compose) -> None:
    plan = make_plan(compose(*ADDED))
    folds = [[f"{fold.audit}/{fold.name}" for fold in s.folds] for s in scans(plan)]
    assert folds == [
        ["first/examples", "first/cosines", "first/labels"],
        ["first/accuracy", "named/levels", "compared/table_test"],
        ["named/regions"],
    ]
    assert len([each for each in scans(plan)[1].outputs if each.kind == "activation"]) == 1
    assert [step.name for step in plan.steps if isinstance(step, Solve) and step.vocabulary] == [
        "explained",
        "result",
    ]


def scans(plan: Plan) -> list[Scan]:
    return [step for step in plan.steps if isinstance(step, Scan)]


def fold_changes(compose: Compose, before: tuple[str, ...], after: tuple[str, ...]) -> set[str]:
    """Folds whose states have another name."""

    def names(overrides: tuple[str, ...]) -> dict[str, str]:
        return {
            f"{fold.audit}/{fold.name}": content_id(fold_ingredients(step, fold))
            for step in scans(make_plan(compose(*overrides)))
            for fold in step.folds
        }

    old, new = names(before), names(after)
    return {name for name in new if new[name] != old[name]}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("+vocabulary.concepts={hat: [cap, hat]}", WORDED),
        ("+vocabulary.title=Our words", {"solve named/result"}),
        ("audits.named.title=Another title", set()),
        ("audits.compared.title=Another title", set()),
        ("engine.device=cuda", set()),
    ],
)
def test_words_change_the_steps_that_read_them_and_no_other(
    compose: Compose, override: str, expected: set[str]
) -> None:
    assert changed(compose, ADDED, (*ADDED, override)) == expected


def test_a_vocabulary_counts_by_content(compose: Compose, tmp_path: Path) -> None:
    def with_words(name: str, text: str) -> tuple[str, ...]:
        (tmp_path / name).write_text(text)
        return f"+vocabulary={{source: text, path: '{tmp_path / name}'}}", FILTERS, GROUPS

    first = with_words("a.txt", "hat 1 0\nface 0 1\n")
    assert changed(compose, first, with_words("b.txt", "hat 1 0\nface 0 1\n")) == set()
    assert changed(compose, first, with_words("c.txt", "hat 1 0\nface 0 2\n")) == WORDED
    listed = tmp_path / "entities.txt"
    listed.write_text("hat\n")
    entities = (*first, f"+vocabulary.entities='{listed}'")
    assert changed(compose, first, entities) == WORDED
    assert changed(compose, first, (*first, "+vocabulary.max_words=1")) == WORDED


def test_a_vocabulary_that_is_missing_is_named(compose: Compose) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        make_plan(compose("+vocabulary={source: text, path: nowhere.txt}", FILTERS))


def test_without_an_explainer_no_words_are_read(compose: Compose) -> None:
    bare = "audits.named={kind: filters, layer: features.4, explainer: null}"
    solves = [s for s in make_plan(compose(bare)).steps if isinstance(s, Solve)]
    assert not any(solve.vocabulary for solve in solves)
    assert changed(compose, (bare, EVERYDAY), (bare, EVERYDAY, CONCEPTS)) == set()


CONCEPTS = "+vocabulary.concepts={hat: [cap]}"


def coco(folder: Path, **options: object) -> str:
    """Override: two photographs with one outline each, under `options`."""
    (folder / "images").mkdir(exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", (48, 48)).save(folder / "images" / f"{number}.png")
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "height": 48, "width": 48} for n in (1, 2)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n, "iscrowd": 0, "bbox": [1, 1, 9, 9],
             "segmentation": [[1, 1, 10, 1, 10, 10]]}
            for n in (1, 2)
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }  # fmt: skip
    (folder / "a.json").write_text(json.dumps(content))
    extra = "".join(f", {key}: {value}" for key, value in options.items())
    split = f"{{images: '{folder / 'images'}', annotations: '{folder / 'a.json'}'}}"
    return f"dataset={{source: coco, splits: {{test: {split}}}{extra}}}"


GROUPED = "audits.listed={kind: groups, by: [dog], compare: concepts}"
PHOTOS = (
    "~dataset.splits",
    "~audits.first",
    "~attributes",
    "~rules",
    "model={source: builtin, name: portraits_net, num_outputs: 3}",
    "~model.network",
    "~model.recipe",
    EVERYDAY,
    FILTERS,
)


@pytest.mark.parametrize("option", [{"regions": "boxes"}, {"crowds": "exclude"}])
def test_how_regions_are_read_changes_the_folds_that_look_at_them(
    compose: Compose, tmp_path: Path, option: dict[str, object]
) -> None:
    plain, other = ((*PHOTOS, GROUPED, coco(tmp_path, **each)) for each in ({}, option))
    assert fold_changes(compose, plain, other) == {"named/regions", "listed/table_test"}


def test_concepts_of_a_dataset_are_its_categories(compose: Compose, tmp_path: Path) -> None:
    composed = compose(*PHOTOS, coco(tmp_path), "+vocabulary.title=Words")
    context = make_context(composed, "named", take_stock(composed.spec))
    assert context.concepts == (Concept("dog"), Concept("cat"))
    assert context.words == Words("Words", made=True, concepts={})
    assert context.attributes == ()


@pytest.mark.parametrize("key", ["unwanted", "expected"])
def test_a_concept_that_nobody_annotated_is_refused(
    compose: Compose, tmp_path: Path, key: str
) -> None:
    with pytest.raises(PlanError, match=rf"audits\.named\.{key} holds 'dogs'.*`dog`"):
        make_plan(compose(*PHOTOS, coco(tmp_path), f"audits.named.{key}=[cat, dogs]"))


def test_concepts_of_portraits_are_their_parts_and_groups_see_the_columns(
    compose: Compose,
) -> None:
    composed = compose(*ADDED)
    stock = take_stock(composed.spec)
    named, compared = (make_context(composed, name, stock) for name in ("named", "compared"))
    assert [concept.name for concept in named.concepts] == list(PARTS)
    assert (named.columns, compared.words) == ({}, None)
    assert set(compared.columns) == {"skin"}
    assert len(compared.columns["skin"]) > 1
    assert [each.name for each in compared.attributes] == ["smiling", "lipstick", "hat"]


def test_a_group_asks_for_values_and_columns_that_exist(compose: Compose, tmp_path: Path) -> None:
    def planned(named: str) -> Plan:
        audit = f"audits.compared={{kind: groups, layer: features.4, named: {named}}}"
        return make_plan(compose(*PHOTOS, coco(tmp_path), audit))

    assert planned("{dogs: {dog: ['1']}}").steps
    with pytest.raises(PlanError, match=r"named\.dogs\.dog holds 'yes', which the column lacks"):
        planned("{dogs: {dog: ['yes']}}")
    with pytest.raises(PlanError, match=r"asks for the column 'dgo'.*`dog`"):
        planned("{dogs: {dgo: ['1']}}")


def test_regions_alone_need_no_network(compose: Compose, tmp_path: Path) -> None:
    plan = make_plan(compose(*PHOTOS[:-1], coco(tmp_path), GROUPED))
    [scan] = scans(plan)
    assert [output.kind for output in scan.outputs] == ["masks"]
    assert probe_key(scan) is None
    assert "model" not in scan.ingredients
    assert "regions" in scan.ingredients


def test_an_audit_of_concepts_needs_annotated_regions(compose: Compose, tmp_path: Path) -> None:
    content = json.dumps({"images": [], "annotations": [], "categories": []})
    dataset = coco(tmp_path)
    (tmp_path / "a.json").write_text(content)
    with pytest.raises((PlanError, InputError)) as caught:
        make_plan(compose(*PHOTOS, dataset))
    assert "concept" in str(caught.value) or "categories" in str(caught.value)
