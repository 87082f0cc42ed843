"""Models that cannot be asked, told before anybody waits for an answer (WHY-5, CFG-13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.load import parse_text

HOME = '{home: {baseUrl: "http://127.0.0.1:1/v1", models: ["llama/3", "phi"]}}'


def findings(text: str, **env: str) -> dict[str, str]:
    """Path to the whole sentence."""
    loaded = parse_text(text, env=env, home=Path("/house"), thorough=False)
    return {each.path: f"{each.code} {each}" for each in loaded.warnings}


FOUND = [
    ('{agents: {defaults: {model: "nope/none"}}}', "agents.defaults.model", 'no provider "nope"'),
    ('{agents: {defaults: {model: "opnai/gpt-5"}}}', "agents.defaults.model", 'Did you mean "openai"?'),
    ('{agents: {defaults: {model: "openai/gpt-5"}}}', "agents.defaults.model", "OPENAI_API_KEY is not set"),
    ('{agents: {defaults: {model: "ollama/x"}}}', "agents.defaults.model", "models.providers.ollama"),
    ('{agents: {defaults: {model: "gpt"}}}', "agents.defaults.model", 'Write "provider/model"'),
    ('{agents: {list: [{id: "a", model: {primary: "x/y"}}]}}', "agents.list[0].model.primary", 'no provider "x"'),
    ('{agents: {entries: {a: {model: {fallbacks: ["x/y"]}}}}}', "agents.entries.a.model.fallbacks[0]", '"x"'),
    (
        '{agents: {defaults: {compaction: {provider: "mine"}}}}',
        "agents.defaults.compaction.provider",
        "no such provider",
    ),
    ('{agents: {list: [{id: "a", compaction: {model: "x/y"}}]}}', "agents.list[0].compaction.model", 'no provider "x"'),
    ('{models: {providers: {x: {baseUrl: "not a url"}}}}', "models.providers.x.baseUrl", "no URL"),
    ('{models: {providers: {x: {baseUrl: "ftp://x"}}}}', "models.providers.x.baseUrl", "no URL"),
    ('{models: {providers: {x: {baseUrl: "http://x", apiKey: "${NOPE}"}}}}', "models.providers.x.apiKey", "NOPE is"),
    (
        '{models: {providers: {X: {baseUrl: "http://x", apiKey: {source: "env", id: "NOPE"}}}}}',
        "models.providers.X.apiKey",
        "NOPE is not set",
    ),
]


@pytest.mark.parametrize(("text", "path", "says"), FOUND)
def test_what_cannot_be_asked_is_told_where_it_stands(text, path, says):
    assert says in findings(text)[path]


@pytest.mark.parametrize(
    "text",
    [
        '{agents: {defaults: {model: "openai/gpt-5"}}}',
        '{agents: {defaults: {model: "gpt-5"}}}',
        '{agents: {defaults: {model: "instar/echo"}}}',
        f'{{models: {{providers: {HOME}}}, agents: {{defaults: {{compaction: {{provider: "Home"}}}}}}}}',
        f'{{models: {{providers: {HOME}}}, agents: {{defaults: {{model: "HOME/anything"}}}}}}',
        f'{{models: {{providers: {HOME}}}, agents: {{defaults: {{model: {{primary: "llama/3"}}}}}}}}',
        f"""{{models: {{providers: {HOME}}},
            agents: {{defaults: {{model: "fast", models: {{"home/phi": {{alias: "Fast"}}}}}}}}}}""",
        '{models: {providers: {x: {baseUrl: "https://x", apiKey: "${OPENAI_API_KEY}"}}}}',
    ],
)
def test_what_may_be_asked_is_not_told(text):
    assert findings(text, OPENAI_API_KEY="k") == {}
