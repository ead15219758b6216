"""What an audit's computation may know: its own attributes, the rules about them, all relations."""

from __future__ import annotations

from collections.abc import Callable

from auditor.compose.composed import Composed
from auditor.context import Relation
from auditor.inventory.dataset import take_dataset
from auditor.plan.context import make_context
from auditor.spec.rule import RELATIONS

Compose = Callable[..., Composed]


def test_an_audit_sees_its_attributes_in_its_order_and_only_their_rules(compose: Compose) -> None:
    composed = compose("audits.first.attributes=[hat, smiling]", "attributes.hat.title=a hat")
    context = make_context(composed, "first", take_dataset(composed.spec.dataset))
    assert [(each.name, each.title, each.output, each.index) for each in context.attributes] == [
        ("hat", "a hat", 2, 2),
        ("smiling", "smiling", 0, 0),
    ]
    assert [{rule.a, rule.b} for rule in context.rules] == [{"smiling", "hat"}]
    assert context.num_available == {"train": 600, "test": 100}


def test_declared_relations_follow_the_built_in_ones_or_fix_them(compose: Compose) -> None:
    composed = compose(
        "relations.unrelated={mean: 0.0, sd: 0.1}", "relations.loosely_tied={mean: 0.2, sd: 0.1}"
    )
    relations = make_context(composed, "first", take_dataset(composed.spec.dataset)).relations
    assert [each.name for each in relations] == [*RELATIONS, "loosely_tied"]
    assert relations[0] == Relation("definitely_positive", "definitely positive")
    assert relations[2] == Relation("unrelated", "unrelated", 0.0, 0.1)
    assert relations[-1].title == "loosely tied"
