"""Which models may be chosen and which agents there are, from a configuration to the wire (RPC-22, CFG-10, CFG-13)."""

from __future__ import annotations

from tests.builders.wire import open_client, run_story
from tests.flow.test_bridge_with_gateway import open_bridge

PROVIDER = {
    "baseUrl": "http://127.0.0.1:9/v1",
    "apiKey": "k",
    "api": "openai-completions",
    "models": [
        {"id": "big", "name": "Big", "contextWindow": 64_000, "reasoning": True, "input": ["text", "image"]},
        {"id": "small"},
        {"id": "hidden"},
    ],
}


async def ask_both(tmp_path, **config):
    async with (
        open_bridge(tmp_path, **config) as bridge,
        open_client(bridge.app.server, auth={"token": bridge.app.token}) as client,
    ):
        return (await client.ask("models.list"))["models"], await client.ask("agents.list")


def test_the_models_that_may_be_chosen_and_the_agents(tmp_path):
    async def story():
        config = {
            "models": {"providers": {"mine": PROVIDER}},
            "agents": {
                "defaults": {"models": {"mine/big": {"alias": "b"}, "mine/small": {}}, "model": "mine/small"},
                "list": [
                    {"id": "home", "identity": {"name": "Hal", "emoji": "🦉"}},
                    {"id": "work", "default": True, "model": {"primary": "mine/big", "fallbacks": ["mine/small"]}},
                ],
            },
        }
        models, agents = await ask_both(tmp_path, **config)
        assert [model["id"] for model in models] == ["big", "small"]
        big = {key: value for key, value in models[0].items() if key != "thinkingLevels"}
        assert big == {
            "id": "big",
            "name": "Big",
            "provider": "mine",
            "alias": "b",
            "available": True,
            "contextWindow": 64_000,
            "reasoning": True,
            "input": ["text", "image"],
            "tags": ["default"],
        }
        assert [level["id"] for level in models[0]["thinkingLevels"]] == ["off", "minimal", "low", "medium", "high"]
        assert "thinkingLevels" not in models[1]
        assert agents["defaultId"] == "work"
        home, work = agents["agents"]
        assert home["identity"] == {"name": "Hal", "emoji": "🦉"}
        assert home["model"] == {"primary": "mine/small"}
        assert work["model"] == {"primary": "mine/big", "fallbacks": ["mine/small"]}

    run_story(story)


def test_without_any_model_the_echo_is_the_one_that_is_there(tmp_path):
    async def story():
        (model,), agents = await ask_both(tmp_path)
        assert (model["id"], model["available"], model["tags"]) == ("echo", True, ["default"])
        assert [agent["id"] for agent in agents["agents"]] == ["main"]

    run_story(story)
