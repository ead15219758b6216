"""How many portraits are drawn in a second."""

from __future__ import annotations

import json
import time

import torch

from auditor.adapters.datasets.portraits.batch import portraits

NUM_IMAGES = 4096


def main() -> None:
    """Print one JSON line; the first batch warms up and does not count."""
    portraits(0, torch.arange(256))
    start = time.perf_counter()
    portraits(0, torch.arange(NUM_IMAGES))
    seconds = time.perf_counter() - start
    line = {
        "name": "portraits draw",
        "images_per_s": round(NUM_IMAGES / seconds, 1),
        "num_threads": torch.get_num_threads(),
        "size": 48,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
