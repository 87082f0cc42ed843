"""A configuration that follows its file, and never a bad one (CFG-2, CFG-12, WHY-5)."""

from __future__ import annotations

import hashlib
import os

import pytest

from instar.config.load import load_config
from instar.core.policy.redaction import build_redactor
from instar.errors import ConfigError, InvalidRequest
from instar.system.live_config import ConfigSource, LiveConfig, follow_config
from instar.testing.clock import ManualClock
from instar.testing.log import build_memory_log
from tests.builders.stories import story, until

GOOD = '{session: {dmScope: "per-peer"}} // mine\n'
UNSAFE = (
    '{session: {dmScope: "main"}, channels: {telegram: {type: "bridge", token: "t0ken-of-telegram", dmPolicy: "open"}}}'
)


class Live:
    """A file, the configuration that follows it, and its log."""

    def __init__(self, folder, text=GOOD, *, named=True, allow_unsafe=False):
        self.file = folder / "instar.json5"
        self.env = {"INSTAR_STATE_DIR": str(folder)}
        if text is not None:
            self.put(text)
        self.clock = ManualClock()
        self.log, self.sink = build_memory_log(clock=self.clock)
        path = self.file if named else None
        loaded = load_config(path, env=self.env, home=folder)
        source = ConfigSource(
            named=path, env=self.env, home=folder, finish=lambda config: config, allow_unsafe=allow_unsafe
        )
        self.config = LiveConfig(
            loaded.config, loaded, source, clock=self.clock, log=self.log, redactor=build_redactor()
        )

    def put(self, text):
        """Write the file so that it looks changed, however fast the test is."""
        stamp = self.file.stat().st_mtime_ns if self.file.exists() else 0
        self.file.write_text(text)
        os.utime(self.file, ns=(stamp + 10**9, stamp + 10**9))

    @property
    def scope(self):
        return self.config().routing.keys.dm_scope

    def events(self):
        return [event["event"] for event in self.sink.events]


@story
async def test_a_good_edit_holds_and_a_file_that_stands_still_is_not_read(tmp_path):
    live = Live(tmp_path)
    await live.config.look()
    assert (live.scope, live.events()) == ("per-peer", [])
    live.put('{session: {dmScope: "per-channel-peer"}}')
    await live.config.look()
    assert live.scope == "per-channel-peer"
    assert live.events() == ["config_loaded"]
    await live.config.look()
    assert live.events() == ["config_loaded"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{session: {dmScope: ", "line"),
        ('{session: {dmScope: "everybody"}}', "session.dmScope"),
        ('{session: {maintenance: "x"}}', "session.maintenance"),
        (UNSAFE, "dmPolicy"),
    ],
)
def test_a_bad_edit_keeps_the_last_good_one_and_says_why(tmp_path, text, why):
    @story
    async def play():
        live = Live(tmp_path)
        live.put(text)
        await live.config.look()
        # It may be half of a good one.
        assert (live.events(), live.config.state().problem) == ([], None)
        await live.config.look()
        assert live.scope == "per-peer"
        assert live.events() == ["config_refused"]
        state = live.config.state()
        assert why in state.problem or str(live.file) in state.problem
        assert state.config["session"] == {"dmScope": "per-peer"}
        await live.config.look()
        assert live.events() == ["config_refused"]
        live.put('{session: {dmScope: "per-account-channel-peer"}}')
        await live.config.look()
        assert live.scope == "per-account-channel-peer"
        assert live.config.state().problem is None

    play()


@story
async def test_half_a_file_is_not_told_when_the_rest_comes_at_once(tmp_path):
    live = Live(tmp_path)
    live.put("{session: {")
    await live.config.look()
    live.put('{session: {dmScope: "main"}}')
    await live.config.look()
    assert (live.scope, live.events()) == ("main", ["config_loaded"])


@story
async def test_a_file_that_vanishes_takes_no_setting_with_it(tmp_path):
    for named in (True, False):
        live = Live(tmp_path, named=named)
        live.file.unlink()
        await live.config.look()
        await live.config.look()
        assert live.scope == "per-peer"
        assert "gone" in live.config.state().problem or "no such file" in live.config.state().problem
        live.put(GOOD)
        await live.config.look()
        assert live.config.state().problem is None


@story
async def test_a_file_that_appears_later_holds(tmp_path):
    live = Live(tmp_path, None, named=False)
    await live.config.look()
    assert (live.scope, live.config.state().exists, live.events()) == ("main", False, [])
    live.put(GOOD)
    await live.config.look()
    assert (live.scope, live.config.state().exists) == ("per-peer", True)


@story
async def test_what_is_never_meant_may_be_allowed(tmp_path):
    live = Live(tmp_path, allow_unsafe=True)
    live.put(UNSAFE)
    await live.config.look()
    assert live.scope == "main"
    assert live.events()[0] == "config_loaded"
    assert "config_warning" in live.events()
    assert live.config.state().waiting == ("channels",)


@story
async def test_the_background_looks_twice_a_second_and_survives_a_defect(tmp_path):
    live = Live(tmp_path)

    async def settle():
        """Let the look that is due be over: each is in a thread."""
        await until(lambda: live.clock.sleepers == 1)

    async with follow_config(live.config, clock=live.clock):
        await live.clock.run_for(0.4, settle=settle)
        live.put('{session: {dmScope: "main"}}')
        await live.clock.run_for(0.5, settle=settle)
        assert live.scope == "main"
        broken, live.config.look = live.config.look, None
        await live.clock.run_for(0.5, settle=settle)
        assert live.events()[-1] == "job_failed"
        live.config.look = broken
        live.put(GOOD)
        await live.clock.run_for(0.5, settle=settle)
        assert live.scope == "per-peer"


@story
async def test_a_change_by_a_caller_holds_at_once_and_keeps_the_comments(tmp_path):
    live = Live(tmp_path)
    before = live.config.state()
    assert before.text_hash == hashlib.sha256(GOOD.encode()).hexdigest()
    state = await live.config.write(
        lambda text: text.replace("per-peer", "main"), base_hash=before.text_hash, who="operator"
    )
    assert live.scope == "main"
    assert live.file.read_text() == GOOD.replace("per-peer", "main")
    assert state.text_hash != before.text_hash
    assert live.events() == ["config_written", "config_loaded"]
    await live.config.look()
    assert live.events() == ["config_written", "config_loaded"]


@story
async def test_a_change_of_another_text_or_for_the_worse_is_refused(tmp_path):
    live = Live(tmp_path)
    with pytest.raises(InvalidRequest, match="changed meanwhile"):
        await live.config.write(lambda text: text, base_hash="other", who="operator")
    for text in (UNSAFE, "{", '{session: {dmScope: "x"}}'):
        with pytest.raises(ConfigError):
            await live.config.write(lambda _old, new=text: new, base_hash=None, who="operator")
    assert live.file.read_text() == GOOD
    assert (live.scope, live.events()) == ("per-peer", [])


@story
async def test_the_state_holds_no_secret(tmp_path):
    live = Live(tmp_path, '{gateway: {auth: {token: "a-very-secret-token"}}}')
    assert "a-very-secret-token" not in str(live.config.state())
    assert live.config.schema()["uiHints"]
