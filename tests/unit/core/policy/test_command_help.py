"""What `/help` and `/commands` say (CMD-32)."""

from __future__ import annotations

import pytest

from instar.core.policy.command_help import COMMAND_HELP, build_help
from instar.core.policy.commands import CommandContext, parse_command


@pytest.mark.parametrize("one", COMMAND_HELP, ids=lambda one: one.name)
def test_every_listed_command_is_one(one) -> None:
    word = one.name.replace("<channel>", "telegram")
    assert parse_command(f"/{word}", CommandContext()) is not None


def test_help_is_the_shorter_list() -> None:
    assert "/stop" in build_help(full=False)
    assert "/pin" not in build_help(full=False)
    assert len(build_help(full=True).splitlines()) == len(COMMAND_HELP)
    assert "(owner)" in build_help(full=True)
