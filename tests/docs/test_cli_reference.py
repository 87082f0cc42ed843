"""The page about the command line is the one its commands give, and every command says what it does."""

from pathlib import Path

import click
import pytest

from instar.cli.main import cli
from instar.cli.reference import build_reference, walk

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
COMMANDS = {" ".join(path): command for path, command in walk(cli, ("instar",))}


def test_the_page_is_built_from_the_commands():
    fix = "run: python -m instar.cli.reference > docs/reference/cli.md"
    assert PAGE.read_text(encoding="utf-8") == build_reference(), fix


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(name):
    command = COMMANDS[name]
    assert command.help
    assert command.help.rstrip().endswith(".")
    unsaid = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
    assert not unsaid


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_configuration(name):
    assert "config" in {one.name for one in COMMANDS[name].params}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_asks_the_gateway_takes_its_address_and_secret(name):
    names = {one.name for one in COMMANDS[name].params}
    assert "url" not in names or {"token", "password", "timeout"} <= names


def test_every_group_says_what_it_is_for():
    context = click.Context(cli)
    groups = [cli.get_command(context, name) for name in cli.list_commands(context)]
    assert all(group.help for group in groups)
