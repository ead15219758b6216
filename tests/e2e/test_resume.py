"""A run that is killed anywhere and started again leaves the bytes of an undisturbed run.

Every attempt is a process of its own that SIGKILL ends without a word. The processes are forked
from one that has torch loaded already, which saves three seconds each:

    python tests/e2e/test_resume.py FOLDER NUM_KILLS SEED     prints one JSON line
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

SPEC = """\
version: 1
name: killed
dataset:
  source: portraits
  splits:
    train: {count: 240, planted: [{between: [lipstick, smiling], tau: 1.0}]}
    test: {count: 120, start: 100000}
model:
  source: train
  network: {source: builtin, name: portraits_net, num_outputs: 5}
  recipe: {epochs: 1, batch_size: 48}
attributes:
  smiling: {output: 0, column: smiling}
  lipstick: {output: 1, column: lipstick}
  hat: {output: 2, column: hat}
  beard: {output: 3, column: beard}
  glasses: {output: 4, column: glasses}
rules:
  every: {among: [smiling, lipstick, hat, beard, glasses], expect: unrelated}
audits:
  plain: {kind: relationships, layer: features.4, examples: 8}
  masked: {kind: relationships, layer: features.6, examples: 8, mask: {method: greedy, images: 32}}
  named:
    kind: filters
    layer: features.6
    explainer: {epochs: 3, folds: 2}
    naming: {images: 3, draws: 99, evaluated: 8}
    cards: {filters: 2, images: 2}
vocabulary: {source: everyday}
engine: {shard_size: 32, device: cpu, num_threads: 1}
"""

MOST_ATTEMPTS = 10
"""Attempts per kill before the processes count as too fast to be hit."""


def test_a_run_killed_anywhere_ends_in_the_same_bytes(tmp_path: Path) -> None:
    check(tmp_path, num_kills=2)


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_in_the_same_bytes(tmp_path: Path) -> None:
    check(tmp_path, num_kills=20)


def check(folder: Path, *, num_kills: int) -> None:
    (folder / "audit.yaml").write_text(SPEC)
    answer = subprocess.run(
        [sys.executable, __file__, str(folder), str(num_kills), "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["num_kills"] == num_kills
    whole = documents(folder / "whole")
    assert len(whole) == 4, "three results and the findings"
    for trial in range(num_kills):
        assert documents(folder / f"trial{trial}") == whole, f"killed {found['moments'][trial]}"


def documents(out: Path) -> dict[str, bytes]:
    """What must not differ, of the one run in a folder."""
    (run,) = (out / "reports" / "killed").iterdir()
    paths = [run / "findings.json", *sorted(run.glob("audits/*/result.json"))]
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


def main(folder: Path, num_kills: int, seed: int) -> None:
    """One undisturbed run, then runs that are killed once each and started again."""
    run = prepared(folder)
    start = time.monotonic()
    assert finished(started(run, folder / "whole"))
    seconds = time.monotonic() - start
    chance = random.Random(seed)
    moments = []
    for trial in range(num_kills):
        out = folder / f"trial{trial}"
        moments.append(f"after {kill_one(run, out, chance, seconds):.3f} of {seconds:.3f} s")
        assert finished(started(run, out)), f"trial {trial}: the second attempt broke"
    print(json.dumps({"num_kills": num_kills, "seconds": seconds, "moments": moments}))


def kill_one(
    run: Callable[[Path], None], out: Path, chance: random.Random, seconds: float
) -> float:
    """Kill an attempt at a random moment of its life; later ones start afresh if it got away."""
    for attempt in range(MOST_ATTEMPTS):
        moment = chance.uniform(0, seconds)
        child = started(run, out if not attempt else out.with_name(f"{out.name}-{attempt}"))
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            if attempt:
                out.rename(out.with_name(f"{out.name}-away"))
                out.with_name(f"{out.name}-{attempt}").rename(out)
            return moment
    raise AssertionError(f"no kill in {MOST_ATTEMPTS} attempts of {seconds:.3f} s")


def prepared(folder: Path) -> Callable[[Path], None]:
    """Load everything once; what is left is the run itself."""
    from auditor.compose.load import load_spec
    from auditor.engine.execute import RunOptions, execute
    from auditor.engine.progress import Silent
    from auditor.plan.make import make_plan

    composed = load_spec(str(folder / "audit.yaml"))
    plan = make_plan(composed)

    def run(out: Path) -> None:
        options = RunOptions(
            out=out / "reports",
            cache_dir=out / "cache",
            fresh=False,
            only=(),
            allow_code=False,
            command="auditor run",
            progress=Silent(),
        )
        execute(composed, plan, options)

    return run


def started(run: Callable[[Path], None], out: Path) -> int:
    """Process id of an attempt."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run(out)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finished(child: int) -> bool:
    """Whether an attempt came to its end by itself."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
