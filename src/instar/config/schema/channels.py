"""`channels` and `commands`: where messages come from, and who may write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instar.config.schema.base import Levels, Section, setting

__all__ = ["Channel", "ChannelSandbox", "Commands", "DirectHistory", "DirectMessages", "Group", "ToolRules"]


class ToolRules(Section):
    """Which tools a session may use."""

    allow: list[str] | None = setting("Only these; empty allows all.", rules="TYPE-9")
    deny: list[str] | None = setting("Never these.", rules="TYPE-9")


class ChannelSandbox(Section):
    """Where the tools of a channel's sessions run."""

    mode: str | None = setting("`off`, `non-main` or `all`.", rules="TYPE-5")


class Group(Section):
    """One group of a channel; `*` stands for every group that is not named."""

    activation: str | None = setting("`always`, `mention` or `command`.", rules="ACT-3")
    require_mention: bool | None = setting("`true` is `mention`, `false` is `always`.", rules="ACT-3")
    sandbox: ChannelSandbox | None = setting("Where tools run.", rules="TYPE-5")
    tools: ToolRules | None = setting("Which tools.", rules="TYPE-5")


class DirectMessages(Section):
    """OpenClaw's older place for `dmPolicy` and `allowFrom`."""

    policy: str | None = setting("As `dmPolicy`.", rules="LEAK-2")
    allow_from: list[object] | None = setting("As `allowFrom`.", rules="LEAK-2")


class DirectHistory(Section):
    """One person's limit."""

    history_limit: object = setting("As `dmHistoryLimit`, for this person.", rules="HIST-6")


class Channel(Levels):
    """One channel by its name. Each platform has settings of its own beside these; see its how-to page."""

    type: str | None = setting(
        "`bridge` for a program of yours; for a built-in channel its own name.", default="the name", rules="CFG-1"
    )
    enabled: bool | None = setting("Whether the channel is started.", default="`true`")
    token: object = setting(
        'The secret of a bridge, or of a platform that has one; `"${NAME}"` takes a variable.', secret=True
    )
    dm_policy: str | None = setting(
        "Who may write one-to-one: `pairing`, `allowlist`, `open` or `off` (also `disabled`).",
        default="`pairing`",
        rules="LEAK-2",
    )
    allow_from: list[object] | None = setting(
        "Who is admitted one-to-one; `*` is everybody.", default="nobody", rules="LEAK-2"
    )
    group_policy: str | None = setting(
        "Which groups are admitted: the same words.", default="`pairing`", rules="LEAK-2"
    )
    group_allow_from: list[object] | None = setting(
        "Groups that are admitted, and people who may give commands there.", default="none", rules="LEAK-2"
    )
    dm: DirectMessages | None = setting("Older place for `dmPolicy` and `allowFrom`.")
    require_mention: bool | None = setting("`true` is activation `mention`, `false` is `always`.", rules="ACT-3")
    activation: str | None = setting(
        "`always`, `mention` or `command`, in groups and rooms.", default="by kind of chat", rules="ACT-3"
    )
    groups: dict[str, Group | None] | None = setting("What differs in one group.", rules="ACT-3")
    history_limit: object = setting(
        "So many messages that woke nobody are shown to the agent before the next that does.",
        default="50",
        rules="ACT-7",
    )
    dm_history_limit: object = setting(
        "So many of a person's messages are sent to the model.", default="no limit", rules="HIST-6"
    )
    dms: dict[str, DirectHistory | None] | None = setting("What differs for one person.", rules="HIST-6")
    sandbox: ChannelSandbox | None = setting("Where tools run.", rules="TYPE-5")
    tools: ToolRules | None = setting("Which tools.", rules="TYPE-5")
    accounts: dict[str, Any] | None = setting("Several logins of one platform, by name.", later=True)
    lid_numbers: dict[str, str] | None = setting(
        "WhatsApp only: phone numbers of hidden ids (`…@lid`).", rules="NORM-5"
    )

    @classmethod
    def is_open(cls, fields: Mapping[str, object]) -> bool:
        """Platforms have settings of their own; a bridge has none."""
        return fields.get("type") != "bridge"


class Commands(Section):
    """Who may give chat commands."""

    owner_allow_from: list[object] | None = setting(
        "The owners, as `<channel>:<id>` or a bare id.", default="whoever was let in by name", rules="CMD-35"
    )
    allow_from: object = setting(
        "More people who may give commands: a list, or lists by channel.", default="none", rules="LEAK-2"
    )
