"""A diagram and its editors without a server: what a server would send is put into their connections by hand."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec

from codraw.load.board import Board
from codraw.load.editor import Editor
from codraw.load.frames import TEXT, masked
from codraw.load.line import Line
from codraw.load.measures import Measures
from codraw.load.wire import Dialect

EPOCH = "00000000000000aa"
NODE = {"id": "n1", "shape": "process", "x": 0, "y": 0, "width": 120, "height": 80}
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def served(message: dict[str, Any] | bytes, opcode: int = TEXT) -> bytes:
    """A frame of the server: a client's without the mask."""
    payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
    frame = masked(opcode, payload)
    head = len(frame) - len(payload) - 4
    return bytes((frame[0], frame[1] & 0x7F)) + frame[2:head] + payload


def state(vector: int, *cells: dict[str, Any], **more: Any) -> bytes:
    said = {"message_type": "state", "epoch": EPOCH, "update_vector": vector, "state_hash": "", "reason": "joined"}
    return served({**said, "resend": True, "cells": cells or (NODE,), **more})


def event(vector: int, id: str, **data: Any) -> bytes:
    return served(
        {
            "message_type": "event",
            "epoch": EPOCH,
            "update_vector": vector,
            "operation_id": id,
            "by": {"id": "test:ana", "name": "Ana"},
            "kind": "edit",
            "operation": {
                "type": "patch",
                "cells": [{"id": "n1", "operation": "update", "data": data or {"x": vector}}],
            },
            "at": "2026-11-21T10:00:00Z",
        }
    )


def receipt(vector: int, id: str, **more: Any) -> bytes:
    said = {"message_type": "operation_accepted", "operation_id": id, "epoch": EPOCH, "update_vector": vector}
    return served({**said, "changed": True, "duplicate": False, "kind": "edit", **more})


class Pipe(asyncio.Transport):
    """The way to a server that is not there."""

    def __init__(self, socket: socket.socket | None = None) -> None:
        super().__init__({"socket": socket})
        self.is_reading = True
        self.written: list[bytes] = []
        self.is_cut = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.is_cut = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_cut


class Scene:
    """It is also the crew: `losses` are the connections that its editors told of."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.board = Board("model", "diagram", "session", self.measures)
        self.losses: list[tuple[str, int]] = []

    def lost(self, editor: Editor, code: int) -> None:
        self.losses.append((editor.name, code))

    def editor(self, name: str, dialect: Dialect = Dialect.V1) -> Editor:
        """It has been let in, and waits for its state."""
        editor = Editor(name, dialect, self.board, self.measures, self)
        self.connect(editor)
        return editor

    def connect(self, editor: Editor, socket: socket.socket | None = None) -> Pipe:
        line, pipe = Line(editor, b""), Pipe(socket)
        line.connection_made(pipe)
        line.data_received(UPGRADED)
        pipe.written.clear()
        return pipe

    def joined(self, name: str, dialect: Dialect = Dialect.V1, vector: int = 0) -> Editor:
        editor = self.editor(name, dialect)
        tell(editor, state(vector))
        return editor

    @property
    def faults(self) -> dict[str, int]:
        return dict(self.measures.faults)


def tell(editor: Editor, *frames: bytes) -> None:
    assert editor.line is not None
    editor.line.data_received(b"".join(frames))
