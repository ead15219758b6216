"""Bad input through the command line: an exit code, words, and earlier results left as they were.

Every test starts beside a finished run of the same spec and under the same folder of reports, and
ends by verifying it: whatever went wrong, what was sealed before must not have moved by a byte.
"""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from auditor.adapters.models.networks import build_network

NUM_PHOTOS = 40
SPEC = """\
version: 1
name: photos
dataset: {source: manifest, files: {train: data/train.csv}}
model: {source: builtin, name: portraits_net, num_outputs: 2, preprocess: {resize: 48, crop: 48}}
attributes:
  red: {output: 0, column: red}
  dark: {output: 1, column: dark}
relations: {unrelated: {mean: 0.0, sd: 0.1}}
rules:
  both: {between: [red, dark], expect: unrelated}
audits:
  colours:
    {kind: relationships, layer: features.2, examples: 0, confirm: null, min_images: 8, min_cell: 2}
engine: {device: cpu, num_threads: 1, max_unreadable: 0.1}
report: {formats: [html]}
"""

Call = Callable[..., Any]


@dataclass(frozen=True)
class Project:
    """A spec with its photos, and a finished run of it."""

    call: Call
    sealed: Path

    def spec(self, old: str = "", new: str = "") -> None:
        """Write the spec with one change."""
        assert old in SPEC
        Path("audit.yaml").write_text(SPEC.replace(old, new) if old else SPEC)

    def run(self, *arguments: str) -> Any:
        return self.call("run", "audit.yaml", *arguments)

    def new_run(self) -> Path:
        """The one run directory beside the sealed one."""
        (found,) = (each for each in self.sealed.parent.iterdir() if each != self.sealed)
        return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos, a spec and a finished run, made once."""
    folder = tmp_path_factory.mktemp("finished")
    make_photos(folder / "data")
    (folder / "audit.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, auditor: Call) -> Iterator[Project]:
    """A copy of that folder as the current directory; its finished run is verified afterwards."""
    if not (finished / "reports").is_dir():
        shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
        assert auditor("run", "audit.yaml").code == 4, "an untrained network decides nothing"
        shutil.copytree(tmp_path / "reports", finished / "reports")
    else:
        shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (sealed,) = Path("reports/photos").iterdir()
    before = content(sealed)
    yield Project(auditor, sealed)
    assert content(sealed) == before
    assert auditor("verify", str(sealed)).code == 0


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def make_photos(folder: Path) -> None:
    folder.mkdir()
    lines = ["id,path,red,dark"]
    for index in range(NUM_PHOTOS):
        (folder / f"{index}.jpg").write_bytes(photo(index))
        lines.append(f"{index},{index}.jpg,{index % 2},{int(index % 3 == 0)}")
    (folder / "train.csv").write_text("\n".join(lines))


def photo(index: int, *, mode: str = "RGB", form: str = "JPEG") -> bytes:
    colour = (200 if index % 2 else 20, 90, 30 if index % 3 else 220)
    data = BytesIO()
    Image.new("RGB", (60, 50), colour).convert(mode).save(data, form)
    return data.getvalue()


def columns(header: str, row: Callable[[int], str]) -> None:
    """Rewrite the table of the photos."""
    lines = [header, *(row(index) for index in range(NUM_PHOTOS))]
    Path("data/train.csv").write_text("\n".join(lines), encoding="utf-8")


SELF = "both: {between: [red, red], expect: unrelated}"
MISSPELT = "both: {between: [red, drak], expect: unrelated}"
CONTRADICTION = """both: {between: [red, dark], expect: unrelated}
  other: {between: [dark, red], expect: definitely_positive}"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: photos", "name: photos\nnmae: x", ("audit.yaml:3:1", "unknown key", "`name`")),
        ("examples: 0", "examples: many", ("audit.yaml:13:", "whole number", '"many"')),
        ("both: {between: [red, dark], expect: unrelated}", MISSPELT, ("audit.yaml:10:", "`dark`")),
        ("both: {between: [red, dark], expect: unrelated}", SELF, ("audit.yaml:10:", "itself")),
        (
            "both: {between: [red, dark], expect: unrelated}",
            CONTRADICTION,
            ("audit.yaml:11:", "audit.yaml:10:", "unrelated", "definitely_positive"),
        ),
        ("name: photos", "name: photos\nname: again", ("audit.yaml:3:1", "twice")),
        ("version: 1", "defaults: [polcy: release, _self_]\nversion: 1", ("polcy", "`policy`")),
    ],
    ids=[
        "unknown key", "wrong type", "misspelt attribute", "attribute and itself",
        "contradictory rules", "duplicate key", "missing group",
    ],
)  # fmt: skip
def test_a_spec_with_a_mistake_is_refused(
    project: Project, old: str, new: str, words: tuple[str, ...]
) -> None:
    project.spec(old, new)
    for command in ("validate", "plan", "run"):
        done = project.call(command, "audit.yaml")
        assert done.code == 2, done.err
        assert not [word for word in words if word not in done.err], done.err
        assert "Traceback" not in done.err


