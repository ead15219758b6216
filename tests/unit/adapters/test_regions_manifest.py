"""Regions of a manifest: masks with a label table, boxes, 0/1 columns; portraits; the rest."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset, Regions, Unreadable
from auditor.context import Concept
from auditor.errors import InputError, PlanError
from auditor.inventory.dataset import take_dataset
from auditor.needs import View
from auditor.spec.dataset import (
    ImageFolderDataset,
    ManifestDataset,
    PortraitsDataset,
    PortraitsSplit,
    RegionTables,
)
from auditor.spec.portraits import PARTS

CLEAN = View()
ROWS = "id,path,mask,furry,round\na,a.png,a_mask.png,1,0\nb,b.png,,0,\nc,c.png,c_mask.png,0,1\n"


def write(root: Path, rows: str = ROWS) -> Path:
    for name in "abc":
        Image.new("RGB", (6, 4), (50, 60, 70)).save(root / f"{name}.png")
    mask = np.zeros((4, 6), dtype=np.uint8)
    mask[1:3, 2:4], mask[0, 0], mask[3, 5] = 10, 20, 99
    Image.fromarray(mask).save(root / "a_mask.png")
    Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(root / "c_mask.png")
    (root / "labels.csv").write_text("number,name,category\n20,ear,part\n10,cat,object\n")
    (root / "boxes.csv").write_text(
        "id,concept,x,y,width,height\na,hat,0,0,2,1\na,hat,4,3,9,9\nc,shoe,5,3,1,1\n"
    )
    (root / "rows.csv").write_text(rows)
    return root


def spec_of(root: Path, **regions: object) -> ManifestDataset:
    paths = {
        key: str(root / str(value)) if key != "columns" else value for key, value in regions.items()
    }
    return ManifestDataset(
        source="manifest", path=str(root / "rows.csv"), regions=RegionTables.model_validate(paths)
    )


def region(dataset: Dataset, row: int) -> Regions:
    (found,) = dataset.regions("all", [row], CLEAN)
    assert isinstance(found, Regions)
    return found


def test_a_mask_shows_what_its_table_lists(tmp_path: Path) -> None:
    spec = spec_of(write(tmp_path), labels="labels.csv")
    dataset = open_dataset(spec)
    assert dataset.concepts == (Concept("ear", "part"), Concept("cat", "object"))
    assert take_dataset(spec).concepts == dataset.concepts
    found = region(dataset, 0)
    assert found.concepts == (0, 1)
    assert found.masks[0].nonzero().tolist() == [[0, 0]]
    assert found.masks[1].nonzero().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert dataset.regions("all", [1], CLEAN) == [None]
    empty = region(dataset, 2)
    assert empty.concepts == ()
    assert empty.masks.shape == (0, 4, 6)


def test_boxes_speak_of_every_image(tmp_path: Path) -> None:
    spec = spec_of(write(tmp_path), boxes="boxes.csv")
    dataset = open_dataset(spec)
    assert dataset.concepts == (Concept("hat"), Concept("shoe"))
    assert take_dataset(spec).concepts == dataset.concepts
    found = region(dataset, 0)
    assert found.concepts == (0,)
    assert found.masks[0].nonzero().tolist() == [[0, 0], [0, 1], [3, 4], [3, 5]]
    assert region(dataset, 1).concepts == ()
    assert region(dataset, 1).masks.shape == (0, 4, 6)


def test_columns_speak_of_the_whole_image(tmp_path: Path) -> None:
    dataset = open_dataset(
        spec_of(
            write(tmp_path),
            columns=(
                "round",
                "furry",
            ),
        )
    )
    assert dataset.concepts == (Concept("round"), Concept("furry"))
    assert region(dataset, 0).concepts == (1,)
    assert region(dataset, 0).masks.all()
    assert dataset.regions("all", [1], CLEAN) == [None]
    assert region(dataset, 2).concepts == (0,)


def test_sources_are_joined_and_one_name_is_one_concept(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "boxes.csv").write_text(
        "id,concept,category,x,y,width,height\na,cat,object,0,0,1,1\nb,cat,,0,0,1,1\n"
    )
    spec = spec_of(root, labels="labels.csv", boxes="boxes.csv", columns=("furry",))
    dataset = open_dataset(spec)
    assert dataset.concepts == (
        Concept("ear", "part"),
        Concept("cat", "object"),
        Concept("cat"),
        Concept("furry"),
    )
    found = region(dataset, 0)
    assert found.concepts == (0, 1, 3)
    assert int(found.masks[1].sum()) == 5
    assert found.masks[2].all()
    assert dataset.regions("all", [1], CLEAN) == [None]


def test_embedded_and_turned_images_have_their_upright_size(tmp_path: Path) -> None:
    root = write(tmp_path)
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(file, "JPEG", exif=exif)
    pq.write_table(pa.table({"image": [file.getvalue()], "id": ["a"]}), root / "rows.parquet")
    (root / "boxes.csv").write_text("id,concept,x,y,width,height\na,hat,0,0,2,1\n")
    dataset = open_dataset(
        ManifestDataset(
            source="manifest",
            files={"all": str(root / "rows.parquet")},
            regions=RegionTables(boxes=str(root / "boxes.csv")),
        )
    )
    (picture,) = dataset.read("all", [0], CLEAN)
    assert isinstance(picture, torch.Tensor)
    assert region(dataset, 0).masks.shape[1:] == picture.shape[1:] == (6, 4)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    root = write(tmp_path)
    masks = open_dataset(spec_of(root, labels="labels.csv"))
    boxes = open_dataset(spec_of(root, boxes="boxes.csv"))
    (root / "a_mask.png").unlink()
    (root / "a.png").write_bytes(b"")
    for dataset, reason in ((masks, "mask a_mask.png: the file cannot"), (boxes, "empty")):
        (found,) = dataset.regions("all", [0], CLEAN)
        assert isinstance(found, Unreadable)
        assert reason in found.reason
    Image.new("RGBA", (6, 4)).save(root / "a_mask.png")
    (found,) = masks.regions("all", [0], CLEAN)
    assert isinstance(found, Unreadable)
    assert "pixels of the kind RGBA" in found.reason


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("boxes.csv", "id,concept,x,y,width,height\nz,hat,0,0,1,1\n", "no image with this id"),
        ("boxes.csv", "id,concept,x,y,width,height\na,hat,0,0,-1,1\n", "has a negative side"),
        ("boxes.csv", "id,concept,x,y,width,height\na,hat,0,0,,1\n", "row 1 (id 'a')"),
        ("boxes.csv", "id,concept,x,y,width,height\na,hat,0,0,inf,1\n", "is no box"),
        ("boxes.csv", "id,concept,x,y,width,height\na,,0,0,1,1\n", "the box has no concept"),
        ("boxes.csv", "id,x,y,width,height\na,0,0,1,1\n", "has no column 'concept'"),
        ("labels.csv", "number,name\n1,a\n2,a\n", "has the name 'a' already"),
        ("labels.csv", "number,name,category\n1,a,x(1);y(2)\n", "has several categories"),
        ("rows.csv", ROWS.replace("a_mask", "../a_mask"), "leads outside"),
        ("rows.csv", ROWS.replace("mask,", "shape,"), "no column 'mask'"),
        ("rows.csv", ROWS.replace("furry", "hairy"), "no column 'furry'"),
        ("rows.csv", ROWS.replace(",1,0", ",2,0"), "column 'furry' holds other values"),
        ("rows.csv", ROWS.replace(",1,0", ",yes,0"), "column 'furry' holds other values"),
    ],
)
def test_tables_that_do_not_fit_are_named(
    tmp_path: Path, file: str, text: str, message: str
) -> None:
    root = write(tmp_path)
    (root / file).write_text(text)
    with pytest.raises(InputError) as caught:
        open_dataset(spec_of(root, labels="labels.csv", boxes="boxes.csv", columns=("furry",)))
    assert message in caught.value.message


def test_regions_need_a_source() -> None:
    with pytest.raises(ValidationError, match="regions come from"):
        RegionTables()


def test_a_manifest_without_regions_says_so(tmp_path: Path) -> None:
    root = write(tmp_path, ROWS.replace("a_mask", "/a_mask"))
    dataset = open_dataset(ManifestDataset(source="manifest", path=str(root / "rows.csv")))
    assert dataset.concepts == ()
    with pytest.raises(PlanError, match="says nothing of regions"):
        dataset.regions("all", [0], CLEAN)


def test_an_image_folder_has_no_regions(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    dataset = open_dataset(ImageFolderDataset(source="imagefolder", root=str(tmp_path)))
    assert dataset.concepts == ()
    with pytest.raises(PlanError, match="an image folder says nothing of regions"):
        dataset.regions("all", [], CLEAN)


def test_parts_of_portraits_are_concepts_with_exact_masks() -> None:
    spec = PortraitsDataset(source="portraits", splits={"test": PortraitsSplit(count=6)})
    dataset = open_dataset(spec)
    assert [concept.name for concept in dataset.concepts] == list(PARTS)
    assert take_dataset(spec).concepts == dataset.concepts
    found = dataset.regions("test", range(6), CLEAN)
    hats = View(kind="intervention", interventions=(("hat", True),))
    hat = PARTS.index("hat")
    for row, each in enumerate(found):
        assert isinstance(each, Regions)
        assert each.masks.shape == (len(each.concepts), 48, 48)
        assert list(each.concepts) == sorted(each.concepts)
        assert each.masks.flatten(1).any(dim=1).all()
        assert int(each.masks.sum(dim=0).max()) == 1
        (alone,) = dataset.regions("test", [row], CLEAN)
        assert isinstance(alone, Regions)
        assert torch.equal(alone.masks, each.masks)
        assert (hat in each.concepts) == bool(dataset.column("test", "hat")[row])
    redrawn = dataset.regions("test", range(6), hats)
    assert all(isinstance(each, Regions) and hat in each.concepts for each in redrawn)
    assert dataset.regions("test", [], CLEAN) == []
