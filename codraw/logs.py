"""How codraw logs: structlog over stdlib logging, coloured on a terminal, JSON lines otherwise, on stderr.

1. No line holds a query string or a token, whoever wrote it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*")
TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=Bearer )\S+", re.IGNORECASE)


def redacted(text: str) -> str:
    return TOKEN.sub("[token]", QUERY.sub("?[hidden]", text))


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redacted(value)
    return event


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _redact,
    ]


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Sends every logger of the process, also those of libraries, to `stream` in one form."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=()), *_shared()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(terminal)],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(_counted)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # uvicorn's access line prints the query string, tickets included; codraw/access_log.py writes ours.
    logging.getLogger("uvicorn.access").disabled = True
    # What it says between start and stop (pid, "waiting for …") is in the banner or nobody's business.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.error").addFilter(worth_a_line)
    # It prints whole addresses: those of webhooks hold their owners' secrets.
    logging.getLogger("httpx2").setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


NOISE = ("ASGI callable returned without completing handshake", "Invalid UTF-8 sequence received from client")
"""What uvicorn calls an error although it is a client's doing that was answered: a refused upgrade (we log why), and a
frame closed with 1007. Whoever likes could fill the log with them."""


LINES = Counter(dict.fromkeys(("debug", "info", "warning", "error", "critical"), 0))
"""Of this process, by level."""


def _counted(record: logging.LogRecord) -> bool:
    LINES[record.levelname.lower()] += 1
    return True


def worth_a_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(NOISE)


def _renderer(terminal: bool) -> Processor:
    if terminal:
        return structlog.dev.ConsoleRenderer(timestamp_key="ts")
    return structlog.processors.JSONRenderer(ensure_ascii=False)
