"""Which archives a gateway reads when it is asked to by a path."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.errors import InvalidRequest
from instar.stores.keeper import StoreKeeper


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a\0b", "\0"])
def test_only_files_of_the_state_directory_are_read(tmp_path: Path, path: str) -> None:
    config = parse_config({}, env={}, state_dir=tmp_path / "state", home=tmp_path)
    keeper = StoreKeeper(config, None, version="0")
    with pytest.raises(InvalidRequest) as refused:
        asyncio.run(keeper.read_archive(path))
    assert refused.value.field == "path"
