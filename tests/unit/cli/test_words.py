"""`auditor words`: the vocabulary, what concepts stand for, and the archive of words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from auditor.adapters.vocabularies.everyday import open_everyday

Auditor = Callable[..., Any]

SPEC = """\
version: 1
name: words
dataset:
  source: manifest
  path: images.csv
  regions: {columns: [hat, traffic light, sky-other-merged, stone hat, blurb]}
model: {source: builtin, name: portraits_net, num_outputs: 3}
vocabulary:
  source: text
  title: Six words
  path: words.txt
  entities: entities.txt
  concepts: {hat: [cap, hat], helmet: [hat]}
"""


def write(here: Path) -> None:
    Path("audit.yaml").write_text(SPEC)
    names = ["hat", "traffic light", "sky-other-merged", "stone hat", "blurb"]
    Path("images.csv").write_text(f"id,path,{','.join(names)}\n1,1.png,0,1,0,1,0\n")
    words = ["hat", "cap", "traffic_light", "sky", "stone", "blur"]
    lines = [f"{word} {i} {i * i} 1" for i, word in enumerate(words)]
    Path("words.txt").write_text("\n".join([*lines, "hat 1 1 1"]))
    Path("entities.txt").write_text("hat\ncap\nwombat\n")


def test_each_concept_with_its_words_and_the_rule(auditor: Auditor, here: Path) -> None:
    write(here)
    done = auditor("words", "audit.yaml")
    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines == [
        "Six words",
        "6 words, 3 dimensions, 2 of them entities",
        "vectors: words.txt (text)",
        "",
        "concept category rule words",
        "hat spec cap + hat",
        "traffic light whole traffic_light",
        "sky-other-merged stem sky",
        "stone hat parts stone + hat",
        "blurb unknown none; near: blur",
    ]
    assert done.err == (
        "note: 1 word (hat) came again; the first one counts\n"
        "note: not in the vocabulary: 1 entity (wombat) of the 3 in entities.txt\n"
        "note: the dataset has no concept `helmet`\n"
    )


def test_the_same_as_json(auditor: Auditor, here: Path) -> None:
    write(here)
    done = auditor("words", "audit.yaml", "--json")
    assert (done.code, done.err) == (0, "")
    found = done.document()
    assert found["vocabulary"] | {"digest": None} == {
        "title": "Six words",
        "source": "text",
        "vectors": "words.txt (text)",
        "num_words": 6,
        "num_dimensions": 3,
        "num_entities": 2,
        "digest": None,
    }
    assert found["concepts"][-1] == {
        "concept": "blurb",
        "category": None,
        "rule": "unknown",
        "words": [],
        "near": ["blur"],
    }
    rules = [row["rule"] for row in found["concepts"]]
    assert rules == ["spec", "whole", "stem", "parts", "unknown"]
    assert len(found["problems"]) == 3


def test_the_portraits_are_known_in_everyday_words(auditor: Auditor) -> None:
    found = auditor("words", "portraits", "vocabulary=everyday", "--json").document()
    assert "not learnt" in found["vocabulary"]["vectors"]
    assert {row["rule"] for row in found["concepts"]} == {"whole"}
    assert found["problems"] == []


def test_the_export_is_the_vocabulary_and_the_same_each_time(auditor: Auditor) -> None:
    for name in ("one.npz", "two.npz"):
        assert auditor("words", "portraits", "vocabulary=everyday", "--export", name).code == 0
    assert Path("one.npz").read_bytes() == Path("two.npz").read_bytes()
    everyday = open_everyday()
    with np.load("one.npz", allow_pickle=False) as archive:
        assert tuple(archive["words"].tolist()) == everyday.words
        assert np.array_equal(archive["vectors"], everyday.vectors.numpy())
    Path("audit.yaml").write_text(
        "defaults: [portraits, _self_]\nvocabulary: {source: npz, path: one.npz}\n"
    )
    again = auditor("words", "audit.yaml", "--export", "three.npz", "--json")
    assert again.document()["vocabulary"]["num_words"] == len(everyday.words)
    with np.load("three.npz", allow_pickle=False) as archive:
        assert np.allclose(archive["vectors"], everyday.vectors.numpy(), atol=1e-7)


def test_what_cannot_be_done_is_said(auditor: Auditor) -> None:
    Path("bare.yaml").write_text(
        "version: 1\nname: bare\ndataset: {source: portraits}\n"
        "model: {source: builtin, name: portraits_net, num_outputs: 3}\n"
    )
    bare = auditor("words", "bare.yaml")
    assert (bare.code, bare.out) == (2, "")
    assert "the spec has no vocabulary" in bare.err
    for export, message in (
        ("words.txt", "is not called .npz"),
        ("no/such/folder.npz", "cannot be written"),
    ):
        done = auditor("words", "bare.yaml", "vocabulary=everyday", "--export", export)
        assert done.code == 2
        assert message in done.err


def test_images_without_regions_have_no_concepts(auditor: Auditor) -> None:
    Path("images/cat").mkdir(parents=True)
    Path("images/cat/1.png").write_bytes(b"never opened")
    Path("audit.yaml").write_text(
        "version: 1\nname: bare\ndataset: {source: imagefolder, root: images}\n"
        "model: {source: builtin, name: portraits_net, num_outputs: 3}\n"
        "vocabulary: {source: everyday}\n"
    )
    done = auditor("words", "audit.yaml")
    assert done.code == 0
    assert "its images have no annotated regions" in done.out
