"""Which tools a list of patterns names."""

import pytest

from instar.core.policy.tool_patterns import ToolPatterns, allows_tool


@pytest.mark.parametrize(
    ("allow", "deny", "name", "allowed"),
    [
        (None, None, "exec", True),
        ((), (), "exec", True),
        (("exec",), None, "EXEC", True),
        ((" Exec ",), None, "exec", True),
        (("exec",), None, "exec2", False),
        (("sessions_*",), None, "sessions_list", True),
        (("sessions_*",), None, "session", False),
        (("*",), ("*image*",), "gen_image_x", False),
        (None, ("read",), "write", True),
        (("a.c",), None, "abc", False),
        (("[x]",), None, "[x]", True),
        ((" ",), None, "exec", True),
        (None, (" ",), "exec", True),
        (("a**b",), None, "a\nb", True),
    ],
)
def test_deny_wins_and_an_empty_list_allows_all(allow, deny, name, allowed):
    assert allows_tool(ToolPatterns(allow=allow, deny=deny), name) is allowed


def test_pattern_of_many_stars_is_quick():
    assert not allows_tool(ToolPatterns(allow=("*" * 5000 + "x",)), "a" * 5000)
