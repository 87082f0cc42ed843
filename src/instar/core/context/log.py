"""A sequence that grows at its end and whose older values stay as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar, overload

__all__ = ["AppendLog"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class AppendLog(Sequence[T_co], Generic[T_co]):
    """An immutable sequence with a cheap `append`.

    A tuple would copy itself for each entry of a long session. Here all lengths of one history share one list, each
    value remembering how much of it is its own; appending to the newest value adds to the list, appending to an
    older one copies its part first. So no value ever changes, and appending takes constant time in the one case
    that matters. Values of one history belong to one thread (a session's lane).
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: Iterable[T_co] = ()) -> None:
        self._items = list(items)
        self._length = len(self._items)

    def append(self: AppendLog[T], item: T) -> AppendLog[T]:
        """The sequence with one more item."""
        items = self._items if len(self._items) == self._length else self._items[: self._length]
        items.append(item)
        grown: AppendLog[T] = AppendLog.__new__(AppendLog)
        grown._items = items
        grown._length = len(items)
        return grown

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T_co]:
        items = self._items
        for index in range(self._length):
            yield items[index]

    @overload
    def __getitem__(self, index: int) -> T_co: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...

    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        if isinstance(index, slice):
            return self._items[: self._length][index]
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._items[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AppendLog):
            return list(self) == list(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"AppendLog({list(self)!r})"
