"""Every setting: its type, default, unit, limit and meaning (CFG-*). The reference page is built from it.

What belongs here: which settings there are, and the types that no rule forgives. What does not: reading them (the
sections do, without pydantic) and comparing them with each other (`instar.config.lint`). A setting whose own rule says
that bad values are ignored, or that may be written in several ways, is an `object` here and left to its section.

Settings marked `later` belong to the specification and are read and kept, but have no effect in this build;
`instar.config.check` says so to whoever sets one, and the reference page lists them apart.
"""

from __future__ import annotations

from instar.config.schema.base import Section
from instar.config.schema.root import Root

__all__ = ["Root", "Section"]
