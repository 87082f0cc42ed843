"""The runner over real providers (CFG-13): any of them, through pydantic-ai, one request at a time per call.

The libraries take about a second to import, so they are imported when the first request comes, in a thread, and only
those of providers that are set up; `warm_up` does it ahead of time, once the gateway answers its first callers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

from instar.config.sections.models import ModelsSettings, ProviderSettings
from instar.errors import ModelNotFound
from instar.ports.runner import ModelRequest, ModelSpec, RunnerEvent
from instar.runners.providers import build_http_client, build_model, import_libraries

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

__all__ = ["ModelRunner"]


class ModelRunner:
    """Keeps `instar.ports.runner.Runner` over the providers of `settings`.

    One HTTP client serves all of them; the library's model objects are kept per model. Cancelling a request closes
    its connection.
    """

    def __init__(self, settings: ModelsSettings) -> None:
        self._settings = settings
        self._http: httpx2.AsyncClient | None = None
        self._models: dict[str, Model[Any]] = {}  # Any: the client of the provider's library
        self._imported: set[str] = set()
        self._importing = asyncio.Lock()

    @property
    def name(self) -> str:
        """``model``."""
        return "model"

    async def warm_up(self) -> None:
        """Import what the configured providers need and build the HTTP client, without holding up the event loop."""
        await self._import(provider.api for provider in self._settings.providers.values())
        self._client()

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """Ask the model. Ends with `Finished`, or raises a `ModelError`."""
        provider = self._provider(request.model)
        await self._import([request.model.api])
        from instar.runners.exchange import exchange

        events = exchange(request, model=self._model(provider, request.model), provider=provider)
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        http, self._http, self._models = self._http, None, {}
        if http is not None:
            await http.aclose()

    def _provider(self, spec: ModelSpec) -> ProviderSettings:
        provider = self._settings.providers.get(spec.provider)
        if provider is None:
            raise ModelNotFound(
                f"The model {spec.ref} cannot be asked",
                why=f'there is no provider "{spec.provider}" any more',
                fix=f"Set it up under models.providers.{spec.provider}, or choose another model with /model.",
                provider=spec.provider,
                model=spec.id,
            )
        return provider

    def _model(self, provider: ProviderSettings, spec: ModelSpec) -> Model[Any]:
        key = f"{spec.api} {spec.reasoning} {spec.ref}"
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = build_model(provider, spec, self._client())
        return model

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = build_http_client()
        return self._http

    async def _import(self, apis: Iterable[str]) -> None:
        missing = set(apis) - self._imported
        if not missing:
            return
        async with self._importing:
            for api in sorted(missing - self._imported):
                await asyncio.to_thread(import_libraries, api)
                self._imported.add(api)