def test_cyclic_defaults_are_refused(project: Project) -> None:
    Path("policy").mkdir()
    Path("policy/one.yaml").write_text("defaults: [two]\n")
    Path("policy/two.yaml").write_text("defaults: [one]\n")
    project.spec("version: 1", "defaults: [policy: one, _self_]\nversion: 1")
    done = project.run()
    assert done.code == 2
    assert "policy/two.yaml:1:" in done.err
    assert "one" in done.err


@pytest.mark.parametrize("audits", ["audits: {}", ""])
def test_a_spec_without_audits_validates_with_a_warning_and_runs_to_4(
    project: Project, audits: str
) -> None:
    start = SPEC.index("audits:")
    project.spec(SPEC[start : SPEC.index("engine:")], audits + "\n")
    done = project.call("validate", "audit.yaml")
    assert done.code == 0
    assert "no audits" in done.err
    done = project.run()
    assert done.code == 4, done.err
    assert "inconclusive" in done.out
    assert project.call("verify", str(project.new_run())).code == 0


def test_a_layer_that_does_not_exist_is_refused_with_near_names(project: Project) -> None:
    done = project.run("audits.colours.layer=features.22")
    assert done.code == 2
    assert "features.22" in done.err
    assert "`features.2`" in done.err
    assert "Traceback" not in done.err


def test_a_label_column_that_is_missing_is_refused_with_near_names(project: Project) -> None:
    done = project.run("attributes.dark.column=drak")
    assert done.code == 2
    assert "attributes.dark.column" in done.err
    assert "`dark`" in done.err


def test_a_constant_label_column_is_warned_of_and_decides_nothing(project: Project) -> None:
    columns("id,path,red,dark", lambda i: f"{i},{i}.jpg,{i % 2},0")
    done = project.run()
    assert done.code == 4
    assert "warning: the label of attribute 'dark' is the same in every row" in done.err
    found = result(project.new_run())
    (pair,) = found["pairs"]
    assert pair["outcome"] not in ("broken", "as_expected")
    assert "not vary" in pair["label_correlation"]["reason"]
    dark = found["attributes"][1]
    assert dark["learnt"] is None
    assert "0 confirming images with the attribute" in dark["balanced_accuracy"]["reason"]


@pytest.mark.parametrize("rows", [NUM_PHOTOS, 0], ids=["no labels", "no rows"])
def test_a_table_without_labels_or_rows_passes_nothing(project: Project, rows: int) -> None:
    columns("id,path,red,dark", lambda i: f"{i},{i}.jpg,,")
    lines = Path("data/train.csv").read_text().splitlines()
    Path("data/train.csv").write_text("\n".join(lines[: rows + 1]) + "\n")
    done = project.run()
    assert done.code == (4 if rows else 3), done.err
    assert "warning: the " in done.err
    assert "Traceback" not in done.err
    assert "verdict: " in done.out


