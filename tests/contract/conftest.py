"""Every engine of the store, for suites that hold for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.store import OpenStore, file_store, memory_store, sealed_store

_ABOUT_THE_INDEX = ("test_store_search", "test_store_staging")
"""Modules that look for words; a sealed store has no index (tests/flow/test_sealed_life.py tells what it answers)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every engine, and one whose words are sealed."""
    if "open_store" in metafunc.fixturenames:
        is_sealed_too = not metafunc.module.__name__.endswith(_ABOUT_THE_INDEX)
        metafunc.parametrize("open_store", ["sqlite", "memory", *(["sealed"] if is_sealed_too else [])], indirect=True)


@pytest.fixture
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the store of one engine; opened again after it was closed, it holds what it held."""
    match request.param:
        case "sqlite":
            return file_store(tmp_path / "state" / "instar.db")
        case "sealed":
            return sealed_store(tmp_path / "state")
        case _:
            return memory_store()
