"""Every field that a user may write or a reader may meet says what it is."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from pydantic import BaseModel

import auditor.audits
import auditor.plan
import auditor.results
import auditor.spec
from auditor.catalog import AuditSpec
from auditor.compose.fields import models
from auditor.needs import Need


def modules():
    for package in (auditor.spec, auditor.results, auditor.plan, auditor.audits):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.rsplit(".", 1)[-1] not in ("compute", "figures"):
                yield importlib.import_module(found.name)


def every_model():
    found = {AuditSpec, *models(AuditSpec), *Need.__subclasses__()}
    for module in modules():
        found |= {
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel
        }
    return sorted(found, key=lambda model: f"{model.__module__}.{model.__name__}")


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.__name__)
def test_every_field_is_described(model):
    assert [name for name, field in model.model_fields.items() if not field.description] == []
    assert model.__doc__


def test_spec_models_are_strict_frozen_and_closed():
    for model in models(AuditSpec):
        config = model.model_config
        assert (config["strict"], config["frozen"], config["extra"]) == (True, True, "forbid"), (
            model
        )
