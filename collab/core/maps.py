"""Persistent maps: those of `immutables`, and where there is no wheel of it (Python 3.14) rpds-py under the same names.

rpds takes longer to set a value; but nobody is to need a compiler to run a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from rpds import HashTrieMap
except ImportError:
    HashTrieMap = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from immutables import Map
else:
    try:
        from immutables import Map
    except ImportError:
        Map = None

__all__ = ["Map", "RpdsMap"]

K = TypeVar("K")
V = TypeVar("V")


class RpdsMap(Mapping[K, V]):
    """As far as `immutables.Map` is used here."""

    __slots__ = ("_held",)

    def __init__(self, held: Any = ()) -> None:
        self._held = held if isinstance(held, HashTrieMap) else HashTrieMap(dict(held))

    def __getitem__(self, key: K) -> V:
        found: V = self._held[key]
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[K]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K, default: Any = None) -> Any:
        return self._held.get(key, default)

    def set(self, key: K, value: V) -> RpdsMap[K, V]:
        return RpdsMap(self._held.insert(key, value))

    def delete(self, key: K) -> RpdsMap[K, V]:
        return RpdsMap(self._held.remove(key))

    def mutate(self) -> RpdsMutation[K, V]:
        return RpdsMutation(self._held)


class RpdsMutation(RpdsMap[K, V]):
    """The next map in the making."""

    __slots__ = ()

    def __setitem__(self, key: K, value: V) -> None:
        self._held = self._held.insert(key, value)

    def __delitem__(self, key: K) -> None:
        self._held = self._held.remove(key)

    def finish(self) -> RpdsMap[K, V]:
        return RpdsMap(self._held)


if not TYPE_CHECKING and Map is None:
    Map = RpdsMap
