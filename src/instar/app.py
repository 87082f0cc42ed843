"""The composition root: from options to a running gateway, and back to nothing (style, section 1).

The only module that knows concrete stores, channels, runners and servers. Everything is built here, handed to
constructors, and closed in reverse order, whatever happens in between. Heavy libraries of model providers are
imported after the first caller could be answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from instar import __version__
from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.channels.registry import build_channels
from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.load import Loaded, load_config
from instar.config.paths import find_foreign_states
from instar.config.sections.gateway import parse_bind
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.redaction import Redactor, build_redactor
from instar.core.routing.key import main_session_key
from instar.errors import ConfigError, InstarError, StoreError
from instar.gateway.gateway import Gateway
from instar.gateway.parts import GatewayParts
from instar.gateway.settings import group_intro
from instar.ports.channel import Channel
from instar.ports.clock import Clock
from instar.ports.http_channel import HttpChannel
from instar.ports.ids import IdSource
from instar.ports.log import Log
from instar.ports.runner import Runner
from instar.runners.book import ConfiguredModels
from instar.runners.echo import ECHO_MODEL
from instar.runners.factory import build_runner
from instar.stores.archive import TranscriptArchiver
from instar.stores.audit import StoreAuditor
from instar.stores.clearing import clear_in_background
from instar.stores.disk import SessionFiles
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.erasing.places import build_places
from instar.stores.incognito import StoreWithIncognito
from instar.stores.intake import TranscriptIntake
from instar.stores.keeper import StoreKeeper
from instar.stores.mirror import Flushable, open_mirror
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.seals import Seals
from instar.stores.search_index import follow_index
from instar.stores.sqlite import SqliteStore, open_memory_store
from instar.system.clock import SystemClock
from instar.system.files import make_private_folder
from instar.system.ids import SystemIds
from instar.system.live_config import ConfigSource, LiveConfig, follow_config
from instar.system.log import LogHandle, LogSettings, open_log
from instar.system.log_events import GATEWAY_READY, GATEWAY_STOPPED
from instar.system.log_tail import FileLog
from instar.system.running import RunningGateway, read_running, write_running
from instar.system.workspace import SealNote, WorkspaceExports, WorkspaceNotes, WorkspaceTexts
from instar.tools.note import NoteTool
from instar.tools.session_status import SessionStatusTool

__all__ = ["GatewayOptions", "RunningApp", "open_app", "run_gateway"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What the command line may say; None leaves it to the configuration."""

    config_path: Path | None = None
    port: int | None = None
    host: str | None = None
    token: str | None = None
    password: str | None = None
    allow_unsafe: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApp:
    """A gateway that answers. `url` is for WebSocket clients, `page` for browsers."""

    config: Config
    gateway: Gateway
    server: ApiServer
    token: str

    @property
    def page(self) -> str:
        """The address of the page."""
        return self.server.url.replace("ws://", "http://", 1)


