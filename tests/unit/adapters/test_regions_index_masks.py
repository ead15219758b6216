"""Index masks in Broden's layout: several categories, masks smaller than images, bad tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset, Regions, Unreadable
from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.dataset import take_dataset
from auditor.needs import View
from auditor.spec.dataset import IndexMasksDataset

CLEAN = View()
LABELS = [
    "number,name,category,frequency",
    "1,red-c,color(2),2",
    "300,fabric,material(36);object(3),39",
    "7,lamp,object(5),5",
    "9,bathroom-s,scene(1),1",
]
HEADER = "image,split,ih,iw,sh,sw,color,object,material,scene"


def two_bytes(values: object) -> Image.Image:
    """Red + 256 · green, as Broden writes it."""
    index = np.array(values, dtype=np.int64)
    colours = np.stack([index % 256, index // 256, np.zeros_like(index)], axis=2)
    return Image.fromarray(colours.astype(np.uint8))


def folder(root: Path, *rows: str, labels: list[str] | None = None, header: str = HEADER) -> str:
    (root / "images" / "ade").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (9, 9, 9)).save(root / "images" / "a.png")
    Image.new("RGB", (6, 4), (8, 8, 8)).save(root / "images" / "ade" / "b.png")
    two_bytes([[300, 7, 0], [7, 7, 0]]).save(root / "images" / "a_object.png")
    two_bytes([[0, 0, 7], [0, 0, 0]]).save(root / "images" / "a_more.png")
    (root / "index.csv").write_text("\n".join([header, *rows]) + "\n")
    (root / "label.csv").write_text("\n".join(labels or LABELS) + "\n")
    return str(root)


FIRST = "a.png,train,4,6,2,3,,a_object.png;a_more.png,,9"
SECOND = "ade/b.png,val,4,6,2,3,1,,,"
THIRD = "c.png,val,4,6,2,3,,,,"


def opened(root: Path, *rows: str, **options: object) -> Dataset:
    return open_dataset(spec_of(folder(root, *rows, **options)))  # type: ignore[arg-type]


def spec_of(root: str) -> IndexMasksDataset:
    return IndexMasksDataset(source="index_masks", root=root)


def region(dataset: Dataset, split: str, row: int = 0) -> Regions:
    (found,) = dataset.regions(split, [row], CLEAN)
    assert isinstance(found, Regions)
    return found


def problem(dataset: Dataset, split: str = "train") -> str:
    (found,) = dataset.regions(split, [0], CLEAN)
    assert isinstance(found, Unreadable)
    return found.reason


def test_a_label_is_a_concept_of_each_of_its_categories(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST, SECOND)
    assert dataset.concepts == (
        Concept("fabric", "object"),
        Concept("lamp", "object"),
        Concept("bathroom-s", "scene"),
        Concept("red-c", "color"),
        Concept("fabric", "material"),
    )
    assert take_dataset(spec_of(str(tmp_path))).concepts == dataset.concepts
    assert (dataset.ids("train"), dataset.ids("val")) == (("a.png",), ("ade/b.png",))


def test_masks_are_enlarged_to_the_image_and_layers_are_joined(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST, SECOND)
    found = region(dataset, "train")
    assert found.concepts == (0, 1, 2)
    fabric: NDArray[np.bool_] = np.array([[1, 0, 0], [0, 0, 0]], dtype=np.bool_)
    lamp: NDArray[np.bool_] = np.array([[0, 1, 1], [1, 1, 0]], dtype=np.bool_)
    twice = [np.kron(each, np.ones((2, 2), dtype=np.bool_)) for each in (fabric, lamp)]
    assert torch.equal(found.masks[:2], torch.from_numpy(np.stack(twice)))
    assert found.masks[2].all()


def test_uneven_masks_take_the_value_under_each_centre(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST.replace("4,6,2,3", "5,4,2,3"))
    found = region(dataset, "train")
    # rows: (2r + 1) · 2 // 10 = 0 0 1 1 1; columns: (2c + 1) · 3 // 8 = 0 1 1 2
    assert found.masks[0].int().tolist() == [[1, 0, 0, 0]] * 2 + [[0] * 4] * 3
    assert found.masks[1].int().tolist() == [[0, 1, 1, 1]] * 2 + [[1, 1, 1, 0]] * 3


def test_labels_of_the_whole_image_need_no_mask(tmp_path: Path) -> None:
    found = region(opened(tmp_path, FIRST, SECOND, THIRD), "val")
    assert found.concepts == (3,)
    assert found.masks.shape == (1, 4, 6)
    assert found.masks.all()
    header = "image,color"
    (tmp_path / "bare").mkdir()
    bare = opened(tmp_path / "bare", "a.png,1", header=header)
    assert bare.splits() == ("all",)
    assert region(bare, "all").masks.shape == (1, 4, 6)


def test_an_image_without_any_label_is_not_annotated(tmp_path: Path) -> None:
    assert opened(tmp_path, FIRST, SECOND, THIRD).regions("val", [1], CLEAN) == [None]


def test_without_categories_in_the_table_a_label_belongs_to_all(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path,
        "a.png,train,a_object.png,300",
        labels=["number,name", "300,fabric", "7,lamp"],
        header="image,split,object,material",
    )
    assert [(each.name, each.category) for each in dataset.concepts] == [
        ("fabric", "object"),
        ("lamp", "object"),
        ("fabric", "material"),
        ("lamp", "material"),
    ]
    found = region(dataset, "train")
    assert found.concepts == (0, 1, 2)
    assert found.masks.shape == (3, 2, 3)


@pytest.mark.parametrize("kind", ["grey", "palette", "16 bit"])
def test_masks_are_grey_or_palette_too(tmp_path: Path, kind: str) -> None:
    dataset = opened(tmp_path, FIRST.replace(";a_more.png", ""))
    path = tmp_path / "images" / "a_object.png"
    values = np.array([[0, 7, 0], [7, 7, 0]], dtype=np.uint8)
    if kind == "16 bit":
        values16 = values.astype(np.uint16)
        values16[0, 0] = 300
        Image.fromarray(values16).save(path)
    elif kind == "palette":
        image = Image.fromarray(values, mode=None).convert("L")
        image.putpalette([200, 100, 50] * 256)
        image.save(path)
    else:
        Image.fromarray(values).save(path)
    found = region(dataset, "train")
    assert found.concepts == ((0, 1, 2) if kind == "16 bit" else (1, 2))
    assert int(found.masks[found.concepts.index(1)].sum()) == 3 * 4


def test_masks_of_another_size_than_declared_are_unreadable(tmp_path: Path) -> None:
    assert "3×2 pixels" in problem(opened(tmp_path, FIRST.replace("4,6,2,3", "4,6,4,6")))
    assert "3×2 pixels" in problem(opened(tmp_path, FIRST.replace("4,6,2,3", "4,6,,")))
    dataset = opened(tmp_path, FIRST.replace("4,6,2,3", ",,,"))
    assert region(dataset, "train").masks.shape[1:] == (2, 3)  # the engine sees the difference
    two_bytes([[7] * 5]).save(tmp_path / "images" / "a_more.png")
    assert "5×1 pixels" in problem(dataset)


@pytest.mark.parametrize("value", [1, 2, 9, 65535])
def test_values_that_the_table_does_not_list_are_unreadable(tmp_path: Path, value: int) -> None:
    dataset = opened(tmp_path, FIRST)
    two_bytes([[value, 7, 0], [7, 7, 0]]).save(tmp_path / "images" / "a_object.png")
    assert f"of the category 'object' holds {value}, which label.csv" in problem(dataset)


def test_bombs_and_missing_masks_are_unreadable(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST)
    (tmp_path / "images" / "a_more.png").unlink()
    assert "mask a_more.png: the file cannot be read" in problem(dataset)
    Image.new("1", (10_000, 10_000)).save(tmp_path / "images" / "a_object.png")
    assert "bomb" in problem(dataset)
    far = opened(tmp_path, "a.png,train,99999,99999,,,,,,9")
    assert "bomb" in problem(far)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (FIRST.replace(",9", ",77"), "row 1 ('a.png'): label.csv lists no label 77"),
        (FIRST.replace(",9", ",7"), "lists no label 7 in the category 'scene'"),
        (FIRST.replace(",9", "," + "9" * 5000), "lists no label"),
        (FIRST.replace("a_more", "../x"), "'../x.png' leads outside"),
        (FIRST.replace("a_more", "/x"), "'/x.png' leads outside"),
        (FIRST.replace("a.png", "../a.png", 1), "'../a.png' leads outside"),
        (FIRST.replace("4,6,2,3", "4,,2,3"), "`ih` and `iw` are 4 and "),
        (FIRST.replace("4,6,2,3", "0,6,2,3"), "`ih` and `iw` are 0 and 6"),
        (FIRST.replace("4,6,2,3", ",,2,3"), "has `sh` and `sw`, but not"),
        (FIRST.replace(",train,", ",,"), "row 1 has no split"),
        (FIRST.replace("a.png", "", 1), "row 1 names no image"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    root = folder(tmp_path, row)
    for take in (open_dataset, take_dataset):
        with pytest.raises(InputError) as caught:
            take(spec_of(root))
        assert message in caught.value.message
        assert "index.csv" in caught.value.message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["name", "lamp"], "has no column 'number'"),
        (["number,name"], "lists no label"),
        (["number,name", "x,lamp"], "row 1: 'x' is no label number"),
        (["number,name", "-1,lamp"], "row 1: '-1' is no label number"),
        (["number,name", "16777216,lamp"], "is no label number"),
        (["number,name", "1,"], "row 1: label 1 has no name"),
        (["number,name", "1,lamp", "1,bed"], "row 2: row 1 has the number 1 already"),
        (["number,name", "1,lamp", "2,lamp"], "row 2: row 1 has the name 'lamp' already"),
    ],
)
def test_a_damaged_label_table_is_named(tmp_path: Path, labels: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, "a.png,train,4,6,2,3,,,,", labels=labels)
    assert message in caught.value.message
    assert "label.csv" in caught.value.message


def test_an_image_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ids repeat"):
        opened(tmp_path, FIRST, FIRST)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST)
    mask = tmp_path / "images" / "a_object.png"
    mask.rename(tmp_path / "secret.png")
    mask.symlink_to(tmp_path / "secret.png")
    with pytest.raises(InputError, match="outside"):
        dataset.regions("train", [0], CLEAN)


def test_columns_of_the_index_are_columns(tmp_path: Path) -> None:
    dataset = opened(tmp_path, FIRST, SECOND, THIRD)
    assert dataset.column_names("val")[:3] == ("image", "split", "ih")
    assert dataset.column("val", "ih").tolist() == [4, 4]
    found = take_dataset(spec_of(str(tmp_path)), ["ih", "nothing"]).splits["val"]
    assert found.num_rows == 2
    assert found.columns["ih"].values == ("4",)


def test_without_any_of_the_categories_the_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has none of the categories") as caught:
        opened(tmp_path, "a.png,1", header="image,things")
    assert "things" in str(caught.value.hint)
