"""Every engine of the store, for suites that hold for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.store import OpenStore, file_store, memory_store


@pytest.fixture(params=["sqlite", "memory"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the store of one engine; opened again after it was closed, it holds what it held."""
    return file_store(tmp_path / "state" / "instar.db") if request.param == "sqlite" else memory_store()
