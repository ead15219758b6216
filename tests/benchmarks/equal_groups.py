"""`make study`, part groups: is nothing found where groups are equal, and what is planted found?

Everything between the table of images and the findings, through the audit's own solves, at the
audit's defaults but for `min_difference`, which is also set to 0 so that the test alone decides.

equal     600 images, 512 filters whose peaks are correlated (20 shared directions), three groups
          dealt out at random, 100 times. Quiet means that not one of the 1,536 differences is
          reported.
planted   the same, but one filter's peaks are raised in a share of one group's images. Found means
          that this filter, and for precision how many others, are reported.
"""

from __future__ import annotations

import json

import torch
from torch import Tensor

from auditor.audits.groups.comparing import compare
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import ComparedState, TableState
from auditor.context import Context

NUM_IMAGES, NUM_FILTERS, SIDE = 600, 512, 7
PERMUTATIONS = 100
GROUPS = ("a", "b", "c")
RAISED = (0.1, 0.2, 0.3)
PLANTED_TRIALS = 20


def make_spec(min_difference: float) -> GroupsSpec:
    """The audit at its defaults, without pictures."""
    return GroupsSpec(
        kind="groups",
        by=("group",),
        layer="layer4",
        min_difference=min_difference,
    ).model_copy(update={"pictures": GroupsSpec.model_fields["pictures"].default.model_copy(
        update={"differences": 0}
    )})  # fmt: skip


CONTEXT = Context(
    audit="groups",
    attributes=(),
    rules=(),
    relations=(),
    head="multi_class",
    num_available={"test": NUM_IMAGES},
    seed=0,
    columns={"group": GROUPS},
)


def make_maps(seed: int) -> Tensor:
    """Maps [N, U, h · w] of correlated filters."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(NUM_IMAGES, 20, generator=generator)
    weights = torch.randn(20, NUM_FILTERS, generator=generator) / 20**0.5
    own = torch.randn(NUM_IMAGES, NUM_FILTERS, SIDE * SIDE, generator=generator)
    return own + (shared @ weights).unsqueeze(2)


def make_table(maps: Tensor, groups: Tensor) -> TableState:
    """The table that the audit's fold would make of these maps."""
    places = NUM_IMAGES * SIDE * SIDE
    kept = int(0.005 * places) + 1
    return TableState(
        rows=torch.arange(NUM_IMAGES),
        columns=groups.unsqueeze(1),
        peaks=maps.amax(2),
        present=torch.zeros(NUM_IMAGES, 0, dtype=torch.int8),
        values=maps.permute(1, 0, 2).flatten(1).topk(kept, 1).values,
        num_places=torch.tensor([places]),
        num_sampled=torch.tensor([places]),
        side=torch.tensor([SIDE, SIDE]),
    )


def reported(compared: ComparedState) -> set[int]:
    """Filters of which some difference is reported."""
    return set(compared.counts[compared.different, 1].tolist())


def equal(min_difference: float) -> dict[str, object]:
    """Quiet permutations of equal groups."""
    table = make_table(make_maps(0), torch.zeros(NUM_IMAGES, dtype=torch.int64))
    generator = torch.Generator().manual_seed(1)
    quiet = 0
    for _ in range(PERMUTATIONS):
        dealt = torch.randint(0, len(GROUPS), (NUM_IMAGES, 1), generator=generator)
        again = TableState(**{**vars(table), "columns": dealt})
        quiet += not reported(compare(make_spec(min_difference), CONTEXT, [again]))
    return {
        "part": "equal groups",
        "min_difference": min_difference,
        "permutations": PERMUTATIONS,
        "quiet": quiet,
        "target": 90,
        "met": quiet >= 90,
    }


def planted(share: float) -> dict[str, object]:
    """How often a raised filter is reported, and how many others are."""
    found, others = 0, 0
    for seed in range(PLANTED_TRIALS):
        maps = make_maps(seed)
        generator = torch.Generator().manual_seed(seed)
        groups = torch.randint(0, len(GROUPS), (NUM_IMAGES,), generator=generator)
        hit = (groups == 0) & (torch.rand(NUM_IMAGES, generator=generator) < share)
        maps[hit, 7, 0] += 8.0
        names = reported(compare(make_spec(0.1), CONTEXT, [make_table(maps, groups)]))
        found += 7 in names
        others += len(names - {7})
    return {
        "part": "planted group difference",
        "raised": share,
        "trials": PLANTED_TRIALS,
        "found": found,
        "other_filters_reported": others,
    }


def main() -> None:
    """Print one JSON line per setting."""
    for min_difference in (0.1, 0.0):
        print(json.dumps(equal(min_difference)), flush=True)
    for share in RAISED:
        print(json.dumps(planted(share)), flush=True)


if __name__ == "__main__":
    main()
