"""The keys that a configuration gives: the one place where settings become seals."""

from __future__ import annotations

from pathlib import Path

from instar.config.config import Config
from instar.config.sections.store import EncryptionSettings
from instar.errors import ConfigError
from instar.stores.sealing.master import parse_key, read_key_file
from instar.stores.sealing.ring import RING_NAME
from instar.stores.sealing.seals import Seals

__all__ = ["load_master", "load_seals", "ring_path"]


def load_seals(config: Config, *, may_turn: bool = False) -> Seals | None:
    """The seals of the configured store; None where its words are stored as they are.

    With `may_turn` keys are used that are named, whether sealing is enabled or not. Raises `ConfigError` where the
    master key is missing or others may read it.
    """
    settings = config.store.encryption
    is_named = settings.key_file is not None or settings.key_env is not None
    if not (settings.enabled or (may_turn and is_named)):
        return None
    return Seals(ring_path(config), load_master(settings), may_turn=may_turn)


def ring_path(config: Config) -> Path:
    """Where the key ring lies."""
    return config.state_dir / RING_NAME


def load_master(settings: EncryptionSettings) -> bytes:
    """The master key. Raises `ConfigError`."""
    if settings.key_file is not None:
        return read_key_file(settings.key_file)
    if not settings.key:
        raise ConfigError(
            "There is no master key",
            why=f"session.encryption.keyEnv names {settings.key_env}, and that is not set",
            fix=f"Set {settings.key_env} to the key with which this store was encrypted. Nothing was changed.",
            path="session.encryption.keyEnv",
        )
    return parse_key(settings.key, source=str(settings.key_env))
