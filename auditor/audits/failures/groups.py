"""Groups of images whose failures are explained, each with its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.failures.folds import audited
from auditor.audits.failures.spec import FailuresSpec, Grouping
from auditor.audits.failures.states import TableState
from auditor.context import Context
from auditor.needs import NetworkRole
from auditor.wording import plain

ABSENT_PRESENT = ("absent", "present")
"""Classes of an attribute."""


@dataclass(frozen=True, eq=False)
class Group:
    """Images of one network and task that belong together.

    Attributes:
        id: Stable name, see `GroupResult.id`.
        inspected: Whose failures.
        attribute: Attribute of the task; None for classes.
        grouping: `label`, `prediction`, `confusion`, `union` or `column:<name>`.
        value: Which class, pair or value.
        images: The images in words.
        wrong: What failing means for them, in words.
        members: Positions in the table, ascending, int64 [n].
        failed: Which of them the network gets wrong, bool [n].
    """

    id: str
    inspected: NetworkRole
    attribute: str | None
    grouping: str
    value: str
    images: str
    wrong: str
    members: Tensor
    failed: Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """One network on one task, over all images.

    Attributes:
        inspected: Whose failures.
        attribute: Attribute id; None for classes.
        title: The attribute in words; empty for classes.
        classes: Class names.
        truth: [N], -1 unknown.
        predicted: [N], -1 unknown.
    """

    inspected: NetworkRole
    attribute: str | None
    title: str
    classes: tuple[str, ...]
    truth: Tensor
    predicted: Tensor

    @property
    def known(self) -> Tensor:
        """Images with truth and prediction [N]; only these are in a group."""
        return (self.truth >= 0) & (self.predicted >= 0)


class Words(NamedTuple):
    """How a group reads."""

    images: str
    wrong: str


def tasks(spec: FailuresSpec, context: Context, table: TableState) -> Iterator[Task]:
    """Every inspected network on every task, in the order of the spec."""
    attributes = audited(spec, context)
    for i, role in enumerate(spec.inspect):
        if context.head == "multi_class":
            classes = context.classes or ()
            truth, predicted = table.truth[:, 0], table.predicted[:, i, 0]
            yield Task(role, None, "", classes, truth, predicted)
        for t, attribute in enumerate(attributes):
            truth, predicted = table.truth[:, t], table.predicted[:, i, t]
            title = plain(attribute.title)
            yield Task(role, attribute.name, title, ABSENT_PRESENT, truth, predicted)


def make_groups(spec: FailuresSpec, context: Context, table: TableState) -> Iterator[Group]:
    """All groups, in the order of the spec's groupings, empty ones included.

    Of pairs of classes only those with a confusion are groups: the others have no failure to
    explain, and there are as many as classes squared.
    """
    for task in tasks(spec, context, table):
        known = task.known
        for grouping in spec.group_by:
            for value, mask, words in by_class(task, grouping):
                yield make_group(spec, task, grouping, value, words, mask & known)
        for k, name in enumerate(spec.columns):
            for code, value in enumerate(context.columns[name]):
                words = column_words(task, name, value)
                mask = (table.columns[:, k] == code) & known
                yield make_group(spec, task, f"column:{name}", value, words, mask)


def make_group(
    spec: FailuresSpec, task: Task, grouping: str, value: str, words: Words, mask: Tensor
) -> Group:
    """A group from the mask of its images [N]."""
    members = mask.nonzero().flatten()
    before = f"{task.attribute}:" if task.attribute is not None else ""
    behind = f"@{task.inspected}" if len(spec.inspect) > 1 else ""
    return Group(
        id=f"{before}{grouping}={value}{behind}",
        inspected=task.inspected,
        attribute=task.attribute,
        grouping=grouping,
        value=value,
        images=words.images,
        wrong=words.wrong,
        members=members,
        failed=task.truth[members] != task.predicted[members],
    )


def by_class(task: Task, grouping: Grouping) -> Iterator[tuple[str, Tensor, Words]]:
    """Value, mask [N] and words of the groups of one grouping by class."""
    if grouping == "confusion":
        for first, second in confused_pairs(task):
            own = (task.truth == first) | (task.truth == second)
            called = (task.predicted == first) | (task.predicted == second)
            value = f"{task.classes[first]}+{task.classes[second]}"
            yield value, own & called, confusion_words(task, first, second)
        return
    for index, name in enumerate(task.classes):
        own, called = task.truth == index, task.predicted == index
        mask = {"label": own, "prediction": called, "union": own | called}[grouping]
        words = class_words if task.attribute is None else attribute_words
        yield name, mask, words(task, grouping, index)


def confused_pairs(task: Task) -> tuple[tuple[int, int], ...]:
    """Unordered pairs of classes of which one is called the other at least once."""
    num_classes = len(task.classes)
    wrong = task.known & (task.truth != task.predicted)
    # A network may have more outputs than the data has classes; those have no name.
    wrong &= (task.truth < num_classes) & (task.predicted < num_classes)
    low = torch.minimum(task.truth[wrong], task.predicted[wrong])
    high = torch.maximum(task.truth[wrong], task.predicted[wrong])
    codes = torch.unique(low * max(num_classes, 1) + high).tolist()
    return tuple((code // num_classes, code % num_classes) for code in codes)


def class_words(task: Task, grouping: Grouping, index: int) -> Words:
    """Words for one class."""
    name = plain(task.classes[index])
    match grouping:
        case "label":
            return Words(f"pictures of the class {name}", "misses")
        case "prediction":
            return Words(f"pictures that it calls {name}", "is wrong about")
        case _:
            return Words(
                f"pictures that are of the class {name} or that it calls {name}", "is wrong about"
            )


def attribute_words(task: Task, grouping: Grouping, index: int) -> Words:
    """Words for an attribute that is present (1) or absent (0)."""
    shows = ("do not show", "show")[index]
    sees = ("does not see", "sees")[index]
    match grouping:
        case "label":
            wrong = ("is wrong about", "misses")[index]
            return Words(f"pictures that {shows} {task.title}", wrong)
        case "prediction":
            return Words(f"pictures in which it {sees} {task.title}", "is wrong about")
        case _:
            images = f"pictures that {shows} {task.title} or in which it {sees} that"
            return Words(images, "is wrong about")


def confusion_words(task: Task, first: int, second: int) -> Words:
    """Words for a pair of classes."""
    if task.attribute is not None:
        return Words(f"pictures with a label for {task.title}", "is wrong about")
    a, b = plain(task.classes[first]), plain(task.classes[second])
    return Words(f"pictures of the classes {a} and {b} that it calls one of the two", "confuses")


def column_words(task: Task, name: str, value: str) -> Words:
    """Words for a value of a column."""
    wrong = "is wrong about"
    if task.attribute is not None:
        wrong = f"is wrong about {task.title} in"
    return Words(f"pictures whose {plain(name)} is {plain(value)}", wrong)
