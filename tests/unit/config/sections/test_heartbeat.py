"""`agents.defaults.heartbeat.every` (HEART-1)."""

import pytest

from instar.config.aliases import apply_aliases
from instar.config.sections.heartbeat import parse_heartbeat
from instar.errors import ConfigError


def parse(defaults, *agents):
    return parse_heartbeat(apply_aliases({"agents": {"defaults": defaults, "list": list(agents)}}))


@pytest.mark.parametrize(
    ("every", "ms"),
    [("30m", 1_800_000), ("1H", 3_600_000), (45, 2_700_000), ("0", 0), (0, 0), ("0m", 0), (1.5, 90_000), (None, None)],
)
def test_the_interval_is_a_duration_in_minutes(every, ms):
    assert parse({"heartbeat": {"every": every}}).default == ms


def test_an_agent_may_have_its_own():
    found = parse({"heartbeat": {"every": "30m"}}, {"id": "a", "heartbeat": {"every": "2h"}}, {"id": "b"})
    assert (found.get("a"), found.get("b")) == (7_200_000, 1_800_000)
    assert parse_heartbeat(apply_aliases({"agent": {"heartbeat": {"every": 5}}})).default == 300_000
    assert parse({}).default is None


@pytest.mark.parametrize("every", ["often", -1, True, {}])
def test_what_is_no_duration_is_refused_by_name(every):
    with pytest.raises(ConfigError) as caught:
        parse({"heartbeat": {"every": every}})
    assert caught.value.path == "agents.defaults.heartbeat.every"
