"""The server: one port for WebSocket and HTTP (GW-1), from bind to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute

from instar.api.attempts import AttemptGuard, Attempts
from instar.api.auth import check_bind
from instar.api.beacons import Beacons
from instar.api.call import Services
from instar.api.dispatch import Dispatcher
from instar.api.http import Pages, SecurityHeaders, answer_error
from instar.api.hub import Hub
from instar.api.pages import KnownHosts, SignInPages, cookie_name
from instar.api.patience import HEAD_MAX_BYTES, PatientHttp, ShortHeads
from instar.api.port import GatewayPort
from instar.api.rpc import RpcDoor
from instar.api.server_log import follow_server_log
from instar.api.settings import ApiSettings
from instar.api.signin import SignIns
from instar.api.socket import GatewaySocket
from instar.api.ws import SocketDoor
from instar.core.policy.redaction import Redactor
from instar.errors import ConfigError
from instar.ports.clock import Clock
from instar.ports.http_channel import AsgiApp
from instar.ports.ids import IdSource
from instar.ports.operator import Auditor, ConfigKeeper, LogReader, NoAuditor, NoConfig, NoLog

__all__ = ["ApiServer", "build_app"]

FLUSH_S: Final = 1.0
"""How long a stop waits for clients to take their last events."""

GRACE_S: Final = 5
"""How long a stop waits for requests in flight."""

log = structlog.get_logger(__name__)


class ApiServer:
    """One listening server. Use it as an async context manager: entering binds and serves, leaving says goodbye."""

    def __init__(
        self,
        settings: ApiSettings,
        gateway: GatewayPort,
        *,
        clock: Clock,
        ids: IdSource,
        config: ConfigKeeper | None = None,
        logs: LogReader | None = None,
        auditor: Auditor | None = None,
        redactor: Redactor | None = None,
        mounts: Mapping[str, AsgiApp] | None = None,
    ) -> None:
        check_bind(settings)
        self._settings = settings
        self._gateway = gateway
        self.hub = Hub(clock, settings.limits, gateway.owners)
        self._beacons = Beacons(self.hub, gateway, clock, settings.limits)
        signins = SignIns(clock, ids, is_revoked=self.hub.is_revoked)
        attempts = Attempts(settings.limits, clock=clock)
        services = Services(
            gateway=gateway,
            clock=clock,
            ids=ids,
            config=config or NoConfig(),
            logs=logs or NoLog(),
            auditor=auditor or NoAuditor(),
            redactor=redactor or Redactor(),
            signins=signins,
        )
        door = SocketDoor(
            settings=settings,
            services=services,
            dispatcher=Dispatcher(services, attempts),
            hub=self.hub,
            beacons=self._beacons,
            attempts=attempts,
        )
        self._app = build_app(door, mounts or {}, signins=signins)
        self._group = asyncio.TaskGroup()
        self._listener: socket.socket | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def port(self) -> int:
        """The port that is bound, also when the settings asked for any (0)."""
        return self._settings.port if self._listener is None else int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Where clients connect."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"ws://{host}:{self.port}/"

    async def __aenter__(self) -> Self:
        """Bind, then serve. Raises `ConfigError` when the address cannot be bound."""
        follow_server_log()
        self._listener = _bind(self._settings)
        await self._group.__aenter__()
        self._unsubscribe = self._gateway.events.subscribe(self.hub.listen)
        self._server = _Server(_uvicorn_config(self._app, self._settings))
        self._telling = self._group.create_task(self._tell())
        self._serving = self._group.create_task(self._server.serve(sockets=[self._listener]))
        await self._server.is_up.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop as `stop` does."""
        await self.stop("shutdown")
        # Without the error that leaves the block: a task group would wrap it, and whoever raised it knows it as it is.
        await self._group.__aexit__(None, None, None)

    async def _tell(self) -> None:
        """Tell clients what there is to tell, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self._beacons.run())

    async def stop(self, reason: str, *, restart_expected_ms: int | None = None) -> None:
        """Tell the clients, close every connection, free the port. May be called twice (GW-15)."""
        if self._server is None or self._server.should_exit:
            return
        self.hub.announce_shutdown(reason, restart_expected_ms=restart_expected_ms)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self.hub.flush()
        self._unsubscribe()
        self._server.should_exit = True
        self._server.may_end.set()
        if self._serving is not None:
            await self._serving
        if self._telling is not None:
            self._telling.cancel()


def build_app(door: SocketDoor, mounts: Mapping[str, AsgiApp], *, signins: SignIns) -> Starlette:
    """The ASGI application: sockets and pages at the root, channels below ``/channels/<name>``."""
    pages = Pages(
        door.services.gateway.facts,
        is_closing=lambda: door.hub.is_closing,
        find_signin=lambda request: signins.find(request.cookies.get(cookie_name(request))),
    )
    rpc = RpcDoor(settings=door.settings, services=door.services, dispatcher=door.dispatcher)
    entrance = SignInPages(signins, door.attempts, door.settings)
    return Starlette(
        routes=[
            Route("/health", pages.health),
            Route("/healthz", pages.health),
            Route("/control-ui-config.json", pages.control_ui_config),
            Route("/__openclaw/control-ui-config.json", pages.control_ui_config),
            *(Mount(f"/channels/{name}", app=app) for name, app in mounts.items()),
            Route("/", pages.welcome),
            Route("/rpc", rpc.serve, methods=["POST"]),
            Route("/signin", entrance.sign_in, methods=["GET"]),
            Route("/signout", entrance.sign_out, methods=["POST"]),
            WebSocketRoute("/", door.serve),
            WebSocketRoute("/ws", door.serve),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(ShortHeads),
            Middleware(KnownHosts, settings=door.settings),
            Middleware(AttemptGuard, attempts=door.attempts),
        ],
        exception_handlers={HTTPException: answer_error},
    )


_WAYS_OUT: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "Stop the program that uses this port, or choose another with --port or gateway.port.",
    errno.EACCES: "Ports below 1024 belong to the system; choose another with --port or gateway.port.",
}
"""What to do when the system does not let a gateway listen, by its reason."""


def _bind(settings: ApiSettings) -> socket.socket:
    """A listening socket, or a `ConfigError` that says who to ask."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {settings.host}:{settings.port}",
            # Not `strerror`: Python adds the address to it, as a tuple.
            why=str(error) if error.errno is None else os.strerror(error.errno).lower(),
            fix=_WAYS_OUT.get(error.errno or 0, "Name another address with --bind or gateway.bind."),
            path="gateway.port",
        ) from error


def _uvicorn_config(app: Starlette, settings: ApiSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PatientHttp,
        h11_max_incomplete_event_size=HEAD_MAX_BYTES,
        ws=GatewaySocket,
        ws_max_size=settings.limits.frame_max_bytes,
        ws_per_message_deflate=False,  # a few bytes that unpack to gigabytes; and events are small
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody in front may say who a client is
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: signals belong to the composition root."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.may_end = asyncio.Event()

    async def main_loop(self) -> None:
        """Renew the Date header each second until told to end, and then end at once."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.may_end.wait(), timeout=1.0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say when that is done."""
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
