"""What `instar sessions show` tells of a session (CLI-2, WHY-7)."""

import pytest

from instar.cli.commands.sessions_show import list_facts

NOW = 1_000_000
ROW = {"modelProvider": "old", "model": "last", "totalTokens": 7, "contextTokens": 100}


def tell(**context):
    effective = {"status": {"model": "own/chosen", "context": context}} if context else None
    return dict(list_facts({**ROW, "effective": effective}, now=NOW))


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (
            {"used": 1_200, "limit": 8_000, "source": "provider", "countedAt": NOW - 180_000},
            "1.2k/8.0k (15%), by provider, 3m ago",
        ),
        ({"used": 50, "limit": None, "source": "estimate", "countedAt": None}, "50/?, by estimate"),
        ({"used": 0, "limit": None, "source": "estimate", "countedAt": None}, "-, by estimate"),
    ],
)
def test_the_window_is_told_with_who_counted_it_and_when(context, told):
    facts = tell(**context)
    assert (facts["In the window"], facts["Model"]) == (told, "own/chosen")


def test_the_row_speaks_where_nobody_can_say_how_the_session_stands():
    facts = tell()
    assert (facts["In the window"], facts["Model"]) == ("7/100 (7%)", "old/last")


def test_everything_that_was_set_for_the_session_is_told_without_being_asked_for():
    row = {
        **ROW,
        "thinkingLevel": "high",
        "queueMode": "collect",
        "queueDebounceMs": 0,
        "sandboxMode": False,
        "sendPolicy": "deny",
        "authProfileOverride": "work",
        "authProfileOverrideSource": "user",
        "groupActivationNeedsSystemIntro": True,
    }
    assert dict(list_facts(row, now=NOW))["Set here"] == (
        "thinkingLevel high, sendPolicy deny, queueMode collect, queueDebounceMs 0, sandboxMode off, "
        "authProfileOverride work"
    )
    assert dict(list_facts(ROW, now=NOW))["Set here"] == "nothing"
