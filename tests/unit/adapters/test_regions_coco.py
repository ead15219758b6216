"""Images with COCO's annotations: panoptic masks, outlines, boxes, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset, Regions, Unreadable
from auditor.context import Concept
from auditor.errors import InputError, PlanError
from auditor.inventory.dataset import take_dataset
from auditor.needs import View
from auditor.spec.dataset import CocoDataset, CocoSplit

CLEAN = View()
HEIGHT, WIDTH = 4, 6
CATEGORIES = [{"id": 3, "name": "dog"}, {"id": 7, "name": "traffic light"}]
SQUARE = [[1, 1, 3, 1, 3, 3, 1, 3]]


def instance(**changes: object) -> dict[str, object]:
    entry: dict[str, object] = {
        "id": 11,
        "image_id": 1,
        "category_id": 3,
        "iscrowd": 0,
        "bbox": [1, 1, 2, 2],
        "segmentation": SQUARE,
    }
    return {key: value for key, value in (entry | changes).items() if value is not None}


def image_entry(number: int, **changes: object) -> dict[str, object]:
    return {"id": number, "file_name": f"{number}.png", "height": HEIGHT, "width": WIDTH} | changes


def write(root: Path, content: Mapping[str, object], name: str = "a") -> CocoSplit:
    images = root / "images"
    images.mkdir(exist_ok=True)
    for number in (1, 2, 3):
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(images / f"{number}.png")
    (root / f"{name}.json").write_text(json.dumps(content))
    panoptic = "segments_info" in json.dumps(content)
    if panoptic:
        (root / "masks").mkdir(exist_ok=True)
    return CocoSplit(
        images=str(images),
        annotations=str(root / f"{name}.json"),
        panoptic=str(root / "masks") if panoptic else None,
    )


def instances(root: Path, *annotations: object, name: str = "a", **changes: object) -> CocoSplit:
    content: dict[str, object] = {
        "images": [image_entry(1), image_entry(2)],
        "annotations": list(annotations),
        "categories": CATEGORIES,
    }
    return write(root, content | changes, name)


def spec_of(
    split: CocoSplit,
    regions: Literal["masks", "boxes", "image"] = "masks",
    crowds: Literal["include", "exclude"] = "include",
) -> CocoDataset:
    return CocoDataset(source="coco", splits={"val": split}, regions=regions, crowds=crowds)


def region(dataset: Dataset, row: int = 0, split: str = "val") -> Regions:
    (found,) = dataset.regions(split, [row], CLEAN)
    assert isinstance(found, Regions)
    assert found.masks.shape[0] == len(found.concepts)
    return found


def problem(dataset: Dataset, row: int = 0) -> str:
    (found,) = dataset.regions("val", [row], CLEAN)
    assert isinstance(found, Unreadable)
    return found.reason


def masked(*places: tuple[slice, slice]) -> torch.Tensor:
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    for place in places:
        mask[place] = True
    return mask


MIDDLE = (slice(1, 3), slice(1, 3))

# Instances


def test_categories_are_concepts_and_columns(tmp_path: Path) -> None:
    spec = spec_of(instances(tmp_path, instance(), instance(id=12, image_id=2, category_id=7)))
    dataset = open_dataset(spec)
    assert dataset.concepts == (Concept("dog"), Concept("traffic light"))
    assert dataset.splits() == ("val",)
    assert dataset.ids("val") == ("1", "2")
    assert dataset.column_names("val") == ("dog", "traffic light")
    assert dataset.column("val", "dog").tolist() == [1, 0]
    assert dataset.column("val", "traffic light").tolist() == [0, 1]
    assert dataset.labels("val") is None
    assert dataset.predictions("val") is None
    first, second = dataset.read("val", [0, 1], CLEAN)
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert (first[0] == 1).all()
    assert second.shape == (3, HEIGHT, WIDTH)


def test_regions_of_one_category_are_joined(tmp_path: Path) -> None:
    more = instance(id=12, segmentation=[[0, 0, 1, 0, 1, 1, 0, 1]])
    light = instance(id=13, category_id=7, segmentation={"size": [4, 6], "counts": [0, 4, 20]})
    found = region(open_dataset(spec_of(instances(tmp_path, light, instance(), more))))
    assert found.concepts == (0, 1)
    assert torch.equal(found.masks[0], masked(MIDDLE, (slice(0, 1), slice(0, 1))))
    assert torch.equal(found.masks[1], masked((slice(0, 4), slice(0, 1))))


def test_compressed_run_lengths_are_read(tmp_path: Path) -> None:
    runs = {"size": [4, 6], "counts": "04d0"}  # 0 outside, 4 inside, 20 outside
    dataset = open_dataset(spec_of(instances(tmp_path, instance(segmentation=runs))))
    assert torch.equal(region(dataset).masks[0], masked((slice(0, 4), slice(0, 1))))


def test_an_image_without_regions_is_annotated(tmp_path: Path) -> None:
    found = region(open_dataset(spec_of(instances(tmp_path, instance()))), row=1)
    assert found.concepts == ()
    assert found.masks.shape == (0, HEIGHT, WIDTH)


def test_boxes_and_whole_images_are_choices(tmp_path: Path) -> None:
    split = instances(tmp_path, instance(bbox=[0, 1, 3.2, 1.9], segmentation=None))
    boxes = region(open_dataset(spec_of(split, "boxes")))
    assert torch.equal(boxes.masks[0], masked((slice(1, 3), slice(0, 3))))
    whole = region(open_dataset(spec_of(split, "image")))
    assert whole.masks.all()
    assert whole.concepts == (0,)
    with pytest.raises(InputError, match=r"annotation 11: it has no `segmentation`"):
        open_dataset(spec_of(split))


def test_crowds_count_or_not(tmp_path: Path) -> None:
    runs = {"size": [4, 6], "counts": [20, 4]}
    split = instances(
        tmp_path,
        instance(),
        instance(id=12, iscrowd=1, segmentation=runs),
        instance(id=13, iscrowd=1, category_id=7, segmentation=runs),
    )
    included, excluded = (
        open_dataset(spec_of(split, crowds="include")),
        open_dataset(spec_of(split, crowds="exclude")),
    )
    crowd = (slice(0, 4), slice(5, 6))
    assert torch.equal(region(included).masks[0], masked(MIDDLE, crowd))
    assert region(included).concepts == (0, 1)
    assert torch.equal(region(excluded).masks[0], masked(MIDDLE))
    assert region(excluded).concepts == (0,)
    assert excluded.column("val", "traffic light").tolist() == [1, 0]


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 1]],
        [[1, 1, 3, 3]],
        [[90, 1, 95, 1, 95, 9]],
        [[]],
        {"size": [4, 6], "counts": [24]},
    ],
)
def test_regions_without_pixels_stay_listed(tmp_path: Path, segmentation: object) -> None:
    split = instances(tmp_path, instance(segmentation=segmentation))
    found = region(open_dataset(spec_of(split)))
    assert found.concepts == (0,)
    assert not found.masks.any()


def test_boxes_outside_the_image_are_cut_off(tmp_path: Path) -> None:
    split = instances(tmp_path, instance(bbox=[-5, 2, 7, 900]))
    found = region(open_dataset(spec_of(split, "boxes")))
    assert torch.equal(found.masks[0], masked((slice(2, 4), slice(0, 2))))


def test_run_lengths_that_do_not_add_up_are_unreadable(tmp_path: Path) -> None:
    split = instances(tmp_path, instance(segmentation={"size": [4, 6], "counts": [1, 2]}))
    assert problem(open_dataset(spec_of(split))) == (
        "annotation 11: its run lengths add up to 3 and not to the 24 pixels of the image"
    )


def test_an_annotation_of_a_bomb_is_unreadable(tmp_path: Path) -> None:
    split = instances(tmp_path, instance(), images=[image_entry(1, height=10**5, width=10**5)])
    assert "bomb" in problem(open_dataset(spec_of(split)))


# Splits


def test_categories_of_one_name_are_one_concept(tmp_path: Path) -> None:
    first = instances(tmp_path, instance(), name="first")
    other = [{"id": 1, "name": "cat"}, {"id": 3, "name": "traffic light"}, {"id": 9, "name": "dog"}]
    second = instances(
        tmp_path,
        instance(image_id=3, category_id=9),
        name="second",
        images=[image_entry(3)],
        categories=other,
    )
    spec = CocoDataset(source="coco", splits={"train": first, "val": second})
    dataset = open_dataset(spec)
    assert [concept.name for concept in dataset.concepts] == ["dog", "traffic light", "cat"]
    assert take_dataset(spec).concepts == dataset.concepts
    assert region(dataset, split="train").concepts == (0,)
    assert region(dataset, split="val").concepts == (0,)
    assert (dataset.ids("train"), dataset.ids("val")) == (("1", "2"), ("3",))


def test_ids_carry_their_split_where_they_repeat(tmp_path: Path) -> None:
    split = instances(tmp_path, instance())
    dataset = open_dataset(CocoDataset(source="coco", splits={"a": split, "b": split}))
    assert (dataset.ids("a"), dataset.ids("b")) == (("a/1", "a/2"), ("b/1", "b/2"))


# Panoptic


def segment(number: int, **changes: object) -> dict[str, object]:
    return {"id": number, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 1, 1]} | changes


BLUE = 2 + 256 * 3 + 65536 * 4


def panoptic(root: Path, *segments: object, png: dict[int, Any] | None = None) -> CocoSplit:
    content = {
        "images": [image_entry(1), image_entry(2)],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": list(segments)}],
        "categories": CATEGORIES,
    }
    split = write(root, content)
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    for number, place in (png or {5: MIDDLE}).items():
        ids[place] = number
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(root / "masks" / "1.png")
    return split


def test_segments_are_three_bytes(tmp_path: Path) -> None:
    corner = (slice(0, 1), slice(0, 2))
    split = panoptic(
        tmp_path, segment(5), segment(BLUE, category_id=7), png={5: MIDDLE, BLUE: corner}
    )
    found = region(open_dataset(spec_of(split)))
    assert found.concepts == (0, 1)
    assert torch.equal(found.masks, torch.stack([masked(MIDDLE), masked(corner)]))


def test_a_listed_segment_without_pixels_stays_listed(tmp_path: Path) -> None:
    found = region(open_dataset(spec_of(panoptic(tmp_path, segment(5), segment(6, category_id=7)))))
    assert found.concepts == (0, 1)
    assert found.masks.flatten(1).any(dim=1).tolist() == [True, False]


def test_a_segment_that_nobody_lists_makes_the_mask_unreadable(tmp_path: Path) -> None:
    split = panoptic(tmp_path, segment(5), png={5: MIDDLE, 9: (slice(0, 1), slice(0, 1))})
    assert "holds the segment 9" in problem(open_dataset(spec_of(split)))


def test_excluded_crowds_of_a_mask_are_known_all_the_same(tmp_path: Path) -> None:
    corner = (slice(0, 1), slice(0, 1))
    crowd = segment(9, iscrowd=1, category_id=7)
    split = panoptic(tmp_path, segment(5), crowd, png={5: MIDDLE, 9: corner})
    assert region(open_dataset(spec_of(split, crowds="exclude"))).concepts == (0,)
    assert region(open_dataset(spec_of(split))).concepts == (0, 1)


def test_an_image_that_no_panoptic_annotation_names_is_not_annotated(tmp_path: Path) -> None:
    dataset = open_dataset(spec_of(panoptic(tmp_path, segment(5))))
    assert dataset.regions("val", [1], CLEAN) == [None]
    column = dataset.column("val", "dog")
    assert column[0] == 1
    assert np.isnan(column[1])


def test_masks_of_another_size_are_unreadable(tmp_path: Path) -> None:
    split = panoptic(tmp_path, segment(5))
    Image.new("RGB", (WIDTH * 2, HEIGHT * 2), (5, 0, 0)).save(tmp_path / "masks" / "1.png")
    assert problem(open_dataset(spec_of(split))) == (
        "mask 1.png has 12×8 pixels, its image has 6×4"
    )


def test_a_missing_mask_is_unreadable_and_links_out_of_the_folder_are_refused(
    tmp_path: Path,
) -> None:
    split = panoptic(tmp_path, segment(5))
    dataset = open_dataset(spec_of(split))
    mask = tmp_path / "masks" / "1.png"
    mask.rename(tmp_path / "secret.png")
    assert "mask 1.png: the file cannot be read" in problem(dataset)
    mask.symlink_to(tmp_path / "secret.png")
    with pytest.raises(InputError, match="outside"):
        dataset.regions("val", [0], CLEAN)
    mask.unlink()
    mask.write_bytes(b"no image")
    assert "mask 1.png: not an image" in problem(dataset)


def test_panoptic_files_need_the_folder_of_their_masks(tmp_path: Path) -> None:
    split = panoptic(tmp_path, segment(5))
    alone = split.model_copy(update={"panoptic": None})
    with pytest.raises(InputError, match="PNG files have no folder"):
        open_dataset(spec_of(alone))
    assert region(open_dataset(spec_of(alone, "image"))).masks.all()
    assert int(region(open_dataset(spec_of(alone, "boxes"))).masks.sum()) == 1
    folder = instances(tmp_path, instance()).model_copy(update={"panoptic": split.panoptic})
    with pytest.raises(InputError, match="has no panoptic annotation"):
        open_dataset(spec_of(folder))


# What is wrong with a file

TWICE = [CATEGORIES[0], {"id": 4, "name": "dog"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 99}, "annotation 11: the file has no category 99"),
        ({"image_id": 99}, "annotation 11: the file has no image 99"),
        ({"category_id": None}, "annotation 11: it has no `category_id`"),
        ({"iscrowd": 2}, "annotation 11: `iscrowd` is 2"),
        ({"bbox": [1, 2, 3]}, "annotation 11: (1, 2, 3) is no box"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 11: the box (1, 2, -3, 4) has a negative side"),
        ({"bbox": ["x", 2, 3, 4]}, "annotation 11: (x, 2, 3, 4) is no box"),
        ({"bbox": [10**400, 2, 3, 4]}, "is no box"),
        ({"segmentation": [[1, 2, 3]]}, "annotation 11: a polygon has 3 coordinates"),
        ({"segmentation": [[1, "a"]]}, "annotation 11: a polygon is no list of numbers"),
        ({"segmentation": [[1e300, 1, 2, 2, 3, 3]]}, "a corner that is not near the image"),
        ({"segmentation": [[10**400, 1, 2, 2, 3, 3]]}, "a corner that is not near the image"),
        ({"segmentation": "all"}, "neither a list of polygons nor run lengths"),
        ({"segmentation": {"size": [4, 7], "counts": []}}, "for the size [4, 7]"),
        ({"segmentation": {"size": [4, 6], "counts": [-1]}}, "something else than lengths"),
        ({"segmentation": {"size": [4, 6]}}, "neither a list nor a text"),
    ],
)
def test_a_damaged_annotation_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    spec = spec_of(instances(tmp_path, instance(**change)))
    for take in (open_dataset, take_dataset):
        with pytest.raises(InputError) as caught:
            take(spec)
        assert message in caught.value.message
        assert "a.json" in caught.value.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": TWICE}, "the categories 3 and 4 are both called 'dog'"),
        ({"categories": [CATEGORIES[0]] * 2}, "the category id 3 stands there twice"),
        ({"categories": [{"id": 3, "name": " "}]}, "`name` is ' ', not a text"),
        ({"categories": "all"}, "`categories` is no list of objects"),
        ({"annotations": [1]}, "`annotations` is no list of objects"),
        ({"images": [image_entry(1)] * 2}, "image 1: the image id stands there twice"),
        ({"images": [image_entry(1, height=0)]}, "image 1: `height` is 0"),
        ({"images": [image_entry(1, file_name="../x.png")]}, "'../x.png' leads outside"),
        ({"images": [image_entry(1, file_name="/x.png")]}, "'/x.png' leads outside"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    content = {"images": [image_entry(1)], "annotations": [instance()], "categories": CATEGORIES}
    split = write(tmp_path, content | change)
    with pytest.raises(InputError) as caught:
        open_dataset(spec_of(split))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([segment(0)], "0 is no segment id"),
        ([segment(2**24)], "is no segment id"),
        ([segment(5), segment(5)], "the segment id 5 stands there twice"),
        ([segment(5, category_id=4)], "segment 5 of image 1: the file has no category 4"),
    ],
)
def test_damaged_segments_are_named(tmp_path: Path, segments: list[object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(spec_of(panoptic(tmp_path, *segments)))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"images": NaN}',
        "[]",
        '"text"',
        "\ud800",
        '{"images": ' + "9" * 5000,
    ],
)
def test_what_is_no_annotation_file_says_so(tmp_path: Path, text: str) -> None:
    split = instances(tmp_path, instance())
    Path(split.annotations).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"a\.json"):
        open_dataset(spec_of(split))


def test_nobody_redraws_photos(tmp_path: Path) -> None:
    dataset = open_dataset(spec_of(instances(tmp_path, instance())))
    with pytest.raises(PlanError, match="nobody can redraw"):
        dataset.regions("val", [0], View(kind="intervention", interventions=(("hat", True),)))
    with pytest.raises(PlanError, match="no split 'test'"):
        dataset.regions("test", [0], CLEAN)
    with pytest.raises(PlanError, match="no column 'dogs'"):
        dataset.column("val", "dogs")


# Real photos


@pytest.mark.data
def test_shared_photos_have_the_areas_that_their_annotations_state(shared_data: Path) -> None:
    """The file states each segment's area, counted by COCO's own tools."""
    folder = shared_data / "images" / "coco299"
    split = CocoSplit(
        images=str(folder / "images"),
        annotations=str(folder / "panoptic.json"),
        panoptic=str(folder / "panoptic"),
    )
    dataset = open_dataset(spec_of(split))
    assert (len(dataset.ids("val")), len(dataset.concepts)) == (200, 133)
    content = json.loads((folder / "panoptic.json").read_text())
    names = {each["id"]: each["name"] for each in content["categories"]}
    places = {concept.name: place for place, concept in enumerate(dataset.concepts)}
    for row in range(0, 200, 20):
        found, (picture,) = region(dataset, row), dataset.read("val", [row], CLEAN)
        assert isinstance(picture, torch.Tensor)
        assert picture.shape[1:] == found.masks.shape[1:]
        areas = dict.fromkeys(found.concepts, 0)
        for each in content["annotations"][row]["segments_info"]:
            areas[places[names[each["category_id"]]]] += each["area"]
        assert found.masks.flatten(1).sum(dim=1).tolist() == list(areas.values())


@pytest.mark.data
def test_shared_polygons_have_the_areas_that_their_annotations_state(shared_data: Path) -> None:
    """COCO states the area of the polygon itself: pixels agree but for the border."""
    folder = shared_data / "images" / "coco299"
    file = str(folder / "instances.json")
    split = CocoSplit(images=str(folder / "images"), annotations=file)
    dataset = open_dataset(spec_of(split))
    content = json.loads(Path(file).read_text())
    ids = dataset.ids("val")
    by_pair: dict[tuple[int, str], list[dict[str, Any]]] = {}
    names = {each["id"]: each["name"] for each in content["categories"]}
    for each in content["annotations"]:
        pair = (ids.index(str(each["image_id"])), names[each["category_id"]])
        by_pair.setdefault(pair, []).append(each)
    places = {concept.name: place for place, concept in enumerate(dataset.concepts)}
    alone = {pair: one[0] for pair, one in by_pair.items() if len(one) == 1}
    checked = 0
    for (row, name), each in alone.items():
        if each["area"] < 5000 or each["iscrowd"] or checked == 30:
            continue
        found = region(dataset, row)
        mask = found.masks[found.concepts.index(places[name])]
        assert int(mask.sum()) == pytest.approx(each["area"], rel=0.02)
        x, y, width, height = each["bbox"]
        rows, columns = mask.nonzero().unbind(1)
        # Sharp tips may hold no centre, but nothing lies outside the stated box.
        assert y - 1 <= int(rows.min())
        assert int(rows.max()) <= y + height
        assert x - 1 <= int(columns.min())
        assert int(columns.max()) <= x + width
        checked += 1
    assert checked == 30
