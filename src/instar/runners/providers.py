"""pydantic-ai's model for each wire format, over one shared HTTP client; and the settings of a request.

Importing this module is cheap; a provider's own library is imported when a model of it is built. Repeating is left to
`instar.runners.fallback`, where it is seen and counted: the libraries' own retries are off.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from instar.config.sections.models import BUILT_IN_PROVIDERS, ProviderSettings
from instar.errors import ModelAuthFailed, ModelRejected
from instar.ports.runner import ModelRequest, ModelSpec
from instar.system.absent import absent

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

__all__ = ["APIS", "build_http_client", "build_model", "build_model_settings", "import_libraries"]

CONNECT_TIMEOUT_S: Final = 10.0
"""A provider that does not even take the connection in this time is unreachable."""

MAX_CONNECTIONS: Final = 512
"""Turns that wait for a provider at the same time; more of them wait for a free connection."""

NO_KEY: Final = "no-key"
"""What the OpenAI library is given where a server wants no key: it insists on one."""

DEFAULT_CACHE: Final = "5m"
"""A cached prompt that is read once within five minutes has paid for itself on Anthropic."""

_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "openai-completions": (
        "pydantic_ai.models.openai",
        "pydantic_ai.providers.openai_compatible",
        "instar.runners.completions",
    ),
    "openai-responses": ("pydantic_ai.models.openai", "pydantic_ai.providers.openai_compatible"),
    "anthropic-messages": ("pydantic_ai.models.anthropic", "pydantic_ai.providers.anthropic"),
    "google-generative-ai": ("pydantic_ai.models.google", "pydantic_ai.providers.google"),
}

APIS: Final = tuple(_LIBRARIES)
"""The wire formats that can be spoken (CFG-13)."""


def import_libraries(api: str) -> None:
    """Import what a wire format needs; half a second to one second the first time. An absent extra is left alone."""
    with absent("httpx._main"):  # a command line, which httpx can do without: it brings all of rich, 4 MB
        for name in ("pydantic_ai.direct", "instar.runners.exchange", *_LIBRARIES.get(api, ())):
            try:
                importlib.import_module(name)
            except ImportError:
                return  # build_model says what is missing, to whoever asks that model


def build_http_client() -> httpx2.AsyncClient:
    """The one client of the process. How long an answer may take is bounded per request, not here."""
    import httpx2

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=64),
        follow_redirects=True,
    )


def build_model(provider: ProviderSettings, spec: ModelSpec, http: httpx2.AsyncClient) -> Model[Any]:
    """The library's model for `spec`. Any: the type of the SDK's client, which differs per provider.

    Raises `ModelAuthFailed` where a key is needed and none is set, `ModelRejected` for a wire format it cannot speak.
    """
    built_in = BUILT_IN_PROVIDERS.get(provider.name)
    if provider.api_key is None and built_in and built_in.key_variable and provider.base_url == built_in.base_url:
        raise ModelAuthFailed(
            f"There is no key for {provider.name}",
            why=f"{provider.key_source or built_in.key_variable} is not set",
            fix=f"Set {provider.key_source or built_in.key_variable} and start the gateway again.",
            provider=provider.name,
            model=spec.id,
        )
    match spec.api:
        case "openai-completions":
            return _build_chat_model(provider, spec, http)
        case "openai-responses":
            return _build_responses_model(provider, spec, http)
        case "anthropic-messages":
            return _build_anthropic_model(provider, spec, http)
        case "google-generative-ai":
            return _build_google_model(provider, spec, http)
        case _:
            raise ModelRejected(
                f"The provider {provider.name} cannot be asked",
                why=f'its api is "{spec.api}", which this build does not speak',
                fix=f"Set models.providers.{provider.name}.api to one of {', '.join(APIS)}.",
                provider=provider.name,
                model=spec.id,
            )


def _build_openai_client(provider: ProviderSettings, http: httpx2.AsyncClient) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=provider.api_key or NO_KEY,
        base_url=provider.base_url,
        default_headers=dict(provider.headers),
        http_client=http,
        max_retries=0,
        timeout=http.timeout,
    )


def _build_chat_model(provider: ProviderSettings, spec: ModelSpec, http: httpx2.AsyncClient) -> Model[Any]:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    from instar.runners.completions import use_plain_completions

    client = use_plain_completions(_build_openai_client(provider, http))
    if provider.name == "openrouter":
        from pydantic_ai.models.openrouter import OpenRouterModel
        from pydantic_ai.providers.openrouter import OpenRouterProvider

        return OpenRouterModel(spec.id, provider=OpenRouterProvider(openai_client=client))
    profile = OpenAIModelProfile(supports_thinking=True) if spec.reasoning else OpenAIModelProfile()
    if provider.name == "openai":
        return OpenAIChatModel(spec.id, provider=OpenAIProvider(openai_client=client), profile=profile)
    # Servers that are not OpenAI's know the older name of the output limit; several refuse the newer one.
    profile["openai_chat_supports_max_completion_tokens"] = False
    compatible = OpenAICompatibleProvider(provider.name, openai_client=client)
    return OpenAIChatModel(spec.id, provider=compatible, profile=profile)


def _build_responses_model(provider: ProviderSettings, spec: ModelSpec, http: httpx2.AsyncClient) -> Model[Any]:
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = _build_openai_client(provider, http)
    profile = OpenAIModelProfile(supports_thinking=True) if spec.reasoning else None
    if provider.name == "openai":
        return OpenAIResponsesModel(spec.id, provider=OpenAIProvider(openai_client=client), profile=profile)
    compatible = OpenAICompatibleProvider(provider.name, openai_client=client)
    return OpenAIResponsesModel(spec.id, provider=compatible, profile=profile)


_SUBSCRIBER: Final[Mapping[str, str]] = {"anthropic-beta": "oauth-2025-04-20"}
"""What Anthropic asks of a request that comes with the token of a subscription (`anthropic.lib.credentials`)."""


def _build_anthropic_model(provider: ProviderSettings, spec: ModelSpec, http: httpx2.AsyncClient) -> Model[Any]:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    is_subscribed = spec.auth == "oauth"
    client = AsyncAnthropic(
        api_key=None if is_subscribed else provider.api_key or NO_KEY,
        auth_token=provider.api_key if is_subscribed else None,
        base_url=provider.base_url.removesuffix("/v1"),  # the library adds it; people write it as for OpenAI
        default_headers={**(_SUBSCRIBER if is_subscribed else {}), **provider.headers},
        http_client=http,
        max_retries=0,
        timeout=http.timeout,
    )
    return AnthropicModel(spec.id, provider=AnthropicProvider(anthropic_client=client))


def _build_google_model(provider: ProviderSettings, spec: ModelSpec, http: httpx2.AsyncClient) -> Model[Any]:
    """Cancelling closes its connection; a stream that is left without that is closed only when it is collected."""
    try:
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider
    except ImportError as error:
        raise ModelRejected(
            f"The provider {provider.name} cannot be asked",
            why="the library for Google's models is not installed",
            fix="Install it with: pip install 'instar[google]'",
            provider=provider.name,
            model=spec.id,
        ) from error
    google = GoogleProvider(api_key=provider.api_key or NO_KEY, base_url=provider.base_url, http_client=http)
    return GoogleModel(spec.id, provider=google)


def build_model_settings(request: ModelRequest) -> ModelSettings:
    """What a request tells the library beside the messages. Pure.

    Thinking is sent only to models that are known to think; a level means nothing to the others, and several servers
    refuse the field.
    """
    spec = request.model
    settings: dict[str, Any] = {  # Any: each library adds names of its own to the shared ones
        "framing_announcement": "never",  # the library's own text before ours would change what is cached
        "request_timeout": request.timeout_s,
    }
    if spec.max_output is not None:
        settings["max_tokens"] = spec.max_output
    thinks = spec.reasoning or spec.api in {"anthropic-messages", "google-generative-ai"}
    if request.thinking is not None and thinks:
        settings["thinking"] = False if request.thinking == "off" else request.thinking
    settings |= _build_cache_settings(request)
    return cast("ModelSettings", settings)


def _build_cache_settings(request: ModelRequest) -> dict[str, Any]:
    """Cache marks on system text, tools and the last message (Anthropic, also behind OpenRouter); a cache key (OpenAI).

    The key is a digest: a session key may hold a person's id, which is none of the provider's business.
    """
    spec = request.model
    if request.cache == "off":
        return {}
    if spec.provider == "openai":
        digest = hashlib.sha256(request.session_key.encode()).hexdigest()[:32]
        return {"openai_prompt_cache_key": f"instar-{digest}"}
    kept = "1h" if request.cache == "1h" else DEFAULT_CACHE
    if spec.api == "anthropic-messages":
        names = ("instructions", "tool_definitions", "messages")
        return {f"anthropic_cache_{name}": kept for name in names}
    if spec.provider == "openrouter":
        return {"cache": kept}
    return {}
