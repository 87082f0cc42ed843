"""Which database and which files beside it (STORE-1, STORE-2, STORE-8, STORE-9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.sections.store import StoreSettings, parse_store
from instar.errors import ConfigError


def parse(store: object = None, mirror: object = None) -> StoreSettings:
    root = {"session": {"store": store, "mirror": mirror}}
    return parse_store(root, state_dir=Path("/state"), home=Path("/house"))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (None, "/state/instar.db"),
        ("/var/lib/instar", "/var/lib/instar/instar.db"),
        ("~/data", "/house/data/instar.db"),
        ("data", "/state/data/instar.db"),
        ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:///~/x.db", "/house/x.db"),
        ("SQLite://x.db", "/state/x.db"),
        ("sqlite:///a%20b.db?mode=rw", "/a b.db"),
    ],
)
def test_a_directory_or_a_file_holds_the_database(text, path):
    found = parse(text)
    assert (found.engine, found.path, found.mirror, found.mirror_template) == ("sqlite", Path(path), "on", None)


@pytest.mark.parametrize("text", ["~/.x/agents/{agentId}/sessions/sessions.json", "/x/sessions.json"])
def test_the_template_of_the_seeds_is_the_place_of_the_mirror(text):
    found = parse(text)
    assert (found.path, found.mirror_template) == (Path("/state/instar.db"), text)


@pytest.mark.parametrize("name", [".openclaw", ".clawdbot", ".moltbot"])
def test_nothing_is_written_where_openclaw_keeps_its_own(name):
    text = f"~/{name}/agents/{{agentId}}/sessions/sessions.json"
    found = parse(text)
    assert (found.path, found.mirror) == (Path("/state/instar.db"), "on")
    assert (found.mirror_template, found.foreign_template) == (None, text)
    for store in (f"/house/{name}", f"~/{name}/x", f"sqlite:///~/{name}/x.db"):
        with pytest.raises(ConfigError, match=r"session\.store: The database would lie"):
            parse(store)


def test_a_state_directory_that_was_put_there_on_purpose_is_used():
    root = {"session": {"store": "data"}}
    found = parse_store(root, state_dir=Path("/house/.openclaw/instar"), home=Path("/house"))
    assert found.path == Path("/house/.openclaw/instar/data/instar.db")


@pytest.mark.parametrize("text", ["postgresql://u:pw@h/db", "postgres://h/db"])
def test_an_address_names_a_shared_database_without_a_mirror(text):
    found = parse(text)
    assert (found.engine, found.url, found.path, found.mirror) == ("postgres", text, None, "off")
    assert "pw" not in repr(found)


@pytest.mark.parametrize(("mirror", "expected"), [(True, "on"), (False, "off"), ("per-key", "per-key")])
def test_the_mirror_may_be_chosen(mirror, expected):
    assert parse(None, mirror).mirror == expected
    assert parse("postgresql://h/db", mirror).mirror == expected


@pytest.mark.parametrize(
    ("store", "mirror", "path"),
    [
        ("mysql://h/db", None, "session.store"),
        ("sqlite:///", None, "session.store"),
        (5, None, "session.store"),
        (None, "some", "session.mirror"),
        (None, 1, "session.mirror"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_path(store, mirror, path):
    with pytest.raises(ConfigError) as caught:
        parse(store, mirror)
    assert caught.value.path == path
