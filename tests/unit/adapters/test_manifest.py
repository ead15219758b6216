"""Tables of images: CSV and Parquet, files and embedded bytes, and every way they can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from torch import Tensor

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset, Unreadable
from auditor.errors import ExecutionError, InputError, PlanError
from auditor.inventory.dataset import take_dataset
from auditor.needs import View
from auditor.spec.dataset import Columns, ManifestDataset

Picture = Callable[[int], bytes]
CLEAN = View()


def manifest(path: Path, **options: Any) -> ManifestDataset:
    return ManifestDataset(source="manifest", path=str(path), **options)


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def embedded(
    folder: Path, images: Sequence[bytes | None], name: str = "table", **more: Any
) -> Path:
    structs = [None if image is None else {"bytes": image, "path": "x.png"} for image in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(structs, kind)} | {n: pa.array(v) for n, v in more.items()}
    path = folder / f"{name}.parquet"
    pa.parquet.write_table(pa.table(columns), path, row_group_size=3)
    return path


def levels(dataset: Dataset, split: str, rows: Sequence[int]) -> list[int | str]:
    read = dataset.read(split, rows, CLEAN)
    return [r.reason if isinstance(r, Unreadable) else int(r[0, 0, 0]) for r in read]


def test_csv_names_image_files_below_its_own_folder(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.png").write_bytes(picture(10))
    (tmp_path / "bücher").mkdir()
    (tmp_path / "bücher" / "größe 東.png").write_bytes(picture(20))
    path = csv(tmp_path, "id,path,label", "007,a.png,cat", "8,bücher/größe 東.png,dog")
    dataset = open_dataset(manifest(path, classes=("dog", "cat")))
    assert dataset.splits() == ("all",)
    assert dataset.ids("all") == ("007", "8")
    labels = dataset.labels("all")
    assert labels is not None
    assert labels.tolist() == [1, 0]
    (image, _) = dataset.read("all", [0, 1], CLEAN)
    assert isinstance(image, Tensor)
    assert image.shape == (3, 4, 6)
    assert levels(dataset, "all", [1, 0, 1]) == [20, 10, 20]


def test_embedded_images_are_read_in_any_order(tmp_path: Path, picture: Picture) -> None:
    images = [picture(level) for level in range(10)]
    path = embedded(tmp_path, images, id=[f"s{n}" for n in range(10)])
    dataset = open_dataset(manifest(path))
    assert levels(dataset, "all", [7, 0, 9, 7]) == [7, 0, 9, 7]


def test_embedded_images_may_be_plain_bytes(tmp_path: Path, picture: Picture) -> None:
    path = tmp_path / "plain.parquet"
    pa.parquet.write_table(pa.table({"image": [picture(1), picture(2)]}), path)
    dataset = open_dataset(manifest(path))
    assert levels(dataset, "all", [1, 0]) == [2, 1]
    assert dataset.ids("all") == ("0", "1")


def test_threads_may_read_at_the_same_time(tmp_path: Path, picture: Picture) -> None:
    path = embedded(tmp_path, [picture(level) for level in range(32)])
    dataset = open_dataset(manifest(path))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda row: levels(dataset, "all", [row])[0], list(range(32)) * 4))
    assert read == list(range(32)) * 4


def test_split_column_tells_rows_apart(tmp_path: Path, picture: Picture) -> None:
    path = embedded(
        tmp_path, [picture(n) for n in range(4)], split=["test", "train", "test", "train"]
    )
    dataset = open_dataset(manifest(path))
    assert dataset.splits() == ("test", "train")
    assert levels(dataset, "train", [0, 1]) == [1, 3]
    assert dataset.ids("train") == ("1", "3")


def test_one_file_per_split(tmp_path: Path, picture: Picture) -> None:
    files = {
        "train": str(embedded(tmp_path, [picture(1)], "one")),
        "test": str(embedded(tmp_path, [picture(2), picture(3)], "two")),
    }
    dataset = open_dataset(ManifestDataset(source="manifest", files=files))
    assert dataset.splits() == ("train", "test")
    assert levels(dataset, "test", [1]) == [3]
    assert dataset.ids("test") == ("test-0", "test-1")


def test_rows_and_classes_agree_with_the_inventory(tmp_path: Path, picture: Picture) -> None:
    path = embedded(
        tmp_path,
        [picture(n) for n in range(5)],
        split=["b", "a", "b", "b", "a"],
        label=[0, 1, 1, 0, 0],
    )
    spec = manifest(path, classes=("x", "y"))
    dataset, stock = open_dataset(spec), take_dataset(spec)
    assert {name: len(dataset.ids(name)) for name in dataset.splits()} == {
        name: split.num_rows for name, split in stock.splits.items()
    }
    assert dataset.splits() == tuple(stock.splits)


def test_columns_are_numbers_booleans_or_text(tmp_path: Path, picture: Picture) -> None:
    path = csv(tmp_path, "path,n,f,b,t", "a.png,1,0.5,true,x", "b.png,,,,", "c.png,3,1,false,z")
    dataset = open_dataset(manifest(path))
    assert dataset.column("all", "n").tolist() == pytest.approx([1, np.nan, 3], nan_ok=True)
    assert dataset.column("all", "f").tolist() == pytest.approx([0.5, np.nan, 1], nan_ok=True)
    assert dataset.column("all", "b").tolist() == pytest.approx([1, np.nan, 0], nan_ok=True)
    assert dataset.column("all", "t").tolist() == ["x", "", "z"]
    assert dataset.ids("all") == ("a.png", "b.png", "c.png")


def test_a_csv_may_call_its_path_column_image(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.png").write_bytes(picture(9))
    spec = manifest(csv(tmp_path, "image", "a.png"), columns=Columns(path="image"))
    assert take_dataset(spec).splits["all"].num_rows == 1
    assert levels(open_dataset(spec), "all", [0]) == [9]


def test_labels_may_be_indices_and_may_be_missing(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,label", "a.png,1", "b.png,", "c.png,0")
    labels = open_dataset(manifest(path, classes=("x", "y"))).labels("all")
    assert labels is not None
    assert labels.tolist() == [1, -1, 0]
    assert open_dataset(manifest(csv(tmp_path, "path", "a.png"))).labels("all") is None


def test_missing_column_offers_near_names(tmp_path: Path) -> None:
    dataset = open_dataset(manifest(csv(tmp_path, "path,smiling", "a.png,1")))
    with pytest.raises(PlanError, match=r"no column 'smilling'[\s\S]*smiling"):
        dataset.column("all", "smilling")


def test_missing_split_offers_near_names(tmp_path: Path) -> None:
    dataset = open_dataset(manifest(csv(tmp_path, "path,split", "a.png,test")))
    with pytest.raises(PlanError, match=r"no split 'tset'[\s\S]*test"):
        dataset.ids("tset")


@pytest.mark.parametrize(
    ("label", "classes", "message"),
    [
        ("dgo", ("cat", "dog"), r"'dgo' is not one of[\s\S]*dog"),
        ("dog", None, r"'dog' is a name[\s\S]*classes"),
        ("2", ("cat", "dog"), r"label 2, but there are 2 classes"),
        ("-3", ("cat", "dog"), r"'-3' is not one of"),
    ],
)
def test_unknown_labels_are_named(
    tmp_path: Path, label: str, classes: tuple[str, ...] | None, message: str
) -> None:
    dataset = open_dataset(manifest(csv(tmp_path, "path,label", f"a.png,{label}"), classes=classes))
    with pytest.raises(InputError, match=message):
        dataset.labels("all")


def test_predictions_are_read_like_labels_and_may_be_missing(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,called", "a.png,dog", "b.png,", "c.png,cat")
    spec = manifest(path, classes=("cat", "dog"), columns=Columns(prediction="called"))
    predictions = open_dataset(spec).predictions("all")
    assert predictions is not None
    assert predictions.tolist() == [1, -1, 0]
    assert open_dataset(manifest(path, classes=("cat", "dog"))).predictions("all") is None


def test_predictions_that_became_floats_are_still_indices(tmp_path: Path) -> None:
    path = embedded(tmp_path, [None] * 3, prediction=pa.array([1.0, None, 0.0]))
    predictions = open_dataset(manifest(path, classes=("cat", "dog"))).predictions("all")
    assert predictions is not None
    assert predictions.tolist() == [1, -1, 0]


def test_every_unknown_prediction_is_listed_with_near_names(tmp_path: Path) -> None:
    lines = [f"{n}.png,{word}" for n, word in enumerate(("cat", "dgo", "caat", "zebra"))]
    dataset = open_dataset(
        manifest(csv(tmp_path, "path,prediction", *lines), classes=("cat", "dog"))
    )
    with pytest.raises(InputError) as caught:
        dataset.predictions("all")
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "column 'prediction': 3 predictions are not among the dataset's classes" in text
    assert "'caat', 'dgo', 'zebra'" in text
    assert "`cat` for 'caat'" in text
    assert "`dog` for 'dgo'" in text


def test_after_ten_unknown_predictions_the_rest_is_counted(tmp_path: Path) -> None:
    lines = [f"{n}.png,strange{n:02d}" for n in range(13)]
    path = csv(tmp_path, "path,prediction", *lines)
    with pytest.raises(InputError, match=r"'strange09' and 3 more[\s\S]*known classes: cat, dog"):
        open_dataset(manifest(path, classes=("cat", "dog"))).predictions("all")


def test_indices_beyond_the_last_class_are_all_listed(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,prediction", "a.png,1", "b.png,7", "c.png,12")
    with pytest.raises(
        InputError, match=r"predictions 7, 12, but there are 2 classes[\s\S]*0 to 1"
    ):
        open_dataset(manifest(path, classes=("cat", "dog"))).predictions("all")


@pytest.mark.parametrize("classes", [("cat", "dog"), None])
@pytest.mark.parametrize("column", ["label", "prediction"])
def test_names_mixed_with_numbers_are_refused_with_an_example_of_each(
    tmp_path: Path, classes: tuple[str, ...] | None, column: str
) -> None:
    path = csv(tmp_path, f"path,{column}", "a.png,cat", "b.png,1", "c.png,0")
    dataset = open_dataset(manifest(path, classes=classes))
    with pytest.raises(
        InputError, match=f"{column}s mix names, such as 'cat', and numbers, such as '0'"
    ):
        (dataset.labels if column == "label" else dataset.predictions)("all")


def test_classes_that_are_called_by_numbers_mix_with_names(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,label", "a.png,cat", "b.png,7")
    labels = open_dataset(manifest(path, classes=("7", "cat"))).labels("all")
    assert labels is not None
    assert labels.tolist() == [1, 0]


def test_repeated_ids_are_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,path", "x,a.png", "y,b.png", "x,c.png")
    with pytest.raises(InputError, match=r"'x' \(2 times\)"):
        open_dataset(manifest(path))


def test_rows_without_a_split_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,split", "a.png,train", "b.png,")
    with pytest.raises(InputError, match="have no 'split'"):
        open_dataset(manifest(path))


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png"]
)
def test_a_path_outside_the_root_is_refused_before_anything_is_read(
    tmp_path: Path, picture: Picture, path: str
) -> None:
    (tmp_path / "secret.png").write_bytes(picture(1))
    root = tmp_path / "root"
    root.mkdir()
    table = csv(root, "id,path", f"intruder,{path}")
    with pytest.raises(InputError, match=r"row 1 \(id 'intruder'\).*outside") as caught:
        open_dataset(manifest(table))
    assert repr(path) in caught.value.message


def test_a_symbolic_link_out_of_the_root_is_refused(tmp_path: Path, picture: Picture) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(picture(1))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    dataset = open_dataset(manifest(csv(root, "path", "link.png", "folder/secret.png")))
    for row in (0, 1):
        with pytest.raises(InputError, match=f"row {row + 1} .*outside"):
            dataset.read("all", [row], CLEAN)


def test_a_symbolic_link_inside_the_root_is_read(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.png").write_bytes(picture(5))
    (tmp_path / "link.png").symlink_to("a.png")
    assert levels(open_dataset(manifest(csv(tmp_path, "path", "link.png"))), "all", [0]) == [5]


def test_unreadable_rows_have_reasons_and_stop_nothing(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "good.png").write_bytes(picture(3))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    names = ["good", "empty", "text", "folder", "pipe", "missing"]
    dataset = open_dataset(manifest(csv(tmp_path, "path", *(f"{name}.png" for name in names))))
    good, *reasons = levels(dataset, "all", range(6))
    assert good == 3
    expected = ["empty", "not an image", "not a regular", "not a regular", "No such file"]
    for reason, words in zip(reasons, expected, strict=True):
        assert words in str(reason)
        assert str(tmp_path) not in str(reason)


def test_rows_without_an_embedded_image_have_a_reason(tmp_path: Path, picture: Picture) -> None:
    path = embedded(tmp_path, [picture(1), None, b""])
    read = levels(open_dataset(manifest(path)), "all", [0, 1, 2])
    assert read[0] == 1
    assert "no image" in str(read[1])
    assert "empty" in str(read[2])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", b""),
        ("table.csv", b"path,label\na.png\n"),
        ("table.csv", b"path\n\xff\xfe\n"),
        ("table.parquet", b"PAR1 this is not parquet"),
        ("table.xlsx", b"PK"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_dataset(manifest(path))


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        open_dataset(manifest(tmp_path / "nowhere.csv"))


def test_a_table_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes
    path = embedded(tmp_path, [noise(5_000) for _ in range(6)], id=list("abcdef"))
    data = bytearray(path.read_bytes())
    data[4:4_000] = bytes(3_996)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"table\.parquet"):
        open_dataset(manifest(path)).read("all", [0], CLEAN)


def test_a_full_temporary_folder_is_an_error_one_can_mend(
    tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    dataset = open_dataset(manifest(embedded(tmp_path, [picture(1)])))
    with pytest.raises(ExecutionError, match="TMPDIR"):
        dataset.read("all", [0], CLEAN)


def test_finished_images_cannot_be_redrawn(tmp_path: Path) -> None:
    dataset = open_dataset(manifest(csv(tmp_path, "path", "a.png")))
    view = View(kind="intervention", interventions=(("hat", True),))
    with pytest.raises(PlanError, match="intervention"):
        dataset.read("all", [0], view)
