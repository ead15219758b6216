"""The valid part of an invalid spec is still cross-checked."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from auditor.catalog import AuditSpec
from auditor.compose.load import load_spec
from auditor.compose.salvage import salvage


@pytest.fixture
def plain(folder):
    return load_spec("portraits").spec.model_dump(mode="json")


def error_of(plain):
    with pytest.raises(ValidationError) as caught:
        AuditSpec.model_validate_json(json.dumps(plain))
    return caught.value


def test_only_what_is_broken_is_cut_out(plain):
    plain["engine"]["seed"] = "many"
    plain["titel"] = "x"
    plain["rules"]["hair"] = {"among": ["hat", 3], "expect": "unrelated"}
    rest = salvage(plain, error_of(plain))
    assert rest is not None
    assert rest.names_whole
    assert rest.spec.engine.seed == 0
    assert "hair" not in rest.spec.rules
    assert len(rest.spec.rules) == 5


def test_a_lost_attribute_keeps_rules_from_being_judged(plain):
    plain["attributes"]["hat"] = {"output": "x"}
    rest = salvage(plain, error_of(plain))
    assert rest is not None
    assert not rest.rules_whole
    assert not rest.names_whole


def test_a_lost_audit_leaves_rules_to_be_judged(plain):
    del plain["audits"]["relationships"]["layer"]
    rest = salvage(plain, error_of(plain))
    assert rest is not None
    assert rest.rules_whole
    assert not rest.names_whole


def test_nothing_is_left_where_a_whole_section_is_missing(plain):
    del plain["dataset"]
    assert salvage(plain, error_of(plain)) is None
