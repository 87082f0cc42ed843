"""The configuration of a running gateway: followed as its file changes, never replaced by one that is bad (CFG-12).

The file is looked at by its size and times, twice a second. A change that can be used holds from the next message on;
one that cannot, or that is never meant (WHY-5), leaves the last good one in place and says why, in the log and to
whoever asks for the state. An editor may leave half a file for a moment, so a bad one is told only when it was the
same at the second look.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from instar.config.config import Config
from instar.config.effect import apply_reload
from instar.config.finding import Finding
from instar.config.json_schema import build_hints, build_schema
from instar.config.lint_owners import lint_owners, list_linked_keys
from instar.config.load import Loaded, parse_text, read_config_file, refuse_unsafe
from instar.config.paths import find_config_file
from instar.core.model.ids import Instant, SessionKey
from instar.core.policy.ownership import SessionOwnership
from instar.core.policy.redaction import Redactor
from instar.errors import ConfigError, InvalidRequest
from instar.ports.clock import Clock
from instar.ports.log import Log
from instar.ports.operator import ConfigState
from instar.system.files import make_private_folder, replace_file
from instar.system.log_events import CONFIG_LOADED, CONFIG_REFUSED, CONFIG_WARNING, CONFIG_WRITTEN, JOB_FAILED

__all__ = ["ConfigSource", "LiveConfig", "follow_config"]

_LOOK_S: Final = 0.5
"""How often the file is looked at; a look is one question to the file system."""

_Stamp = tuple[int, int, int] | None

OwnersLoader = Callable[[Sequence[SessionKey]], Awaitable[Mapping[SessionKey, SessionOwnership]]]
"""Whose sessions are, as the store has it: `instar.ports.owners.OwnerStore.load`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSource:
    """Where a configuration comes from: the file that `named`, the environment or the state directory names.

    `finish` lays what the command line says on top. `allow_unsafe` lets pairs pass that are never meant.
    """

    named: Path | None
    env: Mapping[str, str]
    home: Path
    finish: Callable[[Config], Config]
    allow_unsafe: bool = False

    @property
    def path(self) -> Path:
        """The file, whether it is there or not."""
        return find_config_file(self.named, self.env, home=self.home)[0]

    def read_text(self) -> str:
        """The text of the file; of an empty configuration where there need not be one. Raises ConfigError."""
        return read_config_file(self.named, env=self.env, home=self.home)[1]

    def parse(self, text: str) -> Loaded:
        """What the text means, if it may hold. Raises ConfigError."""
        loaded = parse_text(text, file=str(self.path), env=self.env, home=self.home)
        refuse_unsafe(loaded, allow_unsafe=self.allow_unsafe)
        return loaded


