"""Run directories that nobody meant: reading, comparing and rendering end in words, or work."""

from __future__ import annotations

import json
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.compose.yaml_file import read_yaml
from auditor.errors import ArtifactError
from auditor.store.reader import Run, read_run
from tests.fuzz.commands import check, check_both
from tests.fuzz.mutate import as_yaml, examples, spoilt, spoilt_trees

NUM_COMPANIONS, NUM_FILES, NUM_TREES, NUM_RENDERED = 900, 210, 110, 10

DOCUMENTS = (
    "run.json",
    "findings.json",
    "plan.json",
    "manifest.json",
    "evidence.json",
    "spec/rules.json",
    "spec/resolved.yaml",
    "audits/relationships/result.json",
    "audits/failures/result.json",
    "audits/filters/result.json",
    "audits/groups/result.json",
)


def judge(run: Path, sound: Path, chance: random.Random) -> None:
    """One of the commands that read a run, at times in both of its voices."""
    match chance.randrange(16):
        case 0:
            check_both("show", str(run), codes=(0, 2))
        case 1:
            check("diff", str(run), str(sound), "--json", codes=(0, 1, 2, 4))
        case 2:
            check("diff", str(sound), str(run), codes=(0, 1, 2, 4))
        case 3:
            check_both("list", codes=(0,))
        case 4:
            check_both("verify", str(run), codes=(0, 1, 2))
        case 5 | 6 | 7 | 8:
            check("verify", str(run), "--json", codes=(0, 1, 2))
        case _:
            check("show", str(run), "--json", codes=(0, 2))


def open_companion(run: Run, path: Path) -> None:
    """Read a table, an array file or an image, as a report or a notebook does."""
    audit, folder = path.parts[-3:-1]
    with suppress(ArtifactError):
        match folder:
            case "tables":
                run.table(audit, path.stem).to_pylist()
            case "arrays":
                run.arrays(audit, path.stem)
            case _:
                run.image(audit, path.name)


def vandalise(path: Path, chance: random.Random) -> None:
    """Spoil a file, or put something in its place that is no file."""
    content = path.read_bytes()
    kind = chance.randrange(16)
    if kind > 6:
        path.write_bytes(spoilt(content, chance))
        return
    path.unlink()
    match kind:
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to("/etc/passwd")
        case 2:
            path.symlink_to(path.name)
        case 3:
            os.mkfifo(path)
        case 4:
            path.write_bytes(b"")
        case 5:
            with path.open("wb") as file:  # a hole: nothing on the disk, too much in memory
                file.truncate(1 << 40)
        case _:
            pass


def mend(run: Path, sound: Path) -> None:
    shutil.rmtree(run)
    shutil.copytree(sound, run)


@pytest.fixture(scope="module")
def sound(run: Path) -> Path:
    """The same run elsewhere, left as it is."""
    return Path(shutil.copytree(run, run.parents[2] / "sound"))


@pytest.fixture
def victim(run: Path, sound: Path) -> Path:
    mend(run, sound)
    return run


def test_the_run_itself_is_sound(victim: Path, sound: Path) -> None:
    check_both("show", str(victim), codes=(0,))
    check_both("verify", str(victim), codes=(0,))
    check_both("diff", str(sound), str(victim), codes=(0,))


def test_vandalised_tables_arrays_and_images(victim: Path, sound: Path) -> None:
    chance, run = random.Random(0), read_run(victim)
    files = [path.relative_to(victim) for path in sorted(victim.glob("audits/*/*/*"))]
    for number in range(NUM_COMPANIONS):
        name = chance.choice(files)
        vandalise(victim / name, chance)
        open_companion(run, victim / name)
        if number % 10 == 0:
            check("verify", str(victim), "--json", codes=(0, 1))
        restore(victim / name, sound / name)


def test_vandalised_files_of_a_run(victim: Path, sound: Path) -> None:
    chance = random.Random(0)
    small = ("plan.txt", "review.yaml", "spec/source.yaml", "spec/overrides.yaml")
    for _ in range(NUM_FILES):
        name = chance.choice((*DOCUMENTS, *small))
        vandalise(victim / name, chance)
        judge(victim, sound, chance)
        restore(victim / name, sound / name)


def restore(path: Path, sound: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    shutil.copyfile(sound, path)


def trees() -> st.SearchStrategy[tuple[str, object]]:
    return st.sampled_from(DOCUMENTS).flatmap(
        lambda name: st.tuples(st.just(name), spoilt_trees(TREES[name]))
    )


TREES: dict[str, object] = {}
"""The documents of the run, as plain data."""


@pytest.fixture
def plain_documents(sound: Path) -> None:
    for name in DOCUMENTS:
        text = (sound / name).read_text()
        TREES[name] = json.loads(text) if name.endswith(".json") else read_yaml(text, name).plain()


def write(path: Path, tree: object) -> None:
    text = as_yaml(tree) if path.suffix == ".yaml" else json.dumps(tree)
    path.write_text(text, errors="surrogatepass")


@pytest.mark.usefixtures("plain_documents")
def test_spoilt_trees_of_a_run(victim: Path, sound: Path) -> None:
    chance = random.Random(0)

    @examples(NUM_TREES)
    @given(trees())
    def each(spoilt_tree: tuple[str, object]) -> None:
        name, tree = spoilt_tree
        write(victim / name, tree)
        judge(victim, sound, chance)
        restore(victim / name, sound / name)

    each()


@pytest.mark.usefixtures("plain_documents")
def test_spoilt_trees_of_a_run_that_is_rendered(victim: Path, sound: Path) -> None:
    # Without its manifest nobody can tell that the run was altered: it is rendered as it stands.
    @examples(NUM_RENDERED)
    @given(trees())
    def each(spoilt_tree: tuple[str, object]) -> None:
        name, tree = spoilt_tree
        (victim / "manifest.json").unlink(missing_ok=True)
        write(victim / name, tree)
        check("report", str(victim), "--json", codes=(0, 2, 3))
        mend(victim, sound)

    each()