def test_labels_that_are_no_labels_are_refused(project: Project) -> None:
    columns("id,path,red,dark", lambda i: f"{i},{i}.jpg,{i % 2},{i % 5}")
    done = project.run()
    assert done.code == 2
    assert "dark" in done.err
    assert "positive_above" in done.err


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused_with_their_samples(
    project: Project, bad: float
) -> None:
    network = build_network("portraits_net", num_outputs=2)
    with torch.no_grad():
        network.get_submodule("classifier.2").bias[1] = bad
    save_file(network.state_dict(), "broken.safetensors")
    done = project.run("model.weights=broken.safetensors")
    assert done.code == 2
    assert "NaN or infinite" in done.err
    assert "outputs 1" in done.err


def test_a_state_dict_that_does_not_fit_shows_keys_and_shapes(project: Project) -> None:
    state = build_network("portraits_net", num_outputs=3).state_dict()
    state["extra.weight"] = state.pop("features.0.weight")
    torch.save(state, "other.pt")
    done = project.run("model.weights=other.pt")
    assert done.code == 2
    for words in (
        "other.pt",
        "features.0.weight",
        "extra.weight",
        "classifier.2.weight",
        "[3,",
        "[2,",
    ):
        assert words in done.err


class Hostile:
    """A pickle that leaves a file behind when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("opened"),)


@pytest.mark.parametrize("form", ["pickle", "torch", "zip"])
def test_a_pickle_in_place_of_weights_is_refused_and_not_opened(
    project: Project, form: str
) -> None:
    if form == "pickle":
        Path("weights.pt").write_bytes(pickle.dumps({"a": Hostile()}))
    elif form == "torch":
        torch.save({"a": Hostile()}, "weights.pt")
    else:
        with zipfile.ZipFile("weights.pt", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Hostile()))
    done = project.run("model.weights=weights.pt")
    assert done.code == 2, done.err
    assert "weights.pt" in done.err
    assert "safetensors" in done.err
    assert not Path("opened").exists()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda data: data[: len(data) // 2], "truncated"), (lambda _data: b"", "empty")],
    ids=["truncated JPEG", "zero bytes"],
)
def test_an_unreadable_photo_is_quarantined_and_counted_in_the_report(
    project: Project, damage: Callable[[bytes], bytes], reason: str
) -> None:
    path = Path("data/7.jpg")
    path.write_bytes(damage(path.read_bytes()))
    done = project.run()
    assert done.code == 4, done.err
    (image,) = json.loads((project.new_run() / "run.json").read_text())["quarantined"]
    assert (image["sample"], image["split"]) == ("7", "train")
    assert reason in image["reason"].casefold()
    page = (project.new_run() / "report/report.html").read_text()
    assert "could not be read" in page
    assert image["reason"] in page


def test_too_many_unreadable_photos_stop_the_run(project: Project) -> None:
    for index in range(9):
        Path(f"data/{index}.jpg").write_bytes(b"")
    done = project.run()
    assert done.code == 3
    assert "unreadable" in done.err


def test_a_photo_outside_the_root_is_refused(project: Project) -> None:
    Path("secret.jpg").write_bytes(photo(0))
    columns(
        "id,path,red,dark",
        lambda i: f"{i},{'../secret' if i == 3 else i}.jpg,{i % 2},{int(i % 3 == 0)}",
    )
    done = project.run()
    assert done.code == 2, done.err
    assert "../secret.jpg" in done.err


def sixteen_bit() -> bytes:
    data = BytesIO()
    Image.fromarray(np.full((50, 60), 40_000, dtype=np.uint16)).save(data, "PNG")
    return data.getvalue()


def test_photos_of_other_modes_are_converted_and_counted(project: Project) -> None:
    Path("data/0.jpg").write_bytes(sixteen_bit())
    Path("data/1.jpg").write_bytes(photo(1, mode="CMYK"))
    Path("data/2.jpg").write_bytes(photo(2, mode="P", form="PNG"))
    done = project.run()
    assert done.code == 4, done.err
    record = json.loads((project.new_run() / "run.json").read_text())
    assert record["quarantined"] == []
    found, before = result(project.new_run()), result(project.sealed)
    assert found["num_images"] + found["num_confirming"] == NUM_PHOTOS
    assert found["num_images"] == before["num_images"]


def test_names_beyond_ascii_are_as_good_as_others(project: Project) -> None:
    Path("data/été 写真.jpg").write_bytes(photo(5))
    columns(
        "id,path,red,dark",
        lambda i: f"{i},{'été 写真' if i == 5 else i}.jpg,{i % 2},{int(i % 3 == 0)}",
    )
    Path("data").rename("Bilder für später")
    text = SPEC.replace("data/train.csv", "Bilder für später/train.csv")
    Path("Prüfung.yaml").write_text(text, encoding="utf-8")
    done = project.call("run", "Prüfung.yaml", "--out", "Berichte — 報告")
    assert done.code == 4, done.err
    (run,) = Path("Berichte — 報告/photos").iterdir()
    assert f"html: {run}/report/report.html" in done.out
    assert json.loads((run / "run.json").read_text())["quarantined"] == []
    assert project.call("verify", str(run)).code == 0
    assert result(run)["num_images"] == result(project.sealed)["num_images"]


def test_a_folder_without_write_permission_is_named(project: Project) -> None:
    if not Path("/sys/kernel").is_dir():
        pytest.skip("needs a folder closed even to root")
    done = project.run("--out", "/sys/reports")
    assert done.code == 3
    assert "no permission to write /sys/reports" in done.err


@pytest.mark.parametrize("limit", [700, 5_000, 30_000])
def test_a_full_disk_leaves_nothing_half_written(project: Project, limit: int) -> None:
    with files_no_larger_than(limit):
        done = project.run()
    assert done.code == 3, done.err
    assert "no room" in done.err
    assert not list(Path().rglob("*.partial"))
    broken = project.new_run()
    assert not (broken / "manifest.json").exists()
    unsealed = project.call("verify", str(broken))
    assert unsealed.code != 0
    assert "intact" not in unsealed.out
    assert project.run().code == 4, "the same command goes on"
    assert project.new_run() == broken
    assert project.call("verify", str(broken)).code == 0
    documents = ("findings.json", "audits/colours/result.json")
    assert all((broken / d).read_bytes() == (project.sealed / d).read_bytes() for d in documents)


def test_two_ways_of_writing_labels_give_one_result(project: Project) -> None:
    encodings: tuple[Callable[[int], str], ...] = (
        lambda i: f"{1 if i % 2 else -1},{1 if i % 3 == 0 else -1}",
        lambda i: f"{'true' if i % 2 else 'false'},{'true' if i % 3 == 0 else 'false'}",
        lambda i: f"{0.9 if i % 2 else 0.2},{0.51 if i % 3 == 0 else 0.5}",
    )
    expected = (project.sealed / "audits/colours/result.json").read_bytes()
    for index, encode in enumerate(encodings):
        columns("id,path,red,dark", lambda i, encode=encode: f"{i},{i}.jpg,{encode(i)}")
        continuous = [f"attributes.{name}.positive_above=0.5" for name in ("red", "dark")]
        done = project.run(*(continuous if index == 2 else ()), "--out", f"other{index}")
        assert done.code == 4, done.err
        (run,) = Path(f"other{index}/photos").iterdir()
        assert (run / "audits/colours/result.json").read_bytes() == expected


def result(run: Path) -> Any:
    return json.loads((run / "audits/colours/result.json").read_text())


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    """A disk on which larger files find no room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