class LiveConfig:
    """Gives the configuration of this moment. Keeps `instar.ports.operator.ConfigKeeper`."""

    def __init__(
        self, config: Config, loaded: Loaded, source: ConfigSource, *, clock: Clock, log: Log, redactor: Redactor
    ) -> None:
        self._config = config
        self._source = source
        self._clock = clock
        self.log = log
        self._redactor = redactor
        self._findings = tuple(str(finding) for finding in loaded.warnings)
        self._problem: str | None = None
        self._waiting: tuple[str, ...] = ()
        self._loaded_at: Instant = clock.now()
        self._hash = _hash_file(source)
        self._seen = _look(source.path)
        self._doubted: tuple[_Stamp] | None = None
        self._writing = asyncio.Lock()
        self._load_owners: OwnersLoader | None = None

    def __call__(self) -> Config:
        """The configuration that holds now."""
        return self._config

    # --- what callers may ask -----------------------------------------------------------------------------------------

    def state(self) -> ConfigState:
        """What holds now, without secrets (LEAK-12)."""
        return ConfigState(
            path=str(self._source.path),
            exists=self._seen is not None,
            text_hash=self._hash,
            config=self._redactor.fields(self._config.root),
            loaded_at=self._loaded_at,
            problem=self._problem and self._redactor.text(self._problem),
            waiting=self._waiting,
            findings=tuple(map(self._redactor.text, self._findings)),
        )

    async def write(self, change: Callable[[str], str], *, base_hash: str | None, who: str) -> ConfigState:
        """Change the file and let it hold. Raises `InvalidRequest`, ConfigError; the file is then as it was."""
        async with self._writing:
            text = await asyncio.to_thread(self._source.read_text)
            if base_hash is not None and base_hash != _hash(text):
                raise InvalidRequest(
                    "The configuration has changed meanwhile",
                    why="baseHash is not the hash of the file",
                    fix="Ask for it with config.get and make the change again.",
                    field="baseHash",
                )
            changed = change(text)
            loaded = await self._parse(changed)
            await asyncio.to_thread(_write, self._source.path, changed)
            self.log.info(CONFIG_WRITTEN, who=who, path=str(self._source.path))
            self._adopt(loaded, changed)
            return self.state()

    def propose(self, change: Callable[[str], str]) -> Config:
        """What would hold if the file were changed so. Raises ConfigError."""
        source = self._source
        text = change(source.read_text())
        loaded = parse_text(text, file="the proposed configuration", env=source.env, home=source.home)
        return source.finish(loaded.config)

    def schema(self) -> Mapping[str, object]:
        """Every setting as JSON Schema, with help."""
        return {"schema": build_schema(), "uiHints": build_hints()}

    async def ask_store(self, load: OwnersLoader) -> tuple[Finding, ...]:
        """Hold the links of every configuration from now on, this one first, against the sessions that are there: what
        the store shows to be wrong with this one (LEAK-4, WHY-5). Raises `StoreError`.
        """
        self._load_owners = load
        found = await self._find_taken(self._config)
        self._findings = (*self._findings, *map(str, found))
        return found

    async def _find_taken(self, config: Config) -> tuple[Finding, ...]:
        if self._load_owners is None:
            return ()
        stored = await self._load_owners(tuple(list_linked_keys(config)))
        return tuple(lint_owners(config, {key: one.owner for key, one in stored.items()}))

    async def _parse(self, text: str) -> Loaded:
        """What the text means, if it may hold beside what is stored. Raises ConfigError."""
        loaded = await asyncio.to_thread(self._source.parse, text)
        found = await self._find_taken(loaded.config)
        checked = replace(loaded, warnings=(*loaded.warnings, *found))
        refuse_unsafe(checked, allow_unsafe=self._source.allow_unsafe)
        return checked

    # --- following ----------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look at the file once, and let it hold if it was changed and is good."""
        async with self._writing:
            stamp = await asyncio.to_thread(_look, self._source.path)
            if stamp == self._seen:
                self._doubted = None
                return
            try:
                text = await asyncio.to_thread(self._source.read_text)
                if stamp is None:
                    raise ConfigError("The configuration file is gone", fix="Put it back, or restart the gateway.")
                loaded = await self._parse(text)
            except ConfigError as error:
                self._doubt(stamp, error)
                return
            self._adopt(loaded, text, stamp=stamp)

    def _doubt(self, stamp: _Stamp, error: ConfigError) -> None:
        """Tell of a bad file once it has stood like that for two looks."""
        if self._doubted != (stamp,):
            self._doubted = (stamp,)
            return
        self._seen = stamp
        self._problem = str(error)
        self.log.error(CONFIG_REFUSED, path=str(self._source.path), error=str(error))

    def _adopt(self, loaded: Loaded, text: str, *, stamp: _Stamp = None) -> None:
        """Let a good configuration hold from the next message on."""
        self._seen = stamp or _look(self._source.path)
        self._hash = _hash(text)
        self._problem, self._doubted = None, None
        self._config, self._waiting = apply_reload(self._config, self._source.finish(loaded.config))
        self._loaded_at = self._clock.now()
        self._findings = tuple(str(finding) for finding in loaded.warnings)
        self.log.info(CONFIG_LOADED, path=str(self._source.path), waiting=list(self._waiting))
        for finding in loaded.warnings:
            self.log.warning(CONFIG_WARNING, code=finding.code, path=finding.path, text=str(finding))


@asynccontextmanager
async def follow_config(config: LiveConfig, *, clock: Clock) -> AsyncIterator[None]:
    """Follow the file while the block runs."""
    task = asyncio.create_task(_follow(config, clock), name="config")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow(config: LiveConfig, clock: Clock) -> None:
    while True:
        await clock.sleep(_LOOK_S)
        try:
            await config.look()
        except Exception:
            # A job boundary (style, section 6): a defect in one look must not end all of them.
            config.log.exception(JOB_FAILED, job="config")


def _look(path: Path) -> _Stamp:
    """What tells one state of a file from another; None where it cannot be seen."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _write(path: Path, text: str) -> None:
    make_private_folder(path.parent)
    replace_file(path, [text.encode()])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_file(source: ConfigSource) -> str:
    try:
        return _hash(source.read_text())
    except ConfigError:
        return ""
