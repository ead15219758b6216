"""What is known of annotated regions before any image is decoded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from auditor.inventory.dataset import take_dataset
from auditor.inventory.regions import categories_of
from auditor.inventory.stock import ColumnInventory
from auditor.spec.dataset import (
    CocoDataset,
    CocoSplit,
    DatasetSpec,
    IndexMasksDataset,
    ManifestDataset,
    RegionTables,
)


@pytest.fixture
def coco(tmp_path: Path) -> CocoDataset:
    (tmp_path / "masks").mkdir()
    for name in ("1.png", "masks/1.png"):
        Image.new("RGB", (6, 4), (5, 0, 0)).save(tmp_path / name)
    segments = [{"id": 5, "category_id": 1}]
    content = {
        "images": [{"id": 1, "file_name": "1.png", "height": 4, "width": 6}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    split = CocoSplit(
        images=str(tmp_path),
        annotations=str(tmp_path / "a.json"),
        panoptic=str(tmp_path / "masks"),
    )
    return CocoDataset(source="coco", splits={"val": split})


@pytest.fixture
def broden(tmp_path: Path) -> IndexMasksDataset:
    (tmp_path / "images").mkdir()
    for name in ("1.png", "m.png"):
        Image.new("RGB", (6, 4), (5, 0, 0)).save(tmp_path / "images" / name)
    (tmp_path / "index.csv").write_text("image,split,object\n1.png,val,m.png\n")
    (tmp_path / "label.csv").write_text("number,name\n5,dog\n")
    return IndexMasksDataset(source="index_masks", root=str(tmp_path))


@pytest.fixture
def manifest(tmp_path: Path) -> ManifestDataset:
    for name in ("1.png", "m.png"):
        Image.new("L", (6, 4), 5).save(tmp_path / name)
    (tmp_path / "rows.csv").write_text("id,path,mask\na,1.png,m.png\n")
    (tmp_path / "labels.csv").write_text("number,name\n5,dog\n")
    (tmp_path / "boxes.csv").write_text("id,concept,x,y,width,height\na,cat,1,1,2,2\n")
    tables = RegionTables(labels=str(tmp_path / "labels.csv"), boxes=str(tmp_path / "boxes.csv"))
    return ManifestDataset(source="manifest", path=str(tmp_path / "rows.csv"), regions=tables)


def digest(spec: DatasetSpec) -> str:
    (split,) = take_dataset(spec).splits.values()
    return split.digest


def appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("coco", ("1.png", "masks/1.png", "a.json")),
        ("broden", ("images/1.png", "images/m.png", "index.csv", "label.csv")),
        ("manifest", ("1.png", "m.png", "rows.csv", "labels.csv", "boxes.csv")),
    ],
)
def test_the_digest_sees_images_masks_and_tables(
    source: str, files: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    spec: DatasetSpec = request.getfixturevalue(source)
    seen = [digest(spec)]
    assert digest(spec) == seen[0]
    for file in files:
        appended(tmp_path / file)
        seen.append(digest(spec))
    assert len(set(seen)) == 1 + len(files)
    (tmp_path / files[1]).unlink()
    assert digest(spec) not in seen


def test_a_manifest_without_regions_keeps_its_digest(
    manifest: ManifestDataset, tmp_path: Path
) -> None:
    bare = manifest.model_copy(update={"regions": None})
    before = digest(bare)
    assert before != digest(manifest)
    appended(tmp_path / "m.png")
    assert digest(bare) == before
    assert take_dataset(bare).concepts == ()


def test_coco_is_counted_and_looked_into(coco: CocoDataset, tmp_path: Path) -> None:
    found = take_dataset(coco, ["dog", "cat", "horse"])
    split = found.splits["val"]
    assert found.columns == ("dog", "cat")
    assert (split.num_rows, split.num_bytes) == (1, (tmp_path / "1.png").stat().st_size)
    assert split.columns == {
        "dog": ColumnInventory(1, 1.0, 1.0, ("1",)),
        "cat": ColumnInventory(1, 0.0, 0.0, ("0",)),
    }


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("", ()),
        ("object", ("object",)),
        ("color(289)", ("color",)),
        ("material(36);object(3)", ("material", "object")),
        ("material (36) ; object(3);", ("material", "object")),
    ],
)
def test_categories_are_read_as_broden_writes_them(text: str, categories: tuple[str, ...]) -> None:
    assert categories_of(text) == categories


def test_annotations_are_read_without_torch(coco: CocoDataset) -> None:
    program = (
        "import sys\n"
        "from auditor.inventory.dataset import take_dataset\n"
        "from auditor.spec.dataset import CocoDataset\n"
        f"found = take_dataset(CocoDataset.model_validate_json({coco.model_dump_json()!r}))\n"
        "assert len(found.concepts) == 2\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'PIL' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_that_changes_is_read_again(coco: CocoDataset, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    assert take_dataset(coco).concepts[1].name == "cat"
    file.write_text(file.read_text().replace('"cat"', '"horse"'))
    assert take_dataset(coco).concepts[1].name == "horse"
