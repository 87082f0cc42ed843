"""Values of core cannot be changed after they were made, and are made by name."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil

import pytest

import instar.core

MODULES = sorted(found.name for found in pkgutil.walk_packages(instar.core.__path__, "instar.core."))


def dataclasses_of(name):
    """The public ones: a private one may grow inside the function that builds with it."""
    values = vars(importlib.import_module(name)).items()
    own = [value for label, value in values if inspect.isclass(value) and value.__module__ == name and label[0] != "_"]
    return [value for value in own if dataclasses.is_dataclass(value)]


@pytest.mark.parametrize("name", MODULES)
def test_dataclasses_are_frozen_slotted_and_made_by_name(name):
    for value in dataclasses_of(name):
        assert value.__dataclass_params__.frozen, value
        assert "__slots__" in vars(value), value
        assert all(field.kw_only for field in dataclasses.fields(value)), value


@pytest.mark.parametrize("name", MODULES)
def test_a_module_passes_on_only_what_it_has(name):
    module = importlib.import_module(name)
    assert not [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)]