def run_gateway(options: GatewayOptions) -> int:
    """Run a gateway until a signal stops it; the exit code. Errors are told on standard error as what, why and fix."""
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve_until_signal(options))
    except InstarError as error:
        sys.stderr.write(f"instar: {build_redactor().text(str(error))}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _serve_until_signal(options: GatewayOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    async with open_app(options, env=os.environ, home=Path.home()) as app:
        sys.stdout.write(f"{build_ready_line(app)}\n")
        sys.stdout.flush()
        await stop.wait()


def build_ready_line(app: RunningApp) -> str:
    """The one line that says that the gateway answers, where, and who thinks."""
    facts = app.gateway.facts()
    model, wanted = facts.model, _wanted_model(app.config)
    if model is not None and model.id != "echo":
        thinking = f"model {model.provider}/{model.id}"
    elif wanted is not None:
        thinking = f"the model {wanted} cannot be asked, so answers are echoes: see `instar doctor`"
    else:
        thinking = "no model is set, so answers are echoes"
    return f"Instar {__version__} is ready at {app.page} (state {facts.state_dir}; {thinking})"


def _wanted_model(config: Config) -> str | None:
    """The model that the configuration names for the default agent, None where it names none but the echo."""
    wanted = config.agents.get(config.agents.default_id).model.primary
    return None if wanted is None or wanted.lower() == ECHO_MODEL.ref else wanted


@contextlib.asynccontextmanager
async def open_app(options: GatewayOptions, *, env: Mapping[str, str], home: Path) -> AsyncIterator[RunningApp]:
    """A gateway that runs inside the block. Raises `ConfigError`, `StoreError` before anything has changed."""
    loaded = load_config(options.config_path, env=env, home=home)
    config = _with_options(loaded.config, options)
    async with AsyncExitStack() as stack:
        source = ConfigSource(
            named=options.config_path,
            env=env,
            home=home,
            finish=lambda changed: _with_options(changed, options),
            allow_unsafe=options.allow_unsafe,
        )
        yield await _open(config, loaded, source, stack=stack, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every part stands on: the configuration at the start and of the moment, time, ids, the log.

    `is_meant` says that the owner means what the configuration is warned of (WHY-5).
    """

    config: Config
    loaded: Loaded
    live: LiveConfig
    secret: str
    clock: Clock
    ids: IdSource
    redactor: Redactor
    log: Log
    log_file: Path
    is_meant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is kept: the open store, the keys it is sealed with (None: none), and what takes people out of it."""

    store: SqliteStore
    seals: Seals | None
    eraser: StoreEraser


async def _open(
    config: Config, loaded: Loaded, source: ConfigSource, *, stack: AsyncExitStack, options: GatewayOptions
) -> RunningApp:
    """Build from the bottom up; what is built is closed by `stack`, in reverse."""
    ground = _open_ground(config, loaded, source, stack=stack, options=options)
    kept = await _open_store(ground, stack=stack)
    built = build_runner(config.models, clock=ground.clock, log=ground.log, wanted=_wanted_model(config))
    channels = build_channels(config)
    status = SessionStatusTool()
    gateway = Gateway(_build_parts(ground, kept, runner=built.runner, channels=channels, status=status))
    status.connect(gateway.status_facts, gateway.sessions.changes)
    await stack.enter_async_context(gateway)
    server = _build_server(ground, gateway, channels=channels, env=source.env)
    await stack.enter_async_context(server)
    _publish_address(config, server, ground.secret, stack=stack)
    ground.log.info(GATEWAY_READY, version=__version__, url=server.url)
    await _begin_jobs(stack, kept.store, ground.live, built.warm_up, clock=ground.clock, log=ground.log)
    return RunningApp(config=config, gateway=gateway, server=server, token=ground.secret)


def _open_ground(
    config: Config, loaded: Loaded, source: ConfigSource, *, stack: AsyncExitStack, options: GatewayOptions
) -> _Ground:
    """The state directory and the log in it; what was noticed about the configuration is told there."""
    is_new = not config.state_dir.exists()
    make_private_folder(config.state_dir)
    clock, ids = SystemClock(), SystemIds()
    secret = _choose_secret(config, ids.token)
    redactor = build_redactor((*config.secrets, secret))
    log_file = config.state_dir / "logs" / "gateway.log"
    handle = _open_log(log_file, clock=clock, redactor=redactor, is_verbose=options.verbose)
    stack.callback(handle.close)
    is_meant = options.allow_unsafe or config.gateway.allow_unsafe
    _tell_start(handle.log, loaded, is_new=is_new, is_meant=is_meant, home=source.home)
    return _Ground(
        config=config,
        loaded=loaded,
        live=LiveConfig(config, loaded, source, clock=clock, log=handle.log, redactor=redactor),
        secret=secret,
        clock=clock,
        ids=ids,
        redactor=redactor,
        log=handle.log,
        log_file=log_file,
        is_meant=is_meant,
    )


async def _open_store(ground: _Ground, *, stack: AsyncExitStack) -> _Kept:
    """The store and the mirror, open; erasures that a crash cut are finished."""
    seals = load_seals(ground.config)
    store = SqliteStore(_store_path(ground.config), redactor=ground.redactor, seals=seals)
    await store.open()
    stack.callback(ground.log.info, GATEWAY_STOPPED)
    stack.push_async_callback(store.close)
    _tell_findings(ground.log, await ground.live.ask_store(store.owners.load), is_meant=ground.is_meant)
    mirror = await stack.enter_async_context(open_mirror(store, ground.config, clock=ground.clock))
    await stack.enter_async_context(clear_in_background(store.clearing, clock=ground.clock))
    eraser = await _take_up_erasures(ground, store, mirror, seals=seals)
    return _Kept(store=store, seals=seals, eraser=eraser)


def _build_parts(
    ground: _Ground, kept: _Kept, *, runner: Runner, channels: Mapping[ChannelName, Channel], status: SessionStatusTool
) -> GatewayParts:
    """Everything that the gateway needs from outside."""
    config, path, store = ground.config, ground.loaded.path, kept.store
    texts, exports, notes = _open_workspaces(ground.live, ground.clock, kept.seals)
    return GatewayParts(
        version=__version__,
        config=ground.live,
        store=StoreWithIncognito(store, partial(open_memory_store, redactor=ground.redactor)),
        clock=ground.clock,
        ids=ground.ids,
        runner=runner,
        models=ConfiguredModels(ground.live),
        texts=texts,
        exports=exports,
        archiver=TranscriptArchiver(store, config, clock=ground.clock),
        tools={status.spec.name: status},
        note_tool=notes,
        channels=channels,
        state_dir=str(config.state_dir),
        config_path=str(path.absolute() if path else ""),
        store_path=str(_store_path(config)),
        redactor=ground.redactor,
        disk=SessionFiles(store, config),
        intake=TranscriptIntake(store),
        keeper=StoreKeeper(config, path, version=__version__, seals=kept.seals),
        eraser=kept.eraser,
    )


def _build_server(
    ground: _Ground, gateway: Gateway, *, channels: Mapping[ChannelName, Channel], env: Mapping[str, str]
) -> ApiServer:
    """The port: WebSocket, HTTP, the page, and the channels that take HTTP."""
    return ApiServer(
        _api_settings(ground.config, ground.secret),
        gateway,
        clock=ground.clock,
        ids=ground.ids,
        config=ground.live,
        logs=FileLog(ground.log_file),
        redactor=ground.redactor,
        auditor=StoreAuditor(ground.live, ground.loaded.path, env=env, secret=ground.secret),
        mounts={name: channel.http_app for name, channel in channels.items() if isinstance(channel, HttpChannel)},
    )


async def _begin_jobs(
    stack: AsyncExitStack,
    store: SqliteStore,
    live: LiveConfig,
    warm_up: Callable[[], Awaitable[None]],
    *,
    clock: Clock,
    log: Log,
) -> None:
    """What goes on beside the callers: the index is kept level, the file is followed, providers are imported."""
    await stack.enter_async_context(follow_index(store.search_index, clock=clock))
    await stack.enter_async_context(follow_config(live, clock=clock))
    warming = asyncio.create_task(_warm_up(warm_up, log))
    stack.push_async_callback(_end_task, warming)


def _open_workspaces(
    live: Callable[[], Config], clock: Clock, seals: Seals | None
) -> tuple[WorkspaceTexts, WorkspaceExports, NoteTool]:
    """What agents are told, where people's exports go, and what writes notes, by the configuration of the moment."""

    def folder_of(agent_id: AgentId) -> Path:
        return Path(live().workspace(agent_id))

    texts = WorkspaceTexts(
        workspace_of=folder_of,
        prompt_of=lambda agent_id: live().agents.get(agent_id).system_prompt,
        intro_of=lambda session: group_intro(live(), session),
        open_note=None if seals is None else lambda line, name: seals.open_note(line, name=name),
    )

    notes = NoteTool(
        WorkspaceNotes(workspace_of=folder_of, seal=_seal_notes(live, seals)).append,
        today=lambda: datetime.fromtimestamp(clock.now() / 1000, clock.zone()).date(),
    )
    return texts, WorkspaceExports(workspace_of=folder_of), notes


def _seal_notes(live: Callable[[], Config], seals: Seals | None) -> SealNote | None:
    """How notes are kept encrypted: under the key of the session that they are written in; None where they are not."""
    if seals is None:
        return None

    def seal(agent_id: AgentId, name: str, text: str) -> str:
        return seals.seal_note(text, name=name, key=main_session_key(live().routing.keys, agent_id))

    return seal


async def _take_up_erasures(
    ground: _Ground, store: SqliteStore, mirror: Flushable, *, seals: Seals | None
) -> StoreEraser:
    """What takes a person out of everything; whatever a crash cut of that is finished before anybody is let in."""
    eraser = StoreEraser(
        store,
        build_places(ground.live(), ground.loaded.path, seals=seals),
        links=lambda: ground.live().routing.keys.links,
        ids=ground.ids,
        flush_mirror=mirror.flush,
        clean=ground.redactor.value,
    )
    try:
        await eraser.resume()
    except (StoreError, OSError) as error:
        # Everybody else is served meanwhile; the next start tries again.
        ground.log.error("erasure_not_finished", error=str(error))
    return eraser


def _with_options(config: Config, options: GatewayOptions) -> Config:
    """The configuration with what the command line says on top."""
    said = {
        "port": options.port,
        "host": None if options.host is None else parse_bind(options.host),
        "token": options.token,
        "password": options.password,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    return replace(config, gateway=replace(config.gateway, **changes)) if changes else config  # type: ignore[arg-type]


def _choose_secret(config: Config, draw: Callable[[], str]) -> str:
    """The secret that clients need: the configured one, the one of the last start, or a fresh one (GW-9)."""
    configured = config.gateway.secret
    if configured is not None:
        return configured
    if config.gateway.auth_mode == "password":
        raise ConfigError(
            "There is no password",
            why='gateway.auth.mode is "password"',
            fix="Set gateway.auth.password, or INSTAR_GATEWAY_PASSWORD.",
            path="gateway.auth.password",
        )
    known = read_running(config.state_dir)
    return known.token if known is not None and known.token else draw()


def _open_log(file: Path, *, clock: Clock, redactor: Redactor, is_verbose: bool) -> LogHandle:
    """The gateway's log: a file in the state directory, and standard error for whoever wants to watch."""
    make_private_folder(file.parent)
    settings = LogSettings(level="debug" if is_verbose else "info", console="text" if is_verbose else "off", file=file)
    return open_log(settings, clock=clock, redactor=redactor, is_default=True)


def _tell_start(log: Log, loaded: Loaded, *, is_new: bool, is_meant: bool, home: Path) -> None:
    """What was noticed about the configuration, and at the first start how to bring old sessions along (COMPAT-2).

    `is_meant` silences what is critical: the owner has said that it is meant so (WHY-5).
    """
    _tell_findings(log, loaded.warnings, is_meant=is_meant)
    if is_new:
        for folder in find_foreign_states(home):
            sys.stderr.write(
                f"instar: {folder} was found; `instar import openclaw {folder} --dry-run` shows its sessions.\n"
            )


def _tell_findings(log: Log, findings: Iterable[Finding], *, is_meant: bool) -> None:
    for finding in findings:
        if finding.severity == "critical" and is_meant:
            continue
        say = log.critical if finding.severity == "critical" else log.warning
        say("config_finding", code=finding.code, path=finding.path, text=str(finding))
        sys.stderr.write(f"instar: {build_redactor().text(str(finding))}\n")


def _store_path(config: Config) -> Path:
    """The database file (STORE-8). Raises `ConfigError` for an engine that this build does not have."""
    if config.store.path is None:
        raise ConfigError(
            "This build has no PostgreSQL engine",
            fix="Name a directory or sqlite:///path in session.store.",
            path="session.store",
        )
    return config.store.path


def _api_settings(config: Config, secret: str) -> ApiSettings:
    gateway = config.gateway
    is_token = gateway.auth_mode == "token"
    return ApiSettings(
        host=gateway.host,
        port=gateway.port,
        auth=AuthSettings(
            mode=gateway.auth_mode, token=secret if is_token else None, password=None if is_token else secret
        ),
        allowed_origins=gateway.allowed_origins,
    )


def _publish_address(config: Config, server: ApiServer, secret: str, *, stack: AsyncExitStack) -> None:
    """Say in the state directory where the gateway answers, for as long as it does."""
    is_password = config.gateway.auth_mode == "password"
    running = RunningGateway(
        url=server.url, token="" if is_password else secret, password=secret if is_password else "", pid=os.getpid()
    )
    write_running(config.state_dir, running)
    stack.callback(write_running, config.state_dir, replace(running, pid=None))


async def _warm_up(warm_up: Callable[[], Awaitable[None]], log: Log) -> None:
    """Import what providers need once callers are answered; a failure is told again by the first request."""
    try:
        await warm_up()
    except (ImportError, OSError) as error:
        log.warning("warm_up_failed", error=str(error))


async def _end_task(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
