"""`session.store`, `session.mirror`, `session.encryption`: which database, which files beside it, whether its words are
sealed (STORE-1, STORE-2, STORE-8, STORE-9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from instar.config.paths import DATABASE_NAME, expand_home, is_foreign
from instar.config.read import read_bool, read_object, read_text, wrong_type
from instar.errors import ConfigError

__all__ = ["DATABASE_NAME", "EncryptionSettings", "Mirror", "StoreSettings", "parse_store"]

Mirror = Literal["off", "on", "per-key"]
"""No files; ``sessions.json`` and transcripts per agent; those and one folder per session key."""

_AGENT: Final = "{agentId}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionSettings:
    """Whether words are sealed, and where the master key is: a file, or the environment, where `key` has its value."""

    enabled: bool = False
    key_file: Path | None = None
    key_env: str | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The authority and its mirror. With SQLite `path` is the database file, with PostgreSQL `url` is its address.

    `mirror_template` is the place of ``sessions.json`` where the configuration names one, with ``{agentId}`` still in
    it; None means the state directory. `foreign_template` is one in a directory of OpenClaw's: a configuration that was
    copied from there names it, and it is not used (COMPAT-2).
    """

    engine: Literal["sqlite", "postgres"]
    path: Path | None = None
    url: str | None = field(default=None, repr=False)
    mirror: Mirror = "on"
    mirror_template: str | None = None
    foreign_template: str | None = None
    encryption: EncryptionSettings = EncryptionSettings()


def parse_store(
    root: Mapping[str, object], *, state_dir: Path, home: Path, env: Mapping[str, str] | None = None
) -> StoreSettings:
    """The store of a whole configuration whose aliases are applied."""
    session = read_object(root.get("session"), "session")
    mirror = _parse_mirror(session.get("mirror"))
    encryption = _parse_encryption(session.get("encryption"), state_dir=state_dir, home=home, env=env or {})
    if encryption.enabled and mirror not in {None, "off"}:
        raise ConfigError(
            "The mirror would hold in plain text what is encrypted in the database",
            why="session.mirror and session.encryption.enabled are both set",
            fix="Take session.mirror away: with encryption there is no mirror.",
            path="session.mirror",
        )
    mirror = "off" if encryption.enabled else mirror
    store = _parse_kind(session, mirror=mirror, state_dir=state_dir, home=home)
    if encryption.enabled and store.engine != "sqlite":
        raise ConfigError(
            "Only a SQLite store can be encrypted",
            fix="Take session.encryption away; encrypt the disk of the PostgreSQL server.",
            path="session.encryption.enabled",
        )
    return replace(store, encryption=encryption)


def _parse_encryption(value: object, *, state_dir: Path, home: Path, env: Mapping[str, str]) -> EncryptionSettings:
    """Whether words are sealed, and by which master key; settings that would seal by none are refused (WHY-5)."""
    path = "session.encryption"
    found = read_object(value, path)
    enabled = read_bool(found.get("enabled"), f"{path}.enabled") or False
    file = read_text(found.get("keyFile"), f"{path}.keyFile") or None
    name = read_text(found.get("keyEnv"), f"{path}.keyEnv") or None
    if enabled and (file is None) == (name is None):
        raise ConfigError(
            "Words cannot be encrypted without a master key" if file is None else "There are two master keys",
            why="neither keyFile nor keyEnv is set" if file is None else "keyFile and keyEnv are both set",
            fix="Run `instar encryption create-key ~/.config/instar/master.key` and set session.encryption.keyFile to "
            "that file, or name the variable that holds the key in session.encryption.keyEnv.",
            path=f"{path}.enabled",
        )
    place = None if file is None else expand_home(file, home=home)
    return EncryptionSettings(
        enabled=enabled,
        key_file=place if place is None or place.is_absolute() else state_dir / place,
        key_env=name,
        key=env.get(name, "").strip() or None if name is not None else None,
    )


def _parse_kind(session: Mapping[str, object], *, mirror: Mirror | None, state_dir: Path, home: Path) -> StoreSettings:
    """The kind of store and its place."""
    text = read_text(session.get("store"), "session.store") or ""
    scheme, colon, _ = text.partition("://")
    if not colon:
        return _parse_place(text, mirror=mirror, state_dir=state_dir, home=home)
    match scheme.lower():
        case "postgresql" | "postgres":
            return StoreSettings(engine="postgres", url=text, mirror=mirror or "off")
        case "sqlite":
            file = _parse_file(text.partition("://")[2], state_dir=state_dir, home=home)
            path = _refuse_foreign(file, state_dir=state_dir, home=home)
            return StoreSettings(engine="sqlite", path=path, mirror=mirror or "on")
        case _:
            raise ConfigError(
                "The store is of an unknown kind",
                why=f'it begins with "{scheme}://"',
                fix="Write a directory, sqlite:///path or postgresql://…",
                path="session.store",
            )


def _parse_place(text: str, *, mirror: Mirror | None, state_dir: Path, home: Path) -> StoreSettings:
    """A directory for the database, or the seeds' template for ``sessions.json`` (STORE-8)."""
    is_template = _AGENT in text or text.endswith(".json")
    folder = expand_home(text, home=home) if text and not is_template else state_dir
    path = (folder if folder.is_absolute() else state_dir / folder) / DATABASE_NAME
    template = text if is_template else None
    is_foreign_template = is_template and is_foreign(expand_home(text, home=home), home=home)
    return StoreSettings(
        engine="sqlite",
        path=_refuse_foreign(path, state_dir=state_dir, home=home),
        mirror=mirror or "on",
        mirror_template=None if is_foreign_template else template,
        foreign_template=template if is_foreign_template else None,
    )


def _refuse_foreign(path: Path, *, state_dir: Path, home: Path) -> Path:
    """`path`, unless a database there would be written into a directory of OpenClaw's (COMPAT-2)."""
    if is_foreign(path, home=home) and not path.is_relative_to(state_dir):
        raise ConfigError(
            "The database would lie in a directory of OpenClaw's",
            why="nothing is ever written there, so that you can go back at any time",
            fix="Take session.store away or name another place; `instar import openclaw DIR` brings sessions along.",
            path="session.store",
        )
    return path


def _parse_file(text: str, *, state_dir: Path, home: Path) -> Path:
    """The file of ``sqlite:///var/lib/instar.db`` or ``sqlite:///~/x.db``; after two slashes, below the state."""
    name = unquote(text.partition("?")[0])
    bare = name.lstrip("/")
    if not bare:
        raise ConfigError("The store has no path", fix="Write sqlite:///path/to/instar.db.", path="session.store")
    if bare == "~" or bare.startswith("~/"):
        return expand_home(bare, home=home)
    return Path(f"/{bare}") if name.startswith("/") else state_dir / bare


def _parse_mirror(value: object) -> Mirror | None:
    match value:
        case None:
            return None
        case bool():
            return "on" if value else "off"
        case "per-key":
            return "per-key"
        case str():
            fix = 'Write true, false or "per-key".'
            raise ConfigError("There is no such mirror", why=f'it is "{value}"', fix=fix, path="session.mirror")
        case _:
            raise wrong_type("session.mirror", value, wanted="true or false", fix='Write true, false or "per-key".')
