"""A file and the environment to one configuration (CFG-1, CFG-2, COMPAT-3); errors name their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.load import list_problems, load_config, parse_text
from instar.errors import ConfigError

HOME = Path("/house")


def fault(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_text(text, file="my.json5", env={}, home=HOME)
    return caught.value


def test_without_a_file_everything_is_default(tmp_path):
    loaded = load_config(None, env={}, home=tmp_path)
    assert (loaded.path, loaded.warnings) == (None, ())
    assert loaded.config.gateway.port == 18789
    assert loaded.config.state_dir == tmp_path / ".instar"
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_the_state_directory_is_read(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    file = state / "instar.json5"
    file.write_text("{gateway: {port: 5}, // mine\n}", encoding="utf-8")
    loaded = load_config(None, env={"INSTAR_STATE_DIR": str(state)}, home=tmp_path)
    assert (loaded.path, loaded.config.gateway.port) == (file, 5)


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_file_that_is_named_must_exist(tmp_path, by):
    file = tmp_path / "none.json5"
    with pytest.raises(ConfigError, match="There is no such file") as caught:
        load_config(
            file if by == "argument" else None,
            env={} if by == "argument" else {"INSTAR_CONFIG": str(file)},
            home=tmp_path,
        )
    assert caught.value.file == str(file)


def test_a_byte_order_mark_is_no_harm(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"\xef\xbb\xbf{\n  dmScope: 5}")
    with pytest.raises(ConfigError) as caught:
        load_config(file, env={}, home=tmp_path)
    assert (caught.value.line, caught.value.column) == (2, 12)


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"{a: '\xff'}", 1, 6), ("{\n é: '".encode() + b"\xe9'}", 2, 6), ("{}".encode("utf-16"), 1, 1)],
)
def test_a_file_that_is_not_utf8_is_told_with_the_place(tmp_path, data, line, column):
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        load_config(file, env={}, home=tmp_path)
    assert (caught.value.line, caught.value.column, caught.value.file) == (line, column, str(file))
    assert file.read_bytes() == data


def test_a_file_of_ten_megabytes_is_not_read(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b" " * (10 * 1024 * 1024))
    with pytest.raises(ConfigError, match="too large: more than 4 MiB"):
        load_config(file, env={}, home=tmp_path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config(tmp_path, env={}, home=tmp_path)
    assert caught.value.why


@pytest.mark.parametrize(
    ("text", "path", "line", "column"),
    [
        ('{\n  session: {\n    dmScope: "everyone",\n  },\n}', "session.dmScope", 3, 14),
        ('{\n  dmScope: "everyone",\n}', "session.dmScope", 2, 12),
        ("{\n  agent: {\n    model: 5 } }", "agents.defaults.model", 3, 12),
        ("{session: {\n mainKey: /* a word */ 'cron'}}", "session.mainKey", 2, 24),
        ("{bindings: [{}, {match: {\n  channel: 5}}]}", "bindings[1].match.channel", 2, 12),
        ("{agents: {list: [{id: 'a'},\n {}]}}", "agents.list[1]", 2, 2),
        ("{channels: {\n  cron: {type: 'bridge'}}}", "channels.cron", 2, 9),
        ("{channels: {\n  pigeon: {type: 'bridge'}}}", "channels.pigeon.token", 2, 11),
        ("{channels: {irc: {\n  dmPolicy: 'sometimes'}}}", "channels.irc.dmPolicy", 2, 13),
        (
            "{channels: {irc: {\n  groups: {'#x': {activation: 'never'}}}}}",
            'channels.irc.groups["#x"].activation',
            2,
            31,
        ),
        ("{gateway: {\n  port: NaN}}", "gateway.port", 2, 9),
        ("{gateway: {\n  port: 1e9}}", "gateway.port", 2, 9),
        ("{models: {providers: {x: {\n  baseUrl: 5}}}}", "models.providers.x.baseUrl", 2, 12),
        ("{messages: {queue: {\n  mode: 'parallel'}}}", "messages.queue.mode", 2, 9),
        ("{commands: {\n  ownerAllowFrom: 'me'}}", "commands.ownerAllowFrom", 2, 19),
        ("{session: {\n  resetTriggers: '/new'}}", "session.resetTriggers", 2, 18),
        ("{session: {store:\n  'mysql://x'}}", "session.store", 2, 3),
        ("{hooks: {\n  enabled: 'yes'}}", "hooks.enabled", 2, 12),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_place(text, path, line, column):
    error = fault(text)
    assert (error.path, error.line, error.column, error.file) == (path, line, column, "my.json5")
    assert str(error).startswith(f"my.json5:{line}:{column}: {path}: ")


def test_a_text_that_cannot_be_read_is_told_with_its_place():
    error = fault("{\n  session: {\n    dmScope main\n}}")
    assert (error.line, error.column) == (3, 13)


def test_a_quick_look_leaves_settings_alone_that_nobody_reads():
    text = "{hooks: {enabled: 'yes'}, colour: 5}"
    assert parse_text(text, env={}, home=HOME, thorough=False).warnings == ()
    with pytest.raises(ConfigError):
        parse_text(text, env={}, home=HOME)


def test_unknown_names_are_warnings_with_their_place():
    loaded = parse_text("{session: {\n  dmScop: 'main'},\n wizard: {}}", file="f", env={}, home=HOME)
    assert [str(each) for each in loaded.warnings] == [
        'f:2:3: session.dmScop: There is no such setting; it is ignored. Did you mean "dmScope"?',
        "f:3:2: wizard: There is no such setting; it is ignored. Take it away, or look for its name in the reference.",
    ]


def test_names_that_stand_twice_are_warnings_and_the_later_counts():
    loaded = parse_text("{session: {mainKey: 'a',\n mainKey: 'b'}, bindings: [], bindings: []}", env={}, home=HOME)
    assert loaded.config.routing.keys.main_key == "b"
    assert [(each.code, each.path, each.line) for each in loaded.warnings] == [
        ("duplicate-name", "session.mainKey", 2),
        ("duplicate-name", "bindings", 2),
    ]


def test_all_problems_are_listed_at_once():
    text = "{session: {dmScope: 5, mainKey: 6}, gateway: {port: 'x'}, colour: 1, channels: {irc: {dmPolicy: 'open'}}}"
    errors, _ = list_problems(text, file="f", env={}, home=HOME)
    assert [error.path for error in errors] == ["session.dmScope", "session.mainKey", "gateway.port"]
    errors, found = list_problems(
        "{colour: 1, channels: {irc: {dmPolicy: 'open'}}, hooks: {enabled: 5}}", env={}, home=HOME
    )
    assert [error.path for error in errors] == ["hooks.enabled"]
    assert [each.code for each in found] == ["unknown-name", "later", "open-main"]


def test_a_value_that_cannot_be_used_hides_no_other_and_no_unknown_name():
    text = """{
      session: {dmScope: "everyone", reset: {mode: 5}, typo: 1},
      gateway: {port: 1, port: "x", bind: "moon"},
      bindings: [{match: {channel: 5}}, {match: {channel: 6}}],
      channels: {phone: {type: "telephone"}, irc: {dmPolicy: "sometimes"}},
    }"""
    errors, found = list_problems(text, file="f", env={}, home=HOME)
    assert [(error.path, error.line) for error in errors] == [
        ("session.dmScope", 2),
        ("session.reset.mode", 2),
        ("gateway.port", 3),
        ("gateway.bind", 3),
        ("bindings[0].match.channel", 4),
        ("bindings[1].match.channel", 4),
        ("channels.irc.dmPolicy", 5),
    ]
    assert [(each.code, each.path, each.line) for each in found] == [
        ("duplicate-name", "gateway.port", 3),
        ("unknown-name", "session.typo", 2),
    ]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{agents: {list: [{id: 'a'}, {}, {id: 'b'}]}, gateway: {bind: 'moon'}}", ["agents.list[1]"]),
        ("{channels: {pigeon: {type: 'bridge'}}, gateway: {bind: 'moon'}}", ["channels.pigeon.token"]),
    ],
    ids=["an item of a list", "what is missing"],
)
def test_what_cannot_be_taken_out_is_told_last(text, paths):
    errors, _ = list_problems(text, env={}, home=HOME)
    assert [error.path for error in errors] == paths


@pytest.mark.parametrize(("text", "path"), [("{", ""), ("{dmScope: 'x'}", "session.dmScope")])
def test_what_stops_everything_is_the_one_problem(text, path):
    errors, found = list_problems(text, env={}, home=HOME)
    assert [error.path for error in errors] == [path]
    assert found == ()


def test_an_openclaw_file_is_read_with_warnings_at_most():
    text = """{
      // from an older installation
      meta: { lastTouchedVersion: "2026.1.24" },
      gateway: { mode: "local", port: 18789, bind: "loopback", auth: { mode: "token", token: "abc" } },
      agents: {
        defaults: { workspace: "~/clawd", model: { primary: "anthropic/claude-sonnet-4-5" }, maxConcurrent: 4 },
        list: [{ id: "main", default: true, identity: { name: "Clawd", emoji: "🦞" } }],
      },
      channels: {
        telegram: { enabled: true, dmPolicy: "pairing", botToken: "1:x", groups: { "*": { requireMention: true } } },
        discord: { token: "y", dm: { policy: "allowlist", allowFrom: ["1"] }, guilds: {} },
        whatsapp: { allowFrom: ["+15555550123"], groupPolicy: "disabled" },
      },
      session: { dmScope: "per-channel-peer", reset: { mode: "daily", atHour: 4 } },
      messages: { queue: { mode: "steer", debounceMs: 500, cap: 20, drop: "summarize" } },
      hooks: { enabled: false },
      cron: { enabled: true },
      wizard: { lastRunAt: "2026-01-24T00:00:00Z" },
    }"""
    loaded = parse_text(text, env={}, home=HOME)
    assert not [each for each in loaded.warnings if each.severity == "critical"]
    assert {each.path for each in loaded.warnings if each.code == "unknown-name"} == {"meta", "wizard"}
    config = loaded.config
    assert config.access("discord").dm_policy == "allowlist"
    assert config.access("whatsapp").group_policy == "off"
    assert config.workspace("main") == "/house/clawd"
    assert config.gateway.token == "abc"
