"""Searching what was said: found by the store, redacted and cut to an excerpt here (SEARCH-1…6, LEAK-12)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.query import SearchPage, SearchQuery
from instar.core.policy.redaction import Redactor
from instar.core.transcript.excerpt import cut_excerpt
from instar.core.transcript.search_text import split_query
from instar.ports.store import Store

__all__ = ["search_messages"]


async def search_messages(store: Store, query: SearchQuery, *, redactor: Redactor) -> SearchPage:
    """What is found, each hit with a short excerpt without secrets as its text.

    Secrets go before the text is cut: half a key is not recognised as one.
    """
    page = await store.search(query)
    words = split_query(query.text)
    hits = tuple(replace(hit, text=cut_excerpt(redactor.text(hit.text), words)) for hit in page.hits)
    return replace(page, hits=hits)
