"""Cells as they are written: they take half the memory of their objects, are joined where a diagram is shown, and read
one by one as somebody looks at them (performance)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgpack  # type: ignore[import-untyped]
import msgspec

from protocol.values import Cell

_pack = msgspec.msgpack.Encoder().encode
_array_head = msgpack.Packer().pack_array_header
read_cell = msgspec.json.Decoder(dict[str, Any]).decode


class CellList(Sequence[Cell]):
    """A list to look at, of cells that are made anew for each who looks. Of its length and its JSON it knows without
    making any. Encoders that are to write it need `as_json` or `as_msgpack`."""

    __slots__ = ("texts",)

    def __init__(self, texts: Sequence[bytes] = ()) -> None:
        """`texts`: the JSON of each cell."""
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> CellList: ...
    def __getitem__(self, index: int | slice) -> Cell | CellList:
        if isinstance(index, slice):
            return CellList(self.texts[index])
        return read_cell(self.texts[index])

    def __iter__(self) -> Iterator[Cell]:
        # Not a map, which a thread that lists thousands would not leave for anybody else to run.
        for text in self.texts:
            yield read_cell(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"CellList({list(self)!r})"

    def json(self) -> bytes:
        texts = [*self.texts] or [b""]
        # The brackets first: to put them around the whole would copy it, which of a large diagram costs the most.
        texts[0] = b"[" + texts[0]
        texts[-1] += b"]"
        return b",".join(texts)


def as_json(value: Any) -> Any:
    """msgspec's `enc_hook` of an encoder of JSON."""
    return msgspec.Raw(_known(value).json())


def as_msgpack(value: Any) -> Any:
    """msgspec's `enc_hook` of an encoder of MessagePack. Cell by cell: thousands of objects that are there at once set
    off the collector of garbage again and again, which took longer than all else."""
    texts = _known(value).texts
    return msgspec.Raw(_array_head(len(texts)) + b"".join([_pack(read_cell(text)) for text in texts]))


def _known(value: Any) -> CellList:
    if isinstance(value, CellList):
        return value
    raise TypeError(f"a {type(value).__name__} has no form on the wire")
