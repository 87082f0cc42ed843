"""Stories of other suites, played once more over a store whose words are encrypted."""

from __future__ import annotations

import pytest

from instar.stores.sealing.seals import Seals
from instar.stores.sqlite import open_memory_store
from instar.testing.gateway import GatewayInMemory

# The stories are collected here a second time, and here the store of each gateway is sealed.
from tests.flow.test_delivery import *  # noqa: F403
from tests.flow.test_fanout import *  # noqa: F403
from tests.flow.test_first_message import *  # noqa: F403
from tests.flow.test_group_context import *  # noqa: F403
from tests.flow.test_recovery import *  # noqa: F403
from tests.flow.test_reset_by_command import *  # noqa: F403
from tests.flow.test_session_operations import *  # noqa: F403
from tests.flow.test_steering import *  # noqa: F403


@pytest.fixture(autouse=True)
def _sealed(tmp_path_factory, monkeypatch):
    """Every gateway of these stories has a store whose words are encrypted."""

    def opened():
        folder = tmp_path_factory.mktemp("sealed")
        return open_memory_store(seals=Seals(folder / "keys.ring", b"k" * 32))

    monkeypatch.setattr("instar.testing.gateway.open_memory_store", opened)


def test_the_store_of_these_stories_is_sealed():
    assert GatewayInMemory().store.engine.seals is not None
