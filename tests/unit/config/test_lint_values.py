"""Values that are written and do not hold: ignored, cut to size, or read as off (WHY-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.load import parse_text


def findings(text: str) -> dict[str, tuple[str, str]]:
    loaded = parse_text(text, env={}, home=Path("/house"), thorough=False)
    return {each.path: (each.code, each.severity) for each in loaded.warnings}


FOUND = [
    ('{session: {reset: {mode: "banana"}}}', "session.reset.mode", "ignored-value"),
    ('{session: {reset: {resetTime: "25:00"}}}', "session.reset.resetTime", "ignored-value"),
    ("{session: {reset: {atHour: 99}}}", "session.reset.atHour", "cut-value"),
    ("{session: {resetByType: {group: {atHour: -1}}}}", "session.resetByType.group.atHour", "cut-value"),
    ("{session: {resetByChannel: {irc: {atMinute: 60}}}}", "session.resetByChannel.irc.atMinute", "cut-value"),
    ('{session: {reset: {idleMinutes: "5"}}}', "session.reset.idleMinutes", "ignored-value"),
    ("{session: {reset: {idleTimeout: -1}}}", "session.reset.idleTimeout", "cut-value"),
    ("{session: {idleMinutes: -1}}", "session.idleMinutes", "cut-value"),
    ('{session: {maintenance: {mode: "enforced"}}}', "session.maintenance.mode", "ignored-value"),
    ('{session: {maintenance: {pruneAfter: "banana"}}}', "session.maintenance.pruneAfter", "ignored-value"),
    ("{session: {maintenance: {pruneAfter: 0}}}", "session.maintenance.pruneAfter", "ignored-value"),
    ('{session: {maintenance: {maxDiskBytes: "10zb"}}}', "session.maintenance.maxDiskBytes", "ignored-value"),
    ("{session: {maintenance: {highWaterBytes: false}}}", "session.maintenance.highWaterBytes", "ignored-value"),
    ("{session: {maintenance: {maxEntries: -5}}}", "session.maintenance.maxEntries", "ignored-value"),
    ('{agents: {defaults: {thinkingDefault: "adaptive"}}}', "agents.defaults.thinkingDefault", "ignored-value"),
    ('{messages: {responseUsage: {telegram: "all"}}}', "messages.responseUsage.telegram", "ignored-value"),
]


@pytest.mark.parametrize(("text", "path", "code"), FOUND)
def test_a_value_that_does_not_hold_is_told(text, path, code):
    assert findings(text)[path] == (code, "warning")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{session: {sendPolicy: "deny"}}', "session.sendPolicy"),
        ('{session: {sendPolicy: {default: "denny"}}}', "session.sendPolicy.default"),
        ('{session: {sendPolicy: {rules: "x"}}}', "session.sendPolicy.rules"),
        ("{session: {sendPolicy: {rules: [5]}}}", "session.sendPolicy.rules[0]"),
        ('{session: {sendPolicy: {rules: [{action: "dney"}]}}}', "session.sendPolicy.rules[0].action"),
    ],
)
def test_a_prohibition_that_is_ignored_is_critical(text, path):
    assert findings(text) == {path: ("ignored-send-policy", "critical")}


@pytest.mark.parametrize(
    "text",
    [
        '{session: {reset: {mode: "Off"}}}',
        '{session: {reset: {resetTime: "4", atHour: 23.9, atMinute: 0, idleMinutes: 0}}}',
        '{session: {maintenance: {mode: "Enforce", pruneAfter: 30, maxEntries: 1, maxDiskBytes: 0}}}',
        '{session: {maintenance: {preserveRecent: 0, archiveDashboardAfter: false, resetArchiveRetention: "7d"}}}',
        '{session: {sendPolicy: {default: "Deny", rules: [{match: {chatType: "group"}}]}}}',
    ],
)
def test_what_holds_as_it_is_written_is_not_told(text):
    assert findings(text) == {}
