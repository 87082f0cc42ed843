"""`session.store`, `session.mirror`: which database, and which files beside it (STORE-1, STORE-2, STORE-8, STORE-9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from instar.config.paths import expand_home
from instar.config.read import read_object, read_text, wrong_type
from instar.errors import ConfigError

__all__ = ["DATABASE_NAME", "Mirror", "StoreSettings", "parse_store"]

DATABASE_NAME: Final = "instar.db"

Mirror = Literal["off", "on", "per-key"]
"""No files; ``sessions.json`` and transcripts per agent; those and one folder per session key."""

_AGENT: Final = "{agentId}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The authority and its mirror. With SQLite `path` is the database file, with PostgreSQL `url` is its address.

    `mirror_template` is the place of ``sessions.json`` where the configuration names one, with ``{agentId}`` still in
    it; None means the state directory.
    """

    engine: Literal["sqlite", "postgres"]
    path: Path | None = None
    url: str | None = field(default=None, repr=False)
    mirror: Mirror = "on"
    mirror_template: str | None = None


def parse_store(root: Mapping[str, object], *, state_dir: Path, home: Path) -> StoreSettings:
    """The store of a whole configuration whose aliases are applied."""
    session = read_object(root.get("session"), "session")
    text = read_text(session.get("store"), "session.store") or ""
    mirror = _parse_mirror(session.get("mirror"))
    scheme, colon, _ = text.partition("://")
    if not colon:
        return _parse_place(text, mirror=mirror, state_dir=state_dir, home=home)
    match scheme.lower():
        case "postgresql" | "postgres":
            return StoreSettings(engine="postgres", url=text, mirror=mirror or "off")
        case "sqlite":
            path = _parse_file(text.partition("://")[2], state_dir=state_dir, home=home)
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
    return StoreSettings(
        engine="sqlite",
        path=(folder if folder.is_absolute() else state_dir / folder) / DATABASE_NAME,
        mirror=mirror or "on",
        mirror_template=text if is_template else None,
    )


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
