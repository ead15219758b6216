"""Input made to take all memory or all time: refused in words, in seconds, in a bounded process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.commands import check, check_both

SPEC = """\
version: 1
name: NAME
dataset: {source: portraits, splits: {train: {count: COUNT}, test: {count: 32, start: START}}}
model: {source: builtin, name: portraits_net, num_outputs: OUTPUTS}
attributes: {smiling: {output: 0, column: smiling}, hat: {output: 1, column: hat}}
audits: {ties: {kind: relationships, layer: features.0, examples: EXAMPLES}}
engine: {device: cpu, shard_size: SHARD}
rules:
"""
SOUND = {
    "NAME": "tiny", "COUNT": "64", "START": "1000", "OUTPUTS": "2", "EXAMPLES": "4", "SHARD": "64",
}  # fmt: skip


def spec_with(**values: str) -> str:
    text = SPEC
    for name, value in {**SOUND, **values}.items():
        text = text.replace(name, value)
    return text


def aliases(depth: int) -> str:
    """A billion laughs: each line names the one above ten times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for k in range(1, depth):
        lines.append(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]")
    return "\n".join(lines)


BOMBS = {
    "flow nesting": "[" * 8_000,
    "closed flow nesting": "a: " + "[" * 2_000 + "]" * 2_000,
    "mapping nesting": "{a: " * 5_000,
    "block nesting": "- " * 20_000,
    "aliases": aliases(6),
    "merged aliases": "a: &a {b: 1}\n" + "c:\n" + "  <<: *a\n" * 2000,
    "an alias of itself": "a: &a [*a]",
    "a long key": f"{'k' * 300_000}: 1",
    "a long text": f"name: {'n' * 300_000}",
    "many keys": "".join(f"k{n}: 1\n" for n in range(3_000)),
    "many names that are nearly right": spec_with()
    + "".join(f"  r{n}: {{between: [smilin{n}, ha{n}], expect: unrelatd}}\n" for n in range(300)),
    "many documents": "---\na: 1\n" * 5000,
    "a number of a million digits": f"version: {'9' * 200_000}",
    "an exponent": "version: 1e999999999",
    "nested interpolation": f"name: {'${' * 3000}{'}' * 3000}",
    "interpolation in a circle": "name: ${title}\ntitle: ${name}",
    "doubling interpolation": "\n".join(
        ["name: x", *(f"t{k}: ${{t{k - 1}}}${{t{k - 1}}}" for k in range(1, 60)), "t0: lol"]
    ),
    "NUL": "name: a\x00b",
    "nothing": "",
    "one byte order mark": "\ufeff",
    "more than a spec holds": "#" * 5_000_000,
    "many rows": spec_with(COUNT=str(10**15)),
    "rows beyond 64 bits": spec_with(COUNT=str(10**30)),
    "a start beyond 64 bits": spec_with(START=str(2**70)),
    "many shards": spec_with(COUNT=str(10**9), SHARD="1"),
    "many outputs": spec_with(OUTPUTS=str(10**12)),
    "many examples": spec_with(EXAMPLES=str(10**12)),
    "a long name": spec_with(NAME="n" * 300),
}


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_a_spec_that_would_take_all_memory(folder: Path, bomb: str) -> None:
    spec = folder / "bomb.yaml"
    spec.write_text(BOMBS[bomb])
    if check("validate", str(spec), "--json", codes=(0, 2)).code == 0:
        check("plan", str(spec), codes=(0, 2))


@pytest.mark.parametrize("override", ["name=" + "[" * 1500, "a" * 100_000, "x=\x00", "~" * 1000])
def test_an_override_that_would_take_all_memory(folder: Path, override: str) -> None:
    spec = folder / "sound.yaml"
    spec.write_text(spec_with())
    assert check_both("validate", str(spec), override, codes=(2,)).code == 2


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_circle(path: Path) -> None:
    path.symlink_to(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES = (a_folder, a_pipe, a_circle, a_device, a_hole)


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_no_spec(folder: Path, make: Callable[[Path], None]) -> None:
    spec = folder / f"{make.__name__}.yaml"
    make(spec)
    assert check_both("validate", str(spec), codes=(2,)).code == 2


def test_a_review_with_thousands_of_mistakes(run: Path) -> None:
    review = Path("review.yaml")
    entries = "".join(f"  f{n}: {{decisio: confirmed, reviewe: x}}\n" for n in range(1000))
    review.write_text(f"version: 1\nfindings:\n{entries}")
    try:
        assert check("report", str(run), "--json", codes=(2,)).code == 2
    finally:
        review.unlink()


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_is_no_review(run: Path, make: Callable[[Path], None]) -> None:
    review = Path("review.yaml")
    make(review)
    try:
        done = check("review", str(run), "--json", codes=(2,))
    finally:
        review.rmdir() if review.is_dir() else review.unlink()
    assert "review.yaml" in done.err


JSON = {
    "nesting": "[" * 8_000,
    "closed nesting": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a number of a million digits": '{"schema_version": ' + "9" * 1_000_000 + "}",
    "an exponent": '{"schema_version": 1e999999999}',
    "a lone surrogate": '{"name": "\\ud800"}',
    "a version beyond 64 bits": '{"schema_version": 99999999999999999999}',
    "no object": "7",
    "nothing": "",
}


@pytest.mark.parametrize("bomb", list(JSON))
@pytest.mark.parametrize("name", ["run.json", "findings.json", "plan.json", "manifest.json"])
def test_json_that_would_take_all_memory(run: Path, name: str, bomb: str) -> None:
    kept = (run / name).read_bytes()
    (run / name).write_text(JSON[bomb])
    try:
        check("show", str(run), "--json", codes=(0, 2))
        assert check("verify", str(run), "--json", codes=(1, 2)).code
    finally:
        (run / name).write_bytes(kept)


def test_a_run_directory_full_of_links_is_left_alone(run: Path) -> None:
    linked = Path(shutil.copytree(run, run.with_name("linked")))
    shutil.rmtree(linked / "audits" / "failures")
    (linked / "audits" / "failures").symlink_to(run / "audits" / "failures")
    assert "a link" in check("show", str(linked), "--json", codes=(2,)).err
    assert check("verify", str(linked), "--json", codes=(1,)).code == 1
    shutil.rmtree(linked)
