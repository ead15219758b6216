"""Bad input of the audits `filters` and `groups`, through the command line: exit codes and words.

Forty pictures with panoptic masks: every third shows a dog, every second a car, and every fifth a
zorble, which no vocabulary knows. Each test spoils one thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from auditor.adapters.models.networks import build_network
from auditor.audits.filters import compute

NUM_PHOTOS = 40
SIDE = 48
CATEGORIES = ("dog", "car", "zorble")
SPEC = """\
version: 1
name: shapes
dataset:
  source: coco
  splits:
    test: {images: data/images, annotations: data/panoptic.json, panoptic: data/masks}
model: {source: builtin, name: portraits_net, num_outputs: 2}
vocabulary: {source: text, path: words.txt}
engine: {device: cpu, num_threads: 1, max_unreadable: 0.1}
report: {formats: [html]}
audits:
"""
FILTERS = """\
  filters:
    kind: filters
    layer: features.4
    dissection: {min_images: 2}
    explainer: {epochs: 2, folds: 2}
    naming: {images: 3, draws: 99, evaluated: 4}
    cards: {filters: 1, images: 2}
"""
GROUPS = """\
  groups:
    kind: groups
    layer: features.4
    min_images: 4
    pictures: {differences: 1, images: 1}
"""
WORDS = "dog 1 0 0 0\ncar 0 1 0 0\ncat 0.8 0.6 0 0\nroad 0 0.6 0.8 0\nsky 0 0 0 1\n"
PLACES = {"dog": np.s_[4:24, 4:24], "car": np.s_[28:44, 8:40], "zorble": np.s_[4:20, 28:44]}

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def project(here: Path) -> None:
    """The pictures, their masks and the words, in the current directory."""
    write_photos()
    Path("words.txt").write_text(WORDS)


def shown(index: int) -> list[str]:
    return [name for name, every in zip(CATEGORIES, (3, 2, 5), strict=True) if index % every == 0]


def write_photos(
    *,
    crowds: tuple[str, ...] = (),
    empty: tuple[int, ...] = (),
    never_together: tuple[str, ...] = (),
) -> None:
    """Pictures and masks.

    Args:
        crowds: Categories whose segments are crowds.
        empty: Pictures whose masks hold no pixel.
        never_together: Categories of which a picture shows only the first that it has.
    """
    for name in ("images", "masks"):
        Path("data", name).mkdir(parents=True, exist_ok=True)
    annotations = []
    for index in range(NUM_PHOTOS):
        pixels = np.random.default_rng(index).integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        mask = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        segments = []
        names = shown(index)
        rivals = [name for name in names if name in never_together][1:]
        for name in (name for name in names if name not in rivals):
            number = CATEGORIES.index(name) + 1
            pixels[PLACES[name]] += np.uint8(60 * number)
            mask[..., 0][PLACES[name]] = 0 if index in empty else number
            segments.append({"id": number, "category_id": number, "iscrowd": int(name in crowds)})
        Image.fromarray(pixels).save(f"data/images/{index}.png")
        Image.fromarray(mask).save(f"data/masks/{index}.png")
        annotations.append(
            {"image_id": index, "file_name": f"{index}.png", "segments_info": segments}
        )
    sizes = {"height": SIDE, "width": SIDE}
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", **sizes} for i in range(NUM_PHOTOS)],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CATEGORIES)],
    }
    Path("data/panoptic.json").write_text(json.dumps(content))


def run(auditor: Call, audits: str, *overrides: str) -> Any:
    Path("audit.yaml").write_text(SPEC + audits)
    return auditor("run", "audit.yaml", *overrides)


def new_run() -> Path:
    """The latest run directory."""
    return max(Path("reports/shapes").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def result(audit: str) -> Any:
    return json.loads((new_run() / "audits" / audit / "result.json").read_text())


def document(name: str) -> Any:
    return json.loads((new_run() / name).read_text())


def page() -> str:
    return (new_run() / "report/report.html").read_text()


def test_sound_input_gives_a_verdict(auditor: Call) -> None:
    done = run(auditor, FILTERS + GROUPS + "    by: [dog]\n")
    assert done.code == 0, done.err
    found = result("filters")
    assert (found["num_images"], found["num_annotated"]) == (NUM_PHOTOS, NUM_PHOTOS)
    assert [each["num_images"] for each in found["concepts"]] == [14, 20, 8]
    assert document("run.json")["quarantined"] == []
    assert [(each["id"], each["size"]) for each in result("groups")["groups"]] == [
        ("dog=1", 14),
        ("dog=0", 26),
    ]


def test_a_category_without_a_word_vector_is_compared_and_listed(auditor: Call) -> None:
    assert run(auditor, FILTERS).code == 0
    concepts = {each["name"]: each for each in result("filters")["concepts"]}
    assert (concepts["dog"]["words"], concepts["dog"]["rule"]) == (["dog"], "whole")
    assert (concepts["zorble"]["words"], concepts["zorble"]["rule"]) == ([], "unknown")
    assert concepts["zorble"]["audited"]
    assert "zorble" in page()


def test_a_mask_of_another_size_is_set_aside_with_its_reason(auditor: Call) -> None:
    Image.new("RGB", (24, 24)).save("data/masks/7.png")
    done = run(auditor, FILTERS)
    assert done.code == 0, done.err
    (image,) = document("run.json")["quarantined"]
    assert (image["sample"], image["split"]) == ("7", "test")
    assert image["reason"] == "mask 7.png has 24×24 pixels, its image has 48×48"
    found = result("filters")
    assert (found["num_images"], found["num_annotated"]) == (NUM_PHOTOS, NUM_PHOTOS - 1)
    assert image["reason"] in page()


def test_too_many_masks_of_another_size_stop_the_run(auditor: Call) -> None:
    for index in range(9):
        Image.new("RGB", (24, 24)).save(f"data/masks/{index}.png")
    done = run(auditor, FILTERS)
    assert done.code == 3
    assert "unreadable" in done.err
    assert "Traceback" not in done.err


def test_empty_masks_are_annotated_and_show_nothing(auditor: Call) -> None:
    write_photos(empty=tuple(range(0, NUM_PHOTOS, 5)))
    done = run(auditor, FILTERS)
    assert done.code == 0, done.err
    found = result("filters")
    assert found["num_annotated"] == NUM_PHOTOS
    assert document("run.json")["quarantined"] == []
    zorble = found["concepts"][2]
    assert (zorble["num_images"], zorble["audited"], zorble["num_detectors"]) == (0, False, 0)


def test_photos_without_any_region_leave_nothing_to_name(auditor: Call) -> None:
    write_photos(empty=tuple(range(NUM_PHOTOS)))
    done = run(auditor, FILTERS)
    assert done.code == 0, done.err
    verdicts = {each["verdict"] for each in document("findings.json")["findings"]}
    assert verdicts <= {"inconclusive", "warn"}
    found = result("filters")
    assert {each["outcome"] for each in found["filters"]} == {"not_tried", "dead"}
    assert not any(concept["audited"] for concept in found["concepts"])
    assert any("fewer than two of them" in problem for problem in found["problems"])


@pytest.mark.parametrize(("crowds", "num_images"), [("include", 14), ("exclude", 0)])
def test_crowds_show_their_category_where_the_spec_says_so(
    auditor: Call, crowds: str, num_images: int
) -> None:
    write_photos(crowds=("dog",))
    done = run(auditor, FILTERS + GROUPS + "    by: [dog]\n", f"dataset.crowds={crowds}")
    assert done.code == 0, done.err
    assert result("filters")["concepts"][0]["num_images"] == num_images
    assert [each["size"] for each in result("groups")["groups"]] == [14, 26]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("dog 1 0\ncar 0 one\n", "words.txt:2: `one` is no number"),
        ("dog 1 0\ncar 0 1 0\n", "words.txt:2: 2 numbers are needed, and 3 entries follow"),
        ("dog 1 0\ncar 0 1\ncat 1\n", "words.txt:3: 2 numbers are needed"),
    ],
    ids=["no number", "too long", "too short"],
)
def test_a_damaged_line_of_the_words_is_named(auditor: Call, words: str, message: str) -> None:
    Path("words.txt").write_text(words)
    done = run(auditor, FILTERS)
    assert done.code == 2, done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_duplicate_words_are_counted_and_the_first_stands(auditor: Call) -> None:
    run(auditor, FILTERS)
    before = result("filters")
    Path("words.txt").write_text(WORDS + "dog 0 0 0 1\ncar 0 0 1 0\n")
    assert run(auditor, FILTERS, "--out", "again").code == 0
    (other,) = Path("again/shapes").iterdir()
    found = json.loads((other / "audits/filters/result.json").read_text())
    repeated, *others = found.pop("problems")
    assert repeated == "2 words (dog, car) came again; the first one counts"
    assert others == before.pop("problems")
    assert found == before
    assert repeated in (other / "report/report.html").read_text()


@pytest.mark.parametrize("layer", ["classifier.0", "classifier.1"])
@pytest.mark.parametrize("audit", [FILTERS, GROUPS + "    by: [dog]\n"], ids=["filters", "groups"])
def test_a_layer_without_places_is_refused_before_the_scan(
    auditor: Call, audit: str, layer: str
) -> None:
    done = run(auditor, audit.replace("features.4", layer))
    assert done.code == 2, done.err
    assert f"layer '{layer}' puts out [128] per image: its units have no places" in done.err
    assert "scan" not in done.err
    assert not list(new_run().glob("states/*/000000.safetensors"))


def test_units_without_places_are_looked_at_through_a_layer_that_has_them(auditor: Call) -> None:
    through = FILTERS.replace("features.4", "classifier.2\n    start: features.4")
    done = run(auditor, through)
    assert done.code == 0, done.err
    assert len(result("filters")["filters"]) == 2
    flat = auditor("run", "audit.yaml", "audits.filters.start=classifier.0")
    assert flat.code == 2
    assert "layer 'classifier.0' puts out [128] per image" in flat.err


def test_dead_filters_are_told_and_not_named(auditor: Call) -> None:
    state = build_network("portraits_net", num_outputs=2).state_dict()
    state["features.4.bias"][:] = 0.1
    state["features.4.weight"][:5] = 0
    state["features.4.bias"][:5] = -1
    save_file(state, "half_dead.safetensors")
    audits = FILTERS + GROUPS + "    by: [dog]\n"
    done = run(auditor, audits, "model.weights=half_dead.safetensors")
    assert done.code in (0, 4), done.err
    filters = result("filters")["filters"]
    assert [each["outcome"] for each in filters[:5]] == ["dead"] * 5
    assert all(not each["words"] for each in filters[:5])
    assert "dead" not in {each["outcome"] for each in filters[5:]}
    assert result("groups")["num_silent"] == 5


def test_a_group_without_images_is_named_and_not_tested(auditor: Call) -> None:
    write_photos(never_together=("dog", "car"))
    groups = "    named: {both: {dog: ['1'], car: ['1']}, dogs: {dog: ['1'], car: ['0']}}\n"
    done = run(auditor, GROUPS + groups)
    assert done.code in (0, 4), done.err
    found = result("groups")
    assert [(each["id"], each["size"]) for each in found["groups"]] == [("both", 0), ("dogs", 14)]
    empty, tested = found["comparisons"]
    assert (empty["outcome"], empty["num_first"]) == ("not_testable", 0)
    assert empty["reason"] == "there are no pictures of the group “both”, and 4 are needed"
    assert tested["outcome"] in ("different", "similar")


def test_a_value_that_no_image_has_is_refused(auditor: Call) -> None:
    done = run(auditor, GROUPS + "    named: {dogs: {dog: ['yes']}}\n")
    assert done.code == 2
    assert "audits.groups.named.dogs.dog holds 'yes', which the column lacks" in done.err


def test_overlapping_groups_lose_what_is_in_both(auditor: Call) -> None:
    named = "    named: {dogs: {dog: ['1']}, cars: {car: ['1']}}\n    against: each_other\n"
    done = run(auditor, GROUPS + named)
    assert done.code in (0, 4), done.err
    (comparison,) = result("groups")["comparisons"]
    counts = [comparison[key] for key in ("num_first", "num_second", "num_both")]
    assert counts == [7, 13, 7]
    assert "7" in page()


def test_one_audit_alone_can_be_run(auditor: Call) -> None:
    audits = FILTERS + GROUPS + "    by: [dog]\n"
    done = run(auditor, audits, "--only", "groups")
    assert done.code in (0, 4), done.err
    assert "filters" not in done.err
    assert "vocabulary" not in done.err
    only = (new_run() / "audits/groups/result.json").read_bytes()
    assert not (new_run() / "audits/filters").exists()
    assert run(auditor, audits, "--out", "whole").code == 0
    (whole,) = Path("whole/shapes").iterdir()
    assert (whole / "audits/groups/result.json").read_bytes() == only
    assert auditor("run", "audit.yaml", "--only", "filters", "--out", "one").code == 0
    (one,) = Path("one/shapes").iterdir()
    name = "audits/filters/result.json"
    assert (one / name).read_bytes() == (whole / name).read_bytes()


def test_an_audit_that_fails_leaves_the_others_intact(
    auditor: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = run(auditor, FILTERS + GROUPS + "    by: [dog]\n", "--out", "sound")
    assert sound.code == 0, sound.err
    (before,) = Path("sound/shapes").iterdir()

    def broken(*arguments: Any) -> None:
        raise RuntimeError("the explainer broke")

    monkeypatch.setattr(compute, "explained_state", broken)
    done = auditor("run", "audit.yaml")
    assert done.code == 3
    record = {each["id"]: each for each in document("run.json")["audits"]}
    assert record["filters"]["status"] == "failed"
    assert "the explainer broke" in record["filters"]["reason"]
    assert record["groups"]["status"] == "ok"
    name = "audits/groups/result.json"
    assert (new_run() / name).read_bytes() == (before / name).read_bytes()
    assert not (new_run() / "audits/filters/result.json").exists()
