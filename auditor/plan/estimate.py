"""Pass `estimate`: what each step will read and compute, and what of it is already there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from auditor.catalog import network_of
from auditor.needs import Fold
from auditor.plan.compare import changed_ingredients, counterpart
from auditor.plan.facts import Facts
from auditor.plan.history import History, Probe
from auditor.plan.identity import fold_key, fold_name, probe_key
from auditor.plan.steps import (
    CacheState,
    Cost,
    Plan,
    Quantity,
    Scan,
    Shard,
    Solve,
    Step,
    Train,
    Visit,
)
from auditor.spec.model import TrainedModel

NOTHING = Quantity(value=0)
NOT_PROBED = "nothing has been measured yet; `auditor plan --probe` does"
CHOSEN_LATER = "it depends on the images that the audit chooses"


def estimate(plan: Plan, facts: Facts) -> Plan:
    """Fill in cost and, where the history is known, cache state."""
    return plan.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"cost": cost(step, facts), "cache": cached(step, facts)})
                for step in plan.steps
            )
        }
    )


def cost(step: Step, facts: Facts) -> Cost:
    """Images, bytes, operations and memory of one step."""
    if isinstance(step, Solve):
        return Cost(images=0, bytes=NOTHING, flops=NOTHING, memory=NOTHING)
    images = images_of(step, facts)
    probe, reason = probe_of(step, facts.history)
    return Cost(
        images=images,
        bytes=bytes_of(step, images, facts),
        flops=Quantity(value=probe.flops_per_image * images * passes_of(step))
        if probe is not None
        else Quantity(value=None, reason=reason),
        memory=memory_of(step, probe) if probe is not None else Quantity(value=None, reason=reason),
    )


def images_of(step: Train | Scan | Visit, facts: Facts) -> int:
    """Images that are decoded, at most; training sees each image once per epoch."""
    match step:
        case Train():
            network = network_of(facts.spec, step.network)
            epochs = network.recipe.epochs if isinstance(network, TrainedModel) else 1
            return facts.dataset.splits[step.split].num_rows * epochs
        case Scan():
            return max((rows_looked_at(fold, step) for fold in step.folds), default=0)
        case Visit():
            return step.max_rows
        case _:
            assert_never(step)


def rows_looked_at(fold: Fold, step: Scan) -> int:
    """Rows whose images a fold looks at: none where labels or features from a file are enough."""
    if all(output.from_file for output in fold.outputs):
        return 0
    return step.num_rows if fold.max_rows is None else min(fold.max_rows, step.num_rows)


def passes_of(step: Step) -> int:
    """Passes per image of a batch: an adversary takes one more for each of its steps."""
    adversary = step.adversary if isinstance(step, Train) else None
    return 1 if adversary is None else 1 + adversary.num_steps


def bytes_of(step: Train | Scan | Visit, images: int, facts: Facts) -> Quantity:
    """Bytes of that many images of average size, and of the features that come from a file."""
    split = step.split if isinstance(step, Train) else step.source.split
    stock, table = facts.dataset.splits[split], facts.features.get(split)
    if stock.num_bytes is None and images:
        return Quantity(value=None, reason=f"the size of the images of {split} is not known")
    decoded = round((stock.num_bytes or 0) * images / max(stock.num_rows, 1))
    filed = isinstance(step, Scan) and any(output.from_file for output in step.outputs)
    return Quantity(value=decoded + (table.num_bytes if filed and table is not None else 0))


def probe_of(step: Step, history: History | None) -> tuple[Probe | None, str]:
    """What was measured for a step, or why nothing was."""
    if isinstance(step, Visit) and step.network is not None:
        return None, CHOSEN_LATER
    key = probe_key(step)
    if key is None:
        return Probe(device="none", flops_per_image=0, memory_bytes={}), ""
    probe = history.probes.get(key) if history is not None else None
    return probe, NOT_PROBED


def memory_of(step: Step, probe: Probe) -> Quantity:
    """Peak memory at the step's batch size; at the largest one measured where that is `auto`."""
    measured = probe.memory_bytes
    if not measured:
        return Quantity(value=None, reason="the probe measured no memory")
    asked = step.placement.batch_size if step.placement is not None else "auto"
    size = max(measured) if asked == "auto" else asked
    if size in measured:
        return Quantity(value=measured[size])
    sizes = ", ".join(str(each) for each in sorted(measured))
    return Quantity(value=None, reason=f"measured for batches of {sizes} only")


def cached(step: Step, facts: Facts) -> CacheState | None:
    """What is left of earlier runs for a step; None where nobody looked."""
    history = facts.history
    if history is None:
        return None
    if isinstance(step, Train) and step.id in history.networks:
        return CacheState(cached=True)
    done = shards_done(step, history) if isinstance(step, Scan) else 0
    if isinstance(step, Scan) and done == len(step.shards) and step.shards:
        return CacheState(cached=True, shards_done=done)
    if done:
        return CacheState(cached=False, shards_done=done, reason="an unfinished run continues")
    earlier = counterpart(step, history.earlier)
    if earlier is None:
        return CacheState(cached=False, reason="no earlier run has this step")
    changed = changed_ingredients(step, earlier)
    return CacheState(
        cached=False, changed=changed, reason=None if changed else unchanged_reason(step)
    )


def shards_done(step: Scan, history: History) -> int:
    """Shards of the unfinished run that need not be read again."""
    settled = history.settled
    if settled is None or step.id not in settled.batch_sizes:
        return 0
    finished = {
        fold_name(fold): history.shards.get(fold_key(step, fold, settled), frozenset())
        for fold in step.folds
    }
    return sum(
        is_done(number, shard, step.folds, finished) for number, shard in enumerate(step.shards)
    )


def is_done(
    number: int, shard: Shard, folds: Sequence[Fold], finished: Mapping[str, frozenset[int]]
) -> bool:
    """Whether every fold that wants a shard has it; one that had seen enough wants no more."""
    wanting = [fold for fold in folds if fold.max_rows is None or shard.start < fold.max_rows]
    having = [fold for fold in wanting if number in finished[fold_name(fold)]]
    return bool(having) and all(fold in having or fold.sequential for fold in wanting)


def unchanged_reason(step: Step) -> str:
    """Why a step with the same ingredients as before is run again."""
    match step:
        case Train():
            return "the last run fitted the same network, but the cache folder does not hold it"
        case Scan():
            return "the last run read the same and is finished; a new run reads again"
        case Visit():
            return "the last run looked at the same and is finished; a new run looks again"
        case Solve():
            return "the last run solved the same; solving again takes no data pass"
        case _:
            assert_never(step)
