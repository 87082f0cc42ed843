"""`instar encryption`: the master key, the key ring, and turning a store over (docs/howto/encrypt.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from instar.cli.groups import Group
from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say
from instar.core.explain.counting import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from instar.config.config import Config
    from instar.stores.turn_over import Turned

__all__ = ["command"]

_STATES: Final = {
    "on": "encrypted",
    "off": "as they are",
    "sealing": "encrypted in part; `instar encryption on` goes on",
    "opening": "encrypted in part; `instar encryption off` goes on",
}
"""What a store is, in words."""


@click.group("encryption", cls=Group)
def command() -> None:
    """Encrypt the words in the database, each person's under a key of their own; look after the keys."""


@command.command("create-key")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def create_key(*, file: Path, as_json: bool, config: Path | None) -> None:
    """Write a new master key to FILE, which only you may read. Nothing is overwritten.

    Keep a copy of it apart from this machine: without it nobody can read what was encrypted, you included.
    """
    del config  # every command takes the option
    from instar.stores.sealing.master import create_key_file

    place = file.expanduser().absolute()
    create_key_file(place)
    if as_json:
        print_json({"ok": True, "path": str(place)})
        return
    say(f"Written: {place}. Keep a copy of it apart from this machine.")
    say(f"Use it with: instar config set session.encryption.keyFile {place}")
    say("        and: instar config set session.encryption.enabled true")


@command.command("on")
@json_option
@config_option
def turn_on(*, as_json: bool, config: Path | None) -> None:
    """Encrypt a store that has rows, while no gateway runs. Cut off, it goes on where it was.

    Set session.encryption first. Readable copies (the mirror) are removed; what else holds words as they are is named.
    """
    from instar.stores.turn_over import seal_store

    done = seal_store(_load(config), told=_teller(as_json=as_json))
    _tell(done, "encrypted", as_json=as_json)


@command.command("off")
@json_option
@config_option
def turn_off(*, as_json: bool, config: Path | None) -> None:
    """Store the words as they are again, while no gateway runs. Cut off, it goes on where it was.

    The key has to be named in session.encryption still; set session.encryption.enabled to false afterwards.
    """
    from instar.stores.turn_over import open_store

    done = open_store(_load(config), told=_teller(as_json=as_json))
    _tell(done, "in plain text", as_json=as_json)
    if not as_json:
        say("Now: instar config set session.encryption.enabled false")


@command.command("rotate")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def rotate(*, file: Path, as_json: bool, config: Path | None) -> None:
    """Wrap the key ring by the master key in FILE instead of today's, while no gateway runs.

    No row is touched. Copies of the ring that were made before still open with the old key: make new ones.
    """
    from instar.stores.sealing.master import read_key_file
    from instar.stores.turn_over import rewrap_ring

    place = file.expanduser().absolute()
    count = rewrap_ring(_load(config), read_key_file(place))
    if as_json:
        print_json({"ok": True, "keys": count})
        return
    say(f"{count} data keys are wrapped by the master key in {place} now.")
    say(f"Now: instar config set session.encryption.keyFile {place}")


@command.command("copy-keys")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def copy_keys(*, file: Path, as_json: bool, config: Path | None) -> None:
    """Copy the key ring to FILE; backups leave it out. It is useless without the master key.

    A copy holds the keys of whoever is erased later: make a new one after an erasure and delete the old ones.
    """
    from instar.stores.sealing.open import ring_path
    from instar.stores.sealing.ring import copy_ring

    place = file.expanduser().absolute()
    keys = copy_ring(ring_path(_load(config)), place)
    if as_json:
        print_json({"ok": True, "path": str(place), "keys": keys})
        return
    say(f"{keys} data keys were copied to {place}.")


@command.command("status")
@json_option
@config_option
def status(*, as_json: bool, config: Path | None) -> None:
    """Whether the words of the store are encrypted, and how many keys there are. Only reads, beside a gateway too."""
    from instar.stores.turn_over import look_at

    found = look_at(_load(config))
    if as_json:
        print_json({"ok": True, **found})
        return
    key = found["key"] or "none is named in session.encryption"
    say(f"The words of the database: {_STATES.get(str(found['state']), found['state'])}")
    say(f"In the configuration:      {'on' if found['enabled'] else 'off'} (session.encryption.enabled)")
    say(f"Master key:                {key}")
    say(f"Key ring:                  {found['ring']}")
    say(f"Keys in it:                {found['keys']}, and {found['destroyed']} destroyed")


def _load(config: Path | None) -> Config:
    from instar.config.load import load_config

    return load_config(config, env=os.environ, home=Path.home(), thorough=False).config


def _teller(*, as_json: bool) -> Callable[[str], None]:
    """Tells a person which tables are through."""
    return (lambda _: None) if as_json else (lambda table: say(f"{table}: done"))


def _tell(done: Turned, state: str, *, as_json: bool) -> None:
    if as_json:
        counts = {"rows": done.rows, "archives": done.archives, "removed": done.removed}
        print_json({"ok": True, **counts, "plain": list(done.plain)})
        return
    turned = f"{count_of(done.rows, 'row')} and {count_of(done.archives, 'archive')} are {state}"
    say(f"{turned}; {count_of(done.removed, 'file of the mirror was', 'files of the mirror were')} removed.")
    if done.plain:
        say("These hold words as they are. Look at them, and delete what you do not need:")
    for path in done.plain:
        say(f"  {path}")
