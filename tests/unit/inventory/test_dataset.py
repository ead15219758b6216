"""What is known of a dataset before any image is decoded."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import TypeAdapter

from auditor.errors import InputError
from auditor.inventory.dataset import take_dataset
from auditor.inventory.stock import ColumnInventory, DatasetInventory
from auditor.spec.dataset import DatasetSpec

SPEC: TypeAdapter[DatasetSpec] = TypeAdapter(DatasetSpec)


def take(look_into: Sequence[str] = (), **spec: object) -> DatasetInventory:
    return take_dataset(SPEC.validate_json(json.dumps(spec)), look_into)


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """Six photos, four in `train`, named by a table with labels of several kinds."""
    rows = []
    for number in range(6):
        name = f"bild-ü{number}.png"
        (tmp_path / name).write_bytes(png(number) + b"x" * number)
        rows.append(
            {
                "path": name,
                "split": "train" if number < 4 else "test",
                "label": number % 3,
                "hat": number % 2,
                "flat": 1,
                "age": "" if number == 0 else number / 2,
            }
        )
    return write_csv(tmp_path / "rows.csv", rows)


def test_a_table_is_counted_per_split(photos: str, tmp_path: Path) -> None:
    found = take(source="manifest", path=photos, classes=["a", "b", "c"])
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.png"))]
    assert {name: split.num_rows for name, split in found.splits.items()} == {"train": 4, "test": 2}
    assert [split.num_bytes for split in found.splits.values()] == [sum(sizes[:4]), sum(sizes[4:])]
    assert found.splits["train"].labels == ("a", "b", "c")
    assert found.splits["test"].labels == ("b", "c")
    assert found.columns == ("path", "split", "label", "hat", "flat", "age")


def test_columns_are_looked_into_where_asked(photos: str) -> None:
    found = take(["hat", "flat", "age", "nowhere"], source="manifest", path=photos)
    assert found.splits["train"].columns == {
        "hat": ColumnInventory(2, 0.0, 1.0, ("0", "1")),
        "flat": ColumnInventory(1, 1.0, 1.0, ("1",)),
        "age": ColumnInventory(3, 0.5, 1.5, ("0.5", "1", "1.5")),
    }


def test_categories_and_empty_columns_are_looked_into_and_lists_are_refused(tmp_path: Path) -> None:
    table = {
        "path": ["a.png", "b.png"],
        "hat": pa.array(["yes", "no"]).dictionary_encode(),
        "age": pa.array([None, None]),
        "boxes": [[1, 2], [3]],
    }
    pq.write_table(pa.table(table), tmp_path / "photos.parquet")
    path = str(tmp_path / "photos.parquet")
    found = take(["hat", "age"], source="manifest", path=path)
    assert found.splits["all"].columns == {
        "hat": ColumnInventory(2, values=("no", "yes")),
        "age": ColumnInventory(0, values=()),
    }
    with pytest.raises(InputError, match="'boxes' holds list"):
        take(["boxes"], source="manifest", path=path)


def test_the_digest_sees_table_paths_and_sizes(photos: str, tmp_path: Path) -> None:
    def digests() -> list[str]:
        return [split.digest for split in take(source="manifest", path=photos).splits.values()]

    before = digests()
    assert before == digests()
    assert before[0] != before[1]

    photo = tmp_path / "bild-ü0.png"
    photo.write_bytes(photo.read_bytes() + b"more")
    resized = digests()
    assert resized[0] != before[0]
    assert resized[1] == before[1]

    photo.unlink()
    assert digests()[0] not in (before[0], resized[0])

    table = Path(photos)
    table.write_text(table.read_text(encoding="utf-8").replace("train,0,0", "train,0,1"))
    assert digests()[1] != before[1]


def test_the_digest_does_not_see_where_a_table_lies(photos: str, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.csv"
    other.write_bytes(Path(photos).read_bytes())
    found = [
        take(source="manifest", path=str(path)).splits["train"].digest for path in (photos, other)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_that_differ_in_their_predictions_hold_the_same_data(
    suffix: str, tmp_path: Path
) -> None:
    def stock(name: str, labels: Sequence[str], predictions: Sequence[str] | None) -> Any:
        columns: dict[str, Any] = {"path": ["a.png", "b.png"], "label": list(labels)}
        if predictions is not None:
            columns["prediction"] = list(predictions)
        path = tmp_path / f"{name}.{suffix}"
        if suffix == "csv":
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            write_csv(path, rows)
        else:
            pq.write_table(pa.table(columns), path)
        return take(source="manifest", path=str(path), classes=["x", "y"]).splits["all"]

    one, other = stock("one", "xy", "xy"), stock("other", "xy", "yy")
    assert one.digest != other.digest
    assert one.without_predictions == other.without_predictions
    assert stock("relabelled", "yy", "xy").without_predictions != one.without_predictions
    assert stock("bare", "xy", None).without_predictions is None


def test_files_outside_the_root_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(1))
    inside = tmp_path / "inside"
    inside.mkdir()
    paths = ["../secret.png", str(tmp_path / "secret.png"), "missing.png", ""]
    path = write_csv(inside / "rows.csv", [{"path": each, "hat": 1} for each in paths])
    split = take(source="manifest", path=path).splits["all"]
    assert (split.num_rows, split.num_bytes) == (4, 0)


def test_labels_and_splits_are_taken_word_for_word(tmp_path: Path) -> None:
    rows = [{"path": "a.png", "split": "007", "label": "01"}]
    found = take(source="manifest", path=write_csv(tmp_path / "rows.csv", rows))
    assert found.splits["007"].labels == ("01",)


@pytest.mark.parametrize("as_struct", [True, False])
def test_embedded_images_count_with_their_bytes(as_struct: bool, tmp_path: Path) -> None:
    images = [png(value) for value in range(3)]
    column = [{"bytes": image, "path": None} for image in images] if as_struct else images
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"image": column, "label": ["cat", "dog", None]}), path)
    found = take(source="manifest", files={"only": str(path)}).splits["only"]
    assert (found.num_rows, found.num_bytes) == (3, sum(map(len, images)))
    assert found.labels == ("cat", "dog")


def test_an_image_folder_is_counted_per_class_and_split(tmp_path: Path) -> None:
    for name in ("train/cat/a.png", "train/cat/deep/b.JPG", "train/dog/c.png", "test/dog/d.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(1))
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    found = take(source="imagefolder", root=str(tmp_path), splits=["train", "test"])
    assert found.classes == ("cat", "dog")
    assert {name: split.num_rows for name, split in found.splits.items()} == {"train": 3, "test": 1}
    assert found.splits["test"].labels == ("dog",)
    whole = take(source="imagefolder", root=str(tmp_path / "train"))
    assert list(whole.splits) == ["all"]
    assert whole.splits["all"].digest == found.splits["train"].digest


def test_a_link_to_no_file_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"12")
    (tmp_path / "cat" / "2.png").symlink_to("gone.png")
    found = take(source="imagefolder", root=str(tmp_path)).splits["all"]
    assert (found.num_rows, found.num_bytes) == (2, 2)
    (tmp_path / "cat" / "gone.png").write_bytes(b"34")
    assert take(source="imagefolder", root=str(tmp_path)).splits["all"].digest != found.digest


def test_a_class_without_a_folder_is_an_error_with_near_names(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with pytest.raises(InputError, match="no folder for the class 'cats'") as caught:
        take(source="imagefolder", root=str(tmp_path), classes=["cats"])
    assert caught.value.hint == "did you mean `cat`?"


def test_portraits_are_named_by_all_that_draws_them() -> None:
    def digest(**spec: object) -> str:
        return take(source="portraits", **spec).splits["train"].digest

    pair = {"between": ["hat", "beard"], "tau": 1.0}
    variants: list[dict[str, object]] = [
        {},
        {"seed": 1},
        {"size": 64},
        {"interventions": {"hat": True}},
        {"splits": {"train": {"count": 7999}}},
        {"splits": {"train": {"count": 8000, "start": 1}}},
        {"splits": {"train": {"count": 8000, "planted": [pair]}}},
    ]
    assert len({digest(**each) for each in variants}) == len(variants)
    assert digest() == digest(
        splits={"train": {"count": 8000}, "other": {"count": 1, "start": 9999}}
    )


def test_an_intervened_portrait_attribute_is_constant() -> None:
    found = take(["hat", "skin"], source="portraits", interventions={"hat": False})
    assert found.splits["test"].columns == {
        "hat": ColumnInventory(1, 0.0, 0.0, ("0",)),
        "skin": ColumnInventory(3, values=("deep", "light", "medium")),
    }


def test_torchvision_archives_count_where_they_are_whole(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    (folder / "test").write_bytes(b"1234")
    found = take(source="torchvision", name="cifar100", root=str(tmp_path))
    assert {name: split.num_rows for name, split in found.splits.items()} == {"test": 10_000}
    assert found.splits["test"].num_bytes == 4


def test_celeba_is_read_from_its_two_tables(tmp_path: Path) -> None:
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    (folder / "img_align_celeba" / "000001.jpg").write_bytes(b"12345")
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 0\n000003.jpg 2\n")
    (folder / "list_attr_celeba.txt").write_text("3\nSmiling Male\n000001.jpg  1 -1\n")
    found = take(["Male", "Old"], source="torchvision", name="celeba", root=str(tmp_path))
    assert {name: split.num_rows for name, split in found.splits.items()} == {
        "train": 2,
        "valid": 0,
        "test": 1,
    }
    assert found.splits["train"].num_bytes == 5
    assert found.columns == ("Smiling", "Male")
    assert found.splits["test"].columns == {"Male": ColumnInventory(2, -1.0, 1.0, ("-1", "1"))}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"source": "manifest", "path": "nowhere.csv"}, "there is no file nowhere.csv"),
        ({"source": "imagefolder", "root": "nowhere"}, "there is no folder nowhere"),
        ({"source": "torchvision", "name": "mnist", "root": "nowhere"}, "nowhere/MNIST"),
        ({"source": "torchvision", "name": "celeba", "root": "nowhere"}, "nowhere/celeba"),
        (
            {"source": "torchvision", "name": "imagenet", "root": "nowhere"},
            "neither train/ nor val/",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_next_move(spec: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        take(**spec)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be read as a table"),
        ("a.parquet", b"PAR1 no", "cannot be read as a table"),
        ("a.txt", b"path\n", "neither CSV nor Parquet"),
        ("a.csv", b"name,hat\nx,1\n", "neither the image column 'image' nor the path column"),
        (
            "a.csv",
            b"path,split\na.png,train\nb.png,\n",
            "1 rows have no value in the column 'split'",
        ),
        ("a.csv", b"image,hat\nx,1\n", "only Parquet files hold embedded images"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        take(source="manifest", path=str(path))
    assert message in str(caught.value)


@pytest.mark.data
def test_shared_cifar_tables_are_known_without_decoding(shared_data: Path) -> None:
    path = str(shared_data / "images" / "cifar10_test.parquet")
    split = take(source="manifest", files={"test": path}).splits["test"]
    assert split.num_rows == 10_000
    assert split.labels is not None
    assert len(split.labels) == 10
