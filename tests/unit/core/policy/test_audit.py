"""The security audit: each row of the table, what silences it, and what a person can paste."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.ids import ChannelName, SessionKey
from instar.core.policy.access import NOBODY, AccessSettings, AllowList, build_allow_list
from instar.core.policy.audit import AuditReport, audit
from instar.core.policy.audit_facts import (
    AuditFacts,
    AuditFinding,
    ChannelFacts,
    FileFacts,
    GatewayFacts,
    HooksFacts,
    Meeting,
    Noticed,
)
from instar.core.policy.audit_host import tight_mode
from instar.core.routing.identity import IdentityGroup, build_links

GOOD = AuditFacts(gateway=GatewayFacts(secret_chars=43))
HOOKS = HooksFacts(enabled=True, token_chars=32, default_session_key="hook:ingress")
FOLDER, FILE = 0o040000, 0o100000


def allow(*ids: str, channel: str = "telegram") -> AllowList:
    return build_allow_list(ids, channel=ChannelName(channel)) if ids else NOBODY


def channel(
    name: str = "telegram",
    *ids: str,
    policy: str = "pairing",
    groups: str = "pairing",
    shares_main: bool = True,
    **facts: object,
) -> ChannelFacts:
    access = AccessSettings(
        channel=ChannelName(name),
        dm_policy=policy,  # type: ignore[arg-type]  tests name policies by their words
        group_policy=groups,  # type: ignore[arg-type]  the same
        allow_from=allow(*ids, channel=name),
    )
    return ChannelFacts(
        name=ChannelName(name),
        path=f"channels.{name}",
        access=access,
        shares_main=shares_main,
        **facts,  # type: ignore[arg-type]  a builder
    )


def with_channels(*channels: ChannelFacts) -> AuditFacts:
    return replace(GOOD, channels=channels)


def with_hooks(*, loopback: bool = True, **facts: object) -> AuditFacts:
    return replace(
        GOOD,
        gateway=replace(GOOD.gateway, is_loopback=loopback),
        hooks=replace(HOOKS, **facts),  # type: ignore[arg-type]  a builder
    )


def with_files(*files: tuple[str, int]) -> AuditFacts:
    return replace(
        GOOD, files=tuple(FileFacts(place=place, path=f"/s/{at}", mode=mode) for at, (place, mode) in enumerate(files))
    )  # type: ignore[arg-type]  a builder


def found(facts: AuditFacts) -> dict[str, str]:
    return {one.check_id: one.severity for one in audit(facts).findings}


def one_finding(facts: AuditFacts, check_id: str) -> AuditFinding:
    return next(one for one in audit(facts).findings if one.check_id == check_id)


def test_a_gateway_in_good_order_has_no_findings() -> None:
    files = (("state", FOLDER | 0o700), ("config", FILE | 0o600), ("store", FILE | 0o600))
    facts = replace(with_files(*files), channels=(channel("telegram", "1"),), hooks=HOOKS)
    assert audit(facts) == AuditReport(findings=(), suppressed={})


MULTI = "channels.telegram.dm.scope_main_multiuser"


@pytest.mark.parametrize(
    ("channels", "is_told"),
    [
        pytest.param([channel("telegram", "1")], False, id="one person"),
        pytest.param([channel("telegram", "1", "2")], True, id="two people"),
        pytest.param([channel("telegram", "*", policy="allowlist")], True, id="everybody by a wildcard"),
        pytest.param([channel("telegram", policy="open")], True, id="everybody by the policy"),
        pytest.param([channel("telegram", "1", paired=frozenset({"2"}))], True, id="one listed and one approved"),
        pytest.param([channel("telegram", "1", paired=frozenset({"1"}))], False, id="the same one twice"),
        pytest.param([channel("telegram", "1"), channel("discord", "2")], True, id="two people on two channels"),
        pytest.param([channel("telegram", "1"), channel("discord", "2", policy="off")], False, id="the other is off"),
        pytest.param([channel("telegram", "1", "2", policy="off")], False, id="direct chats are off"),
        pytest.param([channel("telegram", "1", "2", shares_main=False)], False, id="each has a session"),
        pytest.param([channel("telegram"), channel("discord", "1", "2")], False, id="nobody on this one"),
    ],
)
def test_several_people_in_the_main_session_are_told(channels: list[ChannelFacts], is_told: bool) -> None:
    assert (MULTI in found(with_channels(*channels))) is is_told
    if is_told:
        assert found(with_channels(*channels))[MULTI] == "warn"


def test_the_addresses_of_a_linked_person_are_one_sender() -> None:
    group = IdentityGroup(name="Ann", ids=("telegram:1", "telegram:2", "discord:9"))
    links = build_links((group,), known_channels=frozenset({"telegram", "discord"}))
    same = with_channels(channel("telegram", "1", "2"), channel("discord", "9"))
    assert MULTI in found(same)
    assert found(replace(same, links=links)) == {}
    other = with_channels(channel("telegram", "1", "3"))
    assert MULTI in found(replace(other, links=links))


@pytest.mark.parametrize(("accounts", "scope"), [(1, "per-channel-peer"), (2, "per-account-channel-peer")])
def test_the_remedy_names_the_scope_that_keeps_people_apart(accounts: int, scope: str) -> None:
    facts = with_channels(channel("telegram", "1", "2", accounts=accounts))
    remedy = one_finding(facts, MULTI).remediation
    assert f"instar config set session.dmScope {scope}\n" in remedy


def test_many_people_are_named_up_to_a_handful() -> None:
    facts = with_channels(channel("telegram", *map(str, range(9))))
    detail = one_finding(facts, MULTI).detail
    assert "9 people (telegram:0, telegram:1, telegram:2, telegram:3, telegram:4 and 4 more)" in detail


HEURISTIC = "security.trust_model.multi_user_heuristic"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            with_channels(channel("telegram", policy="open", shares_main=False)),
            {"channels.telegram.dm.open": "critical", "channels.telegram.dm.open_invalid": "warn", HEURISTIC: "warn"},
            id="open without its word",
        ),
        pytest.param(
            with_channels(channel("telegram", "*", policy="open", shares_main=False)),
            {"channels.telegram.dm.open": "critical", HEURISTIC: "warn"},
            id="open",
        ),
        pytest.param(
            with_channels(channel("telegram", policy="off")), {"channels.telegram.dm.disabled": "info"}, id="off"
        ),
        pytest.param(with_channels(channel("telegram", groups="open")), {HEURISTIC: "warn"}, id="open groups"),
        pytest.param(with_channels(channel("telegram", groups="allowlist")), {}, id="listed groups, none listed"),
        pytest.param(
            replace(GOOD, group_scope_main=("session.groupScope", "bindings[1].session.groupScope")),
            {"security.trust_model.group_scope_main": "warn"},
            id="groups in main",
        ),
        pytest.param(
            with_channels(channel("telegram", token_chars=23)),
            {"channels.telegram.token_too_short": "warn"},
            id="short bridge token",
        ),
        pytest.param(with_channels(channel("telegram", token_chars=24)), {}, id="long bridge token"),
        pytest.param(
            with_channels(channel("telegram", token_chars=9, is_gateway_secret=True)),
            {"channels.telegram.token_reuse_gateway_token": "critical"},
            id="the gateway's secret at a bridge",
        ),
        pytest.param(
            replace(GOOD, gateway=GatewayFacts(host="0.0.0.0", is_loopback=False)),  # noqa: S104  what is audited
            {"gateway.bind_no_auth": "critical"},
            id="public without a secret",
        ),
        pytest.param(replace(GOOD, gateway=GatewayFacts()), {"gateway.loopback_no_auth": "critical"}, id="no secret"),
        pytest.param(
            replace(GOOD, gateway=GatewayFacts(secret_chars=23)), {"gateway.token_too_short": "warn"}, id="short secret"
        ),
        pytest.param(replace(GOOD, gateway=GatewayFacts(secret_chars=24)), {}, id="long enough"),
        pytest.param(
            replace(GOOD, gateway=GatewayFacts(secret_chars=43, redacts=False)),
            {"logging.redact_off": "warn"},
            id="log",
        ),
        pytest.param(
            replace(GOOD, gateway=GatewayFacts(secret_chars=43, session_key_override=True)),
            {"gateway.http.session_key_override_enabled": "info"},
            id="keys over HTTP",
        ),
        pytest.param(with_hooks(enabled=False, path="/", token_chars=3), {}, id="webhooks off"),
        pytest.param(
            with_hooks(enabled=False, is_literal=True), {"config.secrets.hooks_token_in_config": "warn"}, id="literal"
        ),
        pytest.param(with_hooks(token_chars=23), {"hooks.token_too_short": "warn"}, id="short hook token"),
        pytest.param(with_hooks(token_chars=None), {}, id="no hook token"),
        pytest.param(with_hooks(is_gateway_secret=True), {"hooks.token_reuse_gateway_token": "critical"}, id="reuse"),
        pytest.param(with_hooks(path="/"), {"hooks.path_root": "critical"}, id="root"),
        pytest.param(with_hooks(path=""), {"hooks.path_root": "critical"}, id="empty path"),
        pytest.param(
            with_hooks(default_session_key=None),
            {"hooks.default_session_key_unset": "warn"},
            id="no session of its own",
        ),
        pytest.param(
            with_hooks(allows_session_keys=True, prefixes=("hook:",)),
            {"hooks.request_session_key_enabled": "warn"},
            id="keys with prefixes",
        ),
        pytest.param(
            with_hooks(allows_session_keys=True),
            {
                "hooks.request_session_key_enabled": "warn",
                "hooks.request_session_key_prefixes_missing": "warn",
            },
            id="keys",
        ),
        pytest.param(
            with_hooks(allows_session_keys=True, loopback=False),
            {
                "hooks.request_session_key_enabled": "critical",
                "hooks.request_session_key_prefixes_missing": "critical",
            },
            id="keys from the network",
        ),
        pytest.param(
            with_files(("state", FOLDER | 0o702)), {"fs.state_dir.perms_world_writable": "critical"}, id="o+w"
        ),
        pytest.param(with_files(("state", FOLDER | 0o720)), {"fs.state_dir.perms_group_writable": "warn"}, id="g+w"),
        pytest.param(with_files(("state", FOLDER | 0o740)), {"fs.state_dir.perms_readable": "warn"}, id="g+r"),
        pytest.param(with_files(("state", FOLDER | 0o704)), {"fs.state_dir.perms_readable": "warn"}, id="o+r"),
        pytest.param(with_files(("state", FOLDER | 0o701)), {"fs.state_dir.perms_readable": "warn"}, id="o+x"),
        pytest.param(
            with_files(("config", FILE | 0o646)),
            {"fs.config.perms_writable": "critical", "fs.config.perms_world_readable": "critical"},
            id="config of all",
        ),
        pytest.param(with_files(("config", FILE | 0o620)), {"fs.config.perms_writable": "critical"}, id="config g+w"),
        pytest.param(with_files(("config", FILE | 0o640)), {"fs.config.perms_group_readable": "warn"}, id="config g+r"),
        pytest.param(
            with_files(("config", FILE | 0o644)), {"fs.config.perms_world_readable": "critical"}, id="config o+r"
        ),
        pytest.param(with_files(("store", FILE | 0o640)), {"fs.sessions_store.perms_readable": "warn"}, id="store g+r"),
        pytest.param(with_files(("store", FILE | 0o602)), {"fs.sessions_store.perms_readable": "warn"}, id="store o+w"),
        pytest.param(
            replace(GOOD, noticed=(Noticed(code="open-main", is_critical=True, path="p", what="w", why="y", fix="f"),)),
            {"config.open-main": "critical"},
            id="lint critical",
        ),
        pytest.param(
            replace(GOOD, noticed=(Noticed(code="dead", is_critical=False, path="p", what="w"),)),
            {"config.dead": "warn"},
            id="lint warning",
        ),
        pytest.param(replace(GOOD, unread="it is damaged"), {"sessions.store_unread": "warn"}, id="store unread"),
    ],
)
def test_each_risk_has_its_check_and_severity(facts: AuditFacts, expected: dict[str, str]) -> None:
    assert found(facts) == expected


def test_admitted_groups_and_wildcards_suggest_several_people() -> None:
    listed = channel("telegram", shares_main=False)
    open_list = replace(
        listed, access=replace(listed.access, group_allow_from=AllowList(everybody=True, is_given=True))
    )
    named = replace(listed, groups=frozenset({"-100"}))
    starred = channel("telegram", "*", shares_main=False)
    for one in (open_list, named, starred):
        assert found(with_channels(one)) == {HEURISTIC: "warn"}
    assert found(with_channels(replace(named, access=replace(named.access, group_policy="off")))) == {}


def test_people_who_met_are_reported_session_by_session() -> None:
    main, other = SessionKey("agent:main:main"), SessionKey("agent:main:it's")
    met = (
        Meeting(session_key=main, people=("ann", "telegram:7")),
        Meeting(session_key=other, people=("ann", "bob"), is_over=True),
    )
    facts = replace(GOOD, meetings=met)
    assert found(facts) == {
        "sessions.direct_messages_met": "critical",
        "sessions.direct_messages_met_before": "warn",
    }
    now = one_finding(facts, "sessions.direct_messages_met")
    assert "ann, telegram:7" in now.detail
    assert "instar sessions reset agent:main:main" in now.remediation
    before = one_finding(facts, "sessions.direct_messages_met_before")
    assert """instar sessions show 'agent:main:it'"'"'s' --history""" in before.remediation


def test_what_the_owner_suppressed_is_counted_and_not_shown() -> None:
    facts = replace(
        with_channels(channel("telegram", policy="off"), channel("discord", policy="off")),
        gateway=GatewayFacts(),
        suppressed=frozenset({"gateway.loopback_no_auth", "channels.telegram.dm.disabled", "hooks.path_root"}),
    )
    report = audit(facts)
    assert [one.check_id for one in report.findings] == ["channels.discord.dm.disabled"]
    assert report.suppressed == {"channels.telegram.dm.disabled": 1, "gateway.loopback_no_auth": 1}
    assert report.summary == {"critical": 0, "warn": 0, "info": 1}


def test_the_gravest_come_first() -> None:
    facts = replace(with_channels(channel("telegram", policy="off")), gateway=GatewayFacts(redacts=False))
    assert [one.severity for one in audit(facts).findings] == ["critical", "warn", "info"]


def test_open_files_are_told_with_commands_and_very_many_with_one() -> None:
    few = with_files(("store", FILE | 0o644), ("store", FOLDER | 0o750), ("store", FILE | 0o600))
    finding = one_finding(few, "fs.sessions_store.perms_readable")
    assert finding.remediation == "chmod 600 /s/0\nchmod 700 /s/1"
    assert finding.detail == "/s/0 has mode 644, and 1 more."
    many = with_files(*[("store", FILE | 0o644)] * 21)
    assert one_finding(many, "fs.sessions_store.perms_readable").remediation == "instar security audit --fix"


def test_paths_are_quoted_for_a_shell() -> None:
    file = FileFacts(place="config", path="/a b/$c", mode=FILE | 0o604)
    assert (
        one_finding(replace(GOOD, files=(file,)), "fs.config.perms_world_readable").remediation == "chmod 600 '/a b/$c'"
    )


@pytest.mark.parametrize(("mode", "tight"), [(FOLDER | 0o755, 0o700), (FILE | 0o644, 0o600)])
def test_folders_and_files_belong_to_their_owner(mode: int, tight: int) -> None:
    assert tight_mode(mode) == tight


def test_everything_that_can_be_mended_says_how() -> None:
    facts = replace(
        with_channels(channel("telegram", "1", policy="open", token_chars=3), channel("discord", "1", "2")),
        group_scope_main=("session.groupScope",),
        gateway=GatewayFacts(is_loopback=False, redacts=False),
        hooks=HooksFacts(enabled=True, token_chars=3, is_literal=True, path="/", allows_session_keys=True),
        files=(FileFacts(place="state", path="/s", mode=FOLDER | 0o777),),
        meetings=(Meeting(session_key=SessionKey("k"), people=("a", "b")),),
    )
    bare = {one.check_id for one in audit(facts).findings if not one.remediation}
    assert bare == set()
