"""Where the gateway listens and what callers must know (GW-1, GW-8, GW-11, WHY-5)."""

from __future__ import annotations

import pytest

from instar.config.sections.gateway import GatewaySettings, is_loopback, parse_gateway
from instar.errors import ConfigError

EVERYWHERE = "0.0.0.0"  # noqa: S104  compared, not bound


def parse(fields: object = None, **env: str) -> GatewaySettings:
    return parse_gateway({"gateway": fields}, env=env)


def test_nothing_set_listens_on_this_machine_only():
    found = parse()
    assert (found.host, found.port, found.auth_mode, found.secret) == ("127.0.0.1", 18789, "token", None)
    assert (found.allowed_origins, found.base_path, found.allow_unsafe) == ((), "/", False)


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"bind": "loopback"}, "127.0.0.1"),
        ({"bind": "LAN"}, EVERYWHERE),
        ({"bind": "localhost"}, "127.0.0.1"),
        ({"bind": "192.168.1.5"}, "192.168.1.5"),
        ({"bind": "[::1]"}, "::1"),
        ({"bind": "custom", "customBindHost": "10.0.0.1"}, "10.0.0.1"),
    ],
)
def test_the_address_is_a_word_or_an_address(fields, host):
    assert parse(fields).host == host


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), (EVERYWHERE, False)]
)
def test_loopback_is_told_from_the_rest(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"bind": "example.org"}, "gateway.bind"),
        ({"bind": "custom"}, "gateway.customBindHost"),
        ({"port": 65536}, "gateway.port"),
        ({"port": -1}, "gateway.port"),
        ({"port": "18789"}, "gateway.port"),
        ({"auth": {"mode": "none"}}, "gateway.auth.mode"),
        ({"auth": {"token": 5}}, "gateway.auth.token"),
        ({"allowUnsafe": "yes"}, "gateway.allowUnsafe"),
        ([], "gateway"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_path(fields, path):
    with pytest.raises(ConfigError) as caught:
        parse(fields)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("auth", "env", "mode", "secret"),
    [
        ({"token": "a"}, {"INSTAR_GATEWAY_TOKEN": "b"}, "token", "a"),
        ({}, {"INSTAR_GATEWAY_TOKEN": "b", "OPENCLAW_GATEWAY_TOKEN": "c"}, "token", "b"),
        ({}, {"OPENCLAW_GATEWAY_TOKEN": "c"}, "token", "c"),
        ({"mode": "password"}, {"OPENCLAW_GATEWAY_PASSWORD": "d"}, "password", "d"),
        ({"mode": "password"}, {"INSTAR_GATEWAY_PASSWORD": "e"}, "password", "e"),
        ({"password": "f"}, {}, "password", "f"),
        ({"password": "f", "token": "g"}, {}, "token", "g"),
        ({"mode": "token", "password": "f"}, {}, "token", None),
        ({"token": "${MINE}"}, {"MINE": "h"}, "token", "h"),
    ],
)
def test_the_secret_is_in_the_file_or_in_the_environment(auth, env, mode, secret):
    found = parse({"auth": auth}, **env)
    assert (found.auth_mode, found.secret) == (mode, secret)


def test_secrets_are_not_printed():
    assert "hunter2" not in repr(parse({"auth": {"token": "hunter2", "password": "hunter2"}}))


@pytest.mark.parametrize(("text", "expected"), [("ui", "/ui/"), ("/a/b/", "/a/b/"), ("//", "/"), (None, "/")])
def test_the_base_path_begins_and_ends_with_a_slash(text, expected):
    assert parse({"controlUi": {"basePath": text}}).base_path == expected


def test_origins_may_stand_in_two_places():
    assert parse({"allowedOrigins": ["https://a"]}).allowed_origins == ("https://a",)
    fields = {"allowedOrigins": ["https://a"], "controlUi": {"allowedOrigins": ["https://b"]}}
    assert parse(fields).allowed_origins == ("https://b",)


def test_port_zero_takes_a_free_one():
    assert parse({"port": 0}).port == 0
