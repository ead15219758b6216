"""A classifier of classes, audited with one attribute per class, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SPEC = """\
version: 1
name: colours
dataset: {source: imagefolder, root: images, classes: [red, green, blue]}
model:
  source: train
  network: {source: builtin, name: portraits_net, num_outputs: 3}
  head: multi_class
  split: all
  recipe: {epochs: 6, batch_size: 16, loss: multi_class}
attributes:
  red: {output: red, classes: [red]}
  green: {output: 1, classes: [green]}
  blue: {output: blue, classes: [blue]}
relations: {exclusive: {mean: -0.4, sd: 0.3}}
rules:
  every: {among: [red, green, blue], expect: exclusive}
audits:
  classes: {kind: relationships, layer: features.7, split: all, confirm: null, examples: 2}
engine: {device: cpu, num_threads: 1}
report: {formats: [html]}
"""


@pytest.fixture
def images(tmp_path: Path) -> None:
    """Folders of noisy pictures, each of one colour."""
    generator = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(48):
            pixels = generator.integers(0, 120, (48, 48, 3), dtype=np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(folder / f"{index}.png")


@pytest.mark.usefixtures("images")
def test_a_class_is_seen_where_its_output_is_the_largest(auditor: Callable[..., Any]) -> None:
    Path("audit.yaml").write_text(SPEC)
    done = auditor("run", "audit.yaml")
    assert done.code in (0, 1), done.err
    (run,) = Path("reports/colours").iterdir()
    result = json.loads((run / "audits/classes/result.json").read_text())
    assert [one["balanced_accuracy"]["value"] for one in result["attributes"]] == [1.0, 1.0, 1.0]
    assert {one["name"]: one["learnt"] for one in result["attributes"]} == {
        "red": True, "green": True, "blue": True,
    }  # fmt: skip
    assert result["num_images"] + result["num_confirming"] == 3 * 48
    assert {pair["outcome"] for pair in result["pairs"]} <= {"broken", "as_expected"}
    assert result["num_decided"] == result["num_rules"] == 3
