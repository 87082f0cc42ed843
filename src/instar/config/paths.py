"""Where things lie: the state directory, the configuration file, the mirror, and names that are safe as paths.

What belongs here: turning settings, ids and keys into paths (CFG-9, COMPAT-2, COMPAT-3, STORE-2, STORE-9, LEAK-8).
What does not: opening what lies there. The invariant: no id, key or template leads out of the folder that it was
meant for, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from instar.core.model.ids import AgentId, SessionId, SessionKey

__all__ = [
    "DATABASE_NAME",
    "encode_name",
    "expand_home",
    "find_config_file",
    "find_foreign_states",
    "is_foreign",
    "mirror_sessions_dir",
    "render_template",
    "resolve_state_dir",
    "resolve_store_path",
    "transcript_file_name",
]

CONFIG_NAME: Final = "instar.json5"
DATABASE_NAME: Final = "instar.db"
_STATE_NAME: Final = ".instar"
_FOREIGN_NAMES: Final = (".openclaw", ".clawdbot", ".moltbot")

_SAFE: Final = "+@!=,~"
"""Beside letters, digits and ``_.-``: harmless in every file system and shell when quoted. ``%`` is not among them,
so that what is encoded can be told from what was there before."""

_NAME_MAX_BYTES: Final = 200
"""File systems take 255 bytes; what is left is for suffixes such as ``.jsonl.deleted.<time>``."""

_KEPT_CHARS: Final = 120


def resolve_state_dir(env: Mapping[str, str], *, home: Path) -> Path:
    """``INSTAR_STATE_DIR``, else ``~/.instar`` (COMPAT-2)."""
    named = env.get("INSTAR_STATE_DIR", "").strip()
    return expand_home(named, home=home) if named else home / _STATE_NAME


def find_config_file(named: Path | None, env: Mapping[str, str], *, home: Path) -> tuple[Path, bool]:
    """The configuration file, and whether it must exist (COMPAT-3).

    It is the one that `named` or ``INSTAR_CONFIG`` names, else the one in the state directory. That one may be
    missing: then every setting has its default.
    """
    if named is not None:
        return expand_home(str(named), home=home), True
    text = env.get("INSTAR_CONFIG", "").strip()
    if text:
        return expand_home(text, home=home), True
    return resolve_state_dir(env, home=home) / CONFIG_NAME, False


def find_foreign_states(home: Path) -> tuple[Path, ...]:
    """The state directories of the predecessors that are there, newest name first (COMPAT-2)."""
    return tuple(path for name in _FOREIGN_NAMES if (path := home / name).is_dir())


def expand_home(text: str, *, home: Path) -> Path:
    """`text` as a path, with ``~`` at its start as the home directory (CFG-9). ``~name`` is not looked up."""
    if text == "~":
        return home
    return home / text[2:] if text.startswith("~/") else Path(text)


def is_foreign(path: Path, *, home: Path) -> bool:
    """Whether a path lies in a state directory of OpenClaw's, which nothing is ever written to (COMPAT-2)."""
    return any(path.is_relative_to(home / name) for name in _FOREIGN_NAMES)


def render_template(text: str, *, agent_id: AgentId, home: Path) -> Path:
    """`text` with ``{agentId}`` filled in (CFG-9). The id is encoded, so it adds exactly one name (LEAK-8)."""
    return expand_home(text.replace("{agentId}", encode_name(agent_id)), home=home)


def mirror_sessions_dir(state_dir: Path, agent_id: AgentId) -> Path:
    """Where an agent's ``sessions.json`` and transcripts are mirrored (STORE-2)."""
    return state_dir / "agents" / encode_name(agent_id) / "sessions"


def transcript_file_name(session_id: SessionId, *, topic_id: str | None = None) -> str:
    """The name of a transcript's mirror; that of a Telegram topic ends in its id (STORE-2)."""
    topic = "" if topic_id is None else f"-topic-{encode_name(topic_id)}"
    return f"{encode_name(session_id)}{topic}.jsonl"


def resolve_store_path(state_dir: Path, key: SessionKey) -> Path:
    """The folder of a session in the layout that has one per key (STORE-9)."""
    return state_dir / "sessions" / encode_name(key)


def encode_name(text: str) -> str:
    """`text` as one file name: what a path could stumble over is percent-encoded (STORE-9, LEAK-8).

    Never empty, ``.`` or ``..``, and never hidden. Two texts never give the same name: one that is too long ends
    in a hash of the whole.
    """
    name = quote(text, safe=_SAFE, errors="surrogatepass")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _NAME_MAX_BYTES:
        from hashlib import sha256  # seldom needed, and heavy to load for commands that only look for the gateway

        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        name = f"{name[:_KEPT_CHARS]}%~{digest}"
    return name or "%"
