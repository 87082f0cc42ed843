"""What a browser may and may not do: own origin, known name, a link that works once, a cookie (LEAK-9, GW-11)."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from instar.api.server import ApiServer
from tests.builders.wire import Client, build_connect, open_client, open_server, run_story


@dataclass(frozen=True)
class Page:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def cookie(self) -> str:
        """``name=value`` of the cookie that was set."""
        return self.headers["set-cookie"].split(";")[0]


async def ask(server: ApiServer, method: str, path: str, **headers: str) -> Page:
    def talk() -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return Page(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    return await asyncio.to_thread(talk)


def own(server: ApiServer) -> str:
    return f"http://127.0.0.1:{server.port}"


async def sign_in(server: ApiServer, **changes: Any) -> str:
    """The cookie of a browser that has opened a link."""
    async with open_client(server, **changes) as client:
        link = await client.ask("dashboard.link")
    page = await ask(server, "GET", link["path"])
    assert page.status == 303
    return page.cookie


async def open_with_cookie(server: ApiServer, cookie: str, *, origin: str | None) -> dict[str, Any]:
    """The answer to a `connect` that shows nothing but a cookie."""
    headers = {"Cookie": cookie} | ({"Origin": origin} if origin else {})
    async with connect(server.url, additional_headers=headers, compression=None) as socket:
        client = Client(socket)
        await client.receive()
        return await client.call("connect", build_connect(auth=None))


def test_a_link_opens_once_and_leaves_no_secret_in_the_address() -> None:
    async def story() -> None:
        async with open_server() as (server, _), open_client(server) as client:
            link = await client.ask("dashboard.link")
            assert link["expiresInMs"] == 60_000
            page = await ask(server, "GET", link["path"])
            assert (page.status, page.headers["location"]) == (303, "/")
            facts = {part.strip().lower() for part in page.headers["set-cookie"].split(";")[1:]}
            assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= facts
            assert "secure" not in facts
            assert (await ask(server, "GET", link["path"])).status == 403, "the second time it is used"
            home = await ask(server, "GET", "/", Cookie=page.cookie)
            assert "signed in as the owner" in home.body
            assert page.cookie.split("=")[1] not in home.body
            assert "not signed in" in (await ask(server, "GET", "/")).body
            assert "not signed in" in (await ask(server, "GET", "/", Cookie="instar-1=x; session=y")).body

    run_story(story)


def test_another_site_signs_nobody_in() -> None:
    async def story() -> None:
        async with open_server() as (server, _), open_client(server) as client:
            link = await client.ask("dashboard.link")
            for site in ("cross-site", "same-site"):
                page = await ask(server, "GET", link["path"], Sec_Fetch_Site=site)
                assert (page.status, "set-cookie" in page.headers) == (403, False)
                assert "copy the link into the address bar" in page.body
            assert (await ask(server, "GET", link["path"], Sec_Fetch_Site="none")).status == 303

    run_story(story)


def test_behind_tls_the_cookie_stays_there() -> None:
    async def story() -> None:
        async with open_server() as (server, _), open_client(server) as client:
            link = await client.ask("dashboard.link")
            page = await ask(server, "GET", link["path"], X_Forwarded_Proto="https")
            assert "; secure" in page.headers["set-cookie"].lower()

    run_story(story)


def test_a_cookie_opens_a_socket_for_the_page_of_this_gateway_only() -> None:
    async def story() -> None:
        async with open_server(allowed_origins=("http://friend.example", "*")) as (server, _):
            cookie = await sign_in(server)
            assert (await open_with_cookie(server, cookie, origin=own(server)))["ok"] is True
            for origin in ("http://friend.example", "http://evil.example", f"http://127.0.0.1:{server.port + 1}", None):
                answer = await open_with_cookie(server, cookie, origin=origin)
                assert answer["ok"] is False, origin
                assert answer["error"]["details"]["authReason"] == "token_missing"
        async with open_server() as (server, _):
            cookie = await sign_in(server)
            with pytest.raises(InvalidStatus):
                await open_with_cookie(server, cookie, origin="http://evil.example")

    run_story(story)


def test_a_cookie_allows_what_its_link_was_asked_with_and_no_more() -> None:
    async def story() -> None:
        async with open_server() as (server, _):
            cookie = await sign_in(server, scopes=["operator.read"])
            answer = await open_with_cookie(server, cookie, origin=own(server))
            assert answer["payload"]["auth"]["scopes"] == ["operator.read"]

    run_story(story)


def test_signing_out_ends_the_cookie_and_its_sockets() -> None:
    async def story() -> None:
        async with open_server() as (server, _):
            cookie = await sign_in(server)
            headers = {"Cookie": cookie, "Origin": own(server)}
            async with open_client(server, headers=headers, auth=None) as client:
                refused = await ask(server, "POST", "/signout", Cookie=cookie, Origin="http://evil.example")
                assert refused.status == 403
                assert (await ask(server, "POST", "/signout", Cookie=cookie)).status == 403, "no origin at all"
                assert (await client.ask("health"))["ok"] is True
                done = await ask(server, "POST", "/signout", Cookie=cookie, Origin=own(server))
                assert done.status == 303
                assert "max-age=0" in done.headers["set-cookie"].lower()
                assert (await client.closed())[1] == "signed out"
            assert (await open_with_cookie(server, cookie, origin=own(server)))["ok"] is False
            assert (await ask(server, "GET", "/signout", Cookie=cookie)).status == 405

    run_story(story)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:18789", 200),
        ("localhost", 200),
        ("[::1]:18789", 200),
        ("192.0.2.7", 200),
        ("gateway.example:8443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_pages_are_served_under_the_names_of_this_gateway_only(host: str, status: int) -> None:
    async def story() -> None:
        async with open_server(allowed_origins=("https://gateway.example:8443",)) as (server, _):
            for path in ("/", "/signin?code=x", "/control-ui-config.json"):
                answer = await ask(server, "GET", path, Host=host)
                expected = 403 if status == 200 and path.startswith("/signin") else status
                assert answer.status == expected, path
            assert (await ask(server, "GET", "/healthz", Host=host)).status == 200
            assert (await ask(server, "GET", "/", Host=host, Authorization="Bearer x")).status == 200

    run_story(story)


def test_every_answer_carries_the_headers_that_keep_other_sites_out() -> None:
    async def story() -> None:
        async with open_server() as (server, _):
            for method, path in (("GET", "/"), ("GET", "/signin"), ("POST", "/signout"), ("GET", "/no"), ("PUT", "/")):
                page = await ask(server, method, path)
                policy = page.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert page.headers["x-content-type-options"] == "nosniff"
                assert page.headers["x-frame-options"] == "DENY"
                assert page.headers["referrer-policy"] == "no-referrer"
                assert page.headers["cross-origin-opener-policy"] == "same-origin"
                assert page.headers["cross-origin-resource-policy"] == "same-origin"
                assert page.headers["cache-control"] == "no-store"
                assert not any(name.startswith("access-control-") for name in page.headers)

    run_story(story)


def test_a_token_in_an_address_opens_nothing() -> None:
    async def story() -> None:
        from tests.builders.wire import TOKEN

        async with open_server() as (server, _), connect(f"{server.url}?token={TOKEN}", compression=None) as socket:
            client = Client(socket)
            await client.receive()
            answer = await client.call("connect", build_connect(auth=None))
            assert answer["ok"] is False
            assert json.dumps(answer).count(TOKEN) == 0

    run_story(story)
