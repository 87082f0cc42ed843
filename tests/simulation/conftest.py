"""Stories end gateways on the spot, and what a real process leaves to the system then lies about here."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A gateway that dies in the middle of a file leaves it open; that is no defect of it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"))


@pytest.fixture(autouse=True)
def _clear_away() -> Iterator[None]:
    """Collect what stories left behind before another test is blamed for it."""
    yield
    gc.collect()
