"""The passes of the planner, in order: each a pure function of a plan and the facts.

expand    audits become steps, one scan per fold
share     scans of equal sources become one
order     steps learn what they wait for and stand in a runnable order
shard     scans are cut into fixed slices
place     steps learn device, precision and batch size
estimate  steps learn their cost and what of it is already there
"""

from __future__ import annotations

from collections.abc import Callable

from auditor.plan.estimate import estimate
from auditor.plan.expand import expand
from auditor.plan.facts import Facts
from auditor.plan.order import order
from auditor.plan.place import place
from auditor.plan.shard import shard
from auditor.plan.share import share
from auditor.plan.steps import Plan

Pass = Callable[[Plan, Facts], Plan]

PASSES: tuple[Pass, ...] = (expand, share, order, shard, place, estimate)
