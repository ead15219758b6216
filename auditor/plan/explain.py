"""The plan as text for people: what runs, on what, what is shared, what is already there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from auditor.needs import Fold, NetworkRole, Output, Source
from auditor.plan.steps import CacheState, Cost, Plan, Quantity, Scan, Solve, Step, Train, Visit
from auditor.spec.model import AdversarySpec

LABEL_WIDTH = 10
UNITS = ("", "K", "M", "G", "T", "P", "E")


def explain(plan: Plan) -> str:
    """The whole plan, one block per step, ready for a terminal."""
    number = {step.id: position for position, step in enumerate(plan.steps, start=1)}
    blocks = ["\n".join(heading(plan))]
    blocks += ["\n".join(block(step, number)) for step in plan.steps]
    return "\n\n".join(blocks) + "\n"


def heading(plan: Plan) -> Iterator[str]:
    yield f"plan of {plan.name} · spec {plan.spec_digest[:8]} · {counted(len(plan.steps), 'step')}"
    scans = [step for step in plan.steps if isinstance(step, Scan)]
    folds = sum(len(step.folds) for step in scans)
    if len(scans) < folds:
        yield (
            f"{counted(folds, 'fold')} share {counted(len(scans), 'scan')}: each image is decoded "
            "once per scan, whatever the number of folds"
        )
    for warning in plan.warnings:
        yield f"warning: {warning}"


def block(step: Step, number: dict[str, int]) -> Iterator[str]:
    """The lines of one step."""
    yield f"{number[step.id]:>2}  {title(step)}  [{step.id}]"
    after = ", ".join(str(number[other]) for other in step.dependencies)
    rows = [("after", f"{plural('step', len(step.dependencies))} {after}" if after else "")]
    rows += details(step)
    if step.placement is not None:
        batch = step.placement.batch_size
        rows.append(
            (
                "runs on",
                f"device {step.placement.device} · {step.placement.precision} · batch size {batch}",
            )
        )
    if step.cost is not None and not isinstance(step, Solve):
        rows += cost_rows(step, step.cost)
    if step.cache is not None:
        rows.append(("cache", cache_text(step, step.cache)))
    for label, text in rows:
        if text:
            yield f"    {label:<{LABEL_WIDTH}}{text}"


def title(step: Step) -> str:
    """The step in a few words."""
    match step:
        case Train():
            return f"train  {step.network} on {step.split}"
        case Scan():
            return f"scan   {source_text(step.source)}"
        case Visit():
            return f"visit  {step.audit}/{step.name} on {source_text(step.source)}"
        case Solve():
            return f"solve  {step.audit}/{step.name}"
        case _:
            assert_never(step)


def details(step: Step) -> list[tuple[str, str]]:
    """What a step does, as labelled lines."""
    match step:
        case Train():
            return training_rows(step)
        case Scan():
            return [
                ("rows", rows_text(step)),
                ("computes", " · ".join(output_text(output) for output in step.outputs)),
                *fold_rows(step),
            ]
        case Visit():
            return [("rows", chosen_text(step)), ("looks at", looked_at_text(step))]
        case Solve():
            return [("from", ", ".join(f"{step.audit}/{name}" for name in step.inputs))]
        case _:
            assert_never(step)


def training_rows(step: Train) -> list[tuple[str, str]]:
    """What moves the images while the network is fitted, and what is measured afterwards."""
    rows = []
    if step.adversary is not None:
        rows.append(("against", adversary_text(step.adversary)))
    if step.evaluate is not None:
        kinds = "clean accuracy" if step.adversary is None else "clean and robust accuracy"
        rows.append(("measures", f"{kinds} on {step.evaluate}"))
    return rows


def adversary_text(adversary: AdversarySpec) -> str:
    """Which changes of an image the network is fitted against."""
    steps = counted(adversary.num_steps, "step")
    return f"{adversary.norm} perturbations up to {adversary.eps:g}, {steps} per batch"


def chosen_text(step: Visit) -> str:
    """How many images somebody chooses, and who."""
    return f"up to {counted(step.max_rows, 'image')} chosen by {step.audit}/{step.after[0]}"


def looked_at_text(step: Visit) -> str:
    """Layers and their network; nothing where pictures alone are wanted."""
    if step.network is None:
        return "pictures alone, without a network"
    return f"{', '.join(dict.fromkeys(step.layers)) or 'logits'} of the {step.network}"


def rows_text(step: Scan) -> str:
    """Rows and shards."""
    if not step.shards:
        return f"{step.num_rows:,}"
    first = step.shards[0]
    return (
        f"{step.num_rows:,} in {counted(len(step.shards), 'shard')} of up to "
        f"{first.stop - first.start:,}"
    )


def fold_rows(step: Scan) -> list[tuple[str, str]]:
    """One line per fold, the label on the first."""
    names = [f"{fold.audit}/{fold.name}" for fold in step.folds]
    width = max(map(len, names))
    return [
        ("feeds" if position == 0 else "", f"{name:<{width}}  {fold_text(fold, step)}".rstrip())
        for position, (name, fold) in enumerate(zip(names, step.folds, strict=True))
    ]


def fold_text(fold: Fold, step: Scan) -> str:
    """How much a fold reads, of what, and when it may stop."""
    kinds = dict.fromkeys(output.kind for output in fold.outputs)
    words = [" + ".join(kinds) if kinds else "labels only"]
    if fold.max_rows is not None and fold.max_rows < step.num_rows:
        words.append(f"first {fold.max_rows:,} rows")
    if fold.sequential:
        words.append("stops once decided")
    if fold.after:
        words.append(f"starts from {', '.join(fold.after)}")
    return " · ".join(words)


def source_text(source: Source) -> str:
    """A split and how it is looked at."""
    if source.view.kind == "clean":
        return source.split
    forced = ", ".join(f"{name}={value}" for name, value in source.view.interventions)
    return f"{source.split} under do({forced})"


def output_text(output: Output) -> str:
    """An output as a function call, with its network where that is not the model."""
    if output.from_file:
        return "features from a file"
    owner = of_network(output.network)
    match output.kind:
        case "logits":
            return f"{owner}logits"
        case "activation":
            return f"{owner}activation({output.layer})"
        case "jacobian":
            return f"{owner}jacobian({output.layer}, {counted(len(output.outputs), 'output')})"
        case "features":
            return f"{owner}features({output.layer}, {output.pool})"
        case "evidence":
            return f"{owner}evidence({output.layer}, {output.start})"
        case "masks":
            grid = f"short side {output.size}" if output.size is not None else "grid by its input"
            return f"{owner}masks({grid})"
        case _:
            assert_never(output.kind)


def of_network(network: NetworkRole) -> str:
    """What stands before an output of a network; the model is understood."""
    return "" if network == "model" else f"{network}."


def cost_rows(step: Step, cost: Cost) -> list[tuple[str, str]]:
    """Images and bytes, then operations and memory, or why they are not known."""
    stops = isinstance(step, Visit) or (isinstance(step, Scan) and may_stop_early(step))
    most = " at most" if stops else ""
    reading = f"{counted(cost.images, 'image')}{most} · {quantity(cost.bytes, 'B', 'bytes')}"
    if cost.flops.value is None and cost.flops.reason == cost.memory.reason:
        computing = f"FLOPs and memory unknown: {cost.flops.reason}"
    else:
        computing = (
            f"{quantity(cost.flops, 'FLOPs', 'FLOPs')} · {quantity(cost.memory, 'B', 'memory')}"
        )
    return [("reads", reading), ("costs", computing)]


def may_stop_early(step: Scan) -> bool:
    """Whether only folds that may stop need the images up to the last row."""
    return any(fold.sequential for fold in step.folds) and not any(
        any(not output.from_file for output in fold.outputs)
        and not fold.sequential
        and (fold.max_rows is None or fold.max_rows >= step.num_rows)
        for fold in step.folds
    )


def cache_text(step: Step, state: CacheState) -> str:
    """Cached, begun, or why not."""
    if state.cached:
        return "done"
    if isinstance(step, Scan) and state.shards_done:
        begun = f"{state.shards_done} of {counted(len(step.shards), 'shard')} done"
        return f"{begun}: {state.reason}" if state.reason else begun
    if state.changed:
        return f"to do; since the last run changed: {', '.join(state.changed)}"
    return f"to do: {state.reason}"


def quantity(number: Quantity, unit: str, noun: str) -> str:
    """A number with a metric prefix, or what is missing and why."""
    if number.value is None:
        return f"{noun} unknown: {number.reason}"
    return metric(number.value, unit)


def metric(value: int, unit: str) -> str:
    """Three digits and a decimal prefix: `1.24 MB`, `0 B`."""
    scaled, power = float(value), 0
    while scaled >= 999.5 and power < len(UNITS) - 1:
        scaled, power = scaled / 1000, power + 1
    digits = f"{value}" if power == 0 else f"{scaled:.3g}"
    return f"{digits} {UNITS[power]}{unit}"


def counted(number: int, noun: str) -> str:
    """`1 shard`, `2 shards`."""
    return f"{number:,} {plural(noun, number)}"


def plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
