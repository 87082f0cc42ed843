"""The reference page of the wire, built from its tables: ``python -m instar.protocol.reference`` prints it.

`tests/docs` compares `docs/reference/protocol.md` with it, so the page cannot say anything else than the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from instar.protocol import frames, version
from instar.protocol.errors import WIRE_CODES
from instar.protocol.events import EVENTS
from instar.protocol.methods import CONNECT, METHODS, Method
from instar.protocol.params import Field

__all__ = ["build_reference"]

_INTRO = f"""# The wire

This page is built from the tables of `src/instar/protocol` (`make docs` or `python -m instar.protocol.reference`).

The gateway speaks JSON in WebSocket text messages, on port 18789 of this machine unless told otherwise. It understands
protocol {version.OLDEST} and {version.NEWEST} and takes the highest that a client offers.

| frame | fields |
| --- | --- |
| request | `{{type: "req", id, method, params?}}` |
| response | `{{type: "res", id, ok, payload?, error?}}` |
| event | `{{type: "event", event, payload?, seq?}}`; `seq` rises by one per connection, a gap means: ask again |
| error | `{{code, message, details?, retryable?, retryAfterMs?}}` |

A connection begins with the event `connect.challenge`; the first request must be `connect`, within ten seconds.

| limit | |
| --- | --- |
| a frame before `connect` | {frames.FIRST_FRAME_MAX_BYTES // 1024} KiB |
| a frame afterwards | {frames.CONNECTED_FRAME_MAX_BYTES // 1024 // 1024} MiB |
| unread by a slow client | {frames.SEND_BUFFER_MAX_BYTES // 1024 // 1024} MiB, then it is closed |
| text of one message | {frames.MESSAGE_TEXT_MAX_BYTES // 1024 // 1024} MiB |
| `tick` | every {frames.TICK_INTERVAL_S:.0f} s |

Requests of one connection are begun in the order in which they arrive and answered as they are done.
A method that changes something takes `idempotencyKey`: the same key again within five minutes gets the first answer.
For messages (`chat.send`, `sessions.send`, `agent`) the key is kept for ever, also over a restart.
"""


def build_reference() -> str:
    """The whole page in Markdown."""
    parts = [_INTRO, "\n## Methods\n", _method(CONNECT)]
    parts += [_method(method) for method in METHODS.values()]
    parts += ["\n## Events\n\n| event | when | to | payload |\n| --- | --- | --- | --- |\n"]
    parts += [f"| `{kind.name}` | {kind.summary} | {kind.audience} | {kind.payload} |\n" for kind in EVENTS.values()]
    parts += ["\n## Errors\n\n| code | meaning |\n| --- | --- |\n"]
    parts += [f"| `{code}` | {meaning} |\n" for code, meaning in WIRE_CODES.items()]
    return "".join(parts)


def _method(method: Method) -> str:
    """One method: a heading, a sentence, its fields, its answer."""
    scope = f"Scope `{method.scope}`. " if method.scope else ""
    ignored = [one.name for one in method.fields if not one.used]
    lines = [f"\n### `{method.name}`\n\n{method.summary[0].upper()}{method.summary[1:]}. {scope}({method.rule})\n\n"]
    lines += [row for one in method.fields if one.used for row in _rows(one)]
    lines += [f"- accepted and ignored: {', '.join(f'`{name}`' for name in ignored)}\n"] if ignored else []
    return "".join([*lines, f"- answers {method.result}\n"])


def _rows(one: Field, *, indent: str = "") -> Iterator[str]:
    """A field and, below it, the fields inside it."""
    inner = one.items if one.items is not None else one
    yield f"{indent}- `{one.name}`{'' if one.required else '?'}: {_words(one)}\n"
    for nested in inner.fields:
        if nested.used:
            yield from _rows(nested, indent=indent + "  ")


def _words(one: Field) -> str:
    """What a field may hold, in words."""
    kinds = " or ".join([*one.kinds, "null"] if one.nullable else one.kinds)
    if one.items is not None:
        kinds += f" of {' or '.join(one.items.kinds)}"
    parts = [kinds]
    if one.choices:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in one.choices))
    if one.least is not None and one.least > 0:
        parts.append(f"at least {one.least}")
    if one.most is not None:
        parts.append(f"at most {one.most}" + (", lowered to it" if one.lowered else ""))
    return ", ".join([*parts, one.note] if one.note else parts)


if __name__ == "__main__":
    sys.stdout.write(build_reference())
