"""What a person is told after `/stop`."""

import pytest

from instar.core.policy.stop_text import tell_stop


@pytest.mark.parametrize(
    ("stopped", "sub_agents", "busy", "told"),
    [
        (False, 0, 0, "Nothing was running."),
        (True, 0, 0, "Stopped."),
        (True, 1, 0, "Stopped, with 1 sub-agent."),
        (True, 2, 0, "Stopped, with 2 sub-agents."),
        (False, 1, 0, "Stopped 1 sub-agent."),
        (False, 3, 0, "Stopped 3 sub-agents."),
        (True, 0, 1, "Stopped. 1 sub-agent did not stop in time; try again."),
        (False, 0, 2, "Stopped. 2 sub-agents did not stop in time; try again."),
        (True, 1, 2, "Stopped, with 1 sub-agent. 2 sub-agents did not stop in time; try again."),
    ],
)
def test_a_stop_tells_how_many_sub_agents_went_with_it(stopped, sub_agents, busy, told):
    assert tell_stop(stopped=stopped, sub_agents=sub_agents, busy=busy) == told
