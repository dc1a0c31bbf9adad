"""The pages at /docs and /docs/rest: openapi.yml as a list of calls, and in a reader that can also make them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from rest.wire_page import HEAD, NO_ID, prose

Json = Mapping[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
PLACES = (
    ("/docs/rest", "Read and try the calls"),
    ("/docs/ws", "WebSocket messages"),
    ("/openapi.yml", "openapi.yml"),
    ("/asyncapi.yml", "asyncapi.yml"),
)
SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)[^>]*>(.*?)</script", re.DOTALL | re.IGNORECASE)
LINE_ENDS = re.compile(r"\r\n?")


def index(document: Json) -> str:
    """`document` is openapi.yml, parsed. Everything in it is escaped."""
    body = [_header(document["info"]), "<main>", *_groups(document), "</main>"]
    return "\n".join([HEAD.format(title="HTTP calls") + "<body>", *body, "</body>", "</html>", ""])


def _header(info: Json) -> str:
    links = "".join(f'<li><a href="{path}">{escape(text)}</a></li>' for path, text in PLACES)
    return (
        '<header><p class="brand"><a href="/">codraw</a></p>'
        f"<h1>{escape(info['summary'])}</h1><nav><ul>{links}</ul></nav></header>"
    )


def _groups(document: Json) -> Iterator[str]:
    """A table of calls for each tag, in the order of the document."""
    for tag in document["tags"]:
        name = tag["name"]
        yield f'<section id="{NO_ID.sub("-", name.lower())}"><h2>{escape(name.capitalize())}</h2>'
        if "description" in tag:
            yield prose(tag["description"])
        rows = "".join(
            f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(call['summary'])}</td></tr>"
            for path, method, call in _calls(document)
            if call["tags"] == [name]
        )
        yield f'<div class="wide"><table>{rows}</table></div></section>'


def _calls(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def reader(template: str) -> tuple[str, str]:
    """The page of offapi's `template` over our document, and the content policy under which it works.

    Its scripts stand in the page. Each is allowed by what it is, so that nothing else can run, and nothing is fetched
    from anywhere but here.
    """
    # The browser reads every line end as LF before it compares a script with its hash.
    html = LINE_ENDS.sub("\n", template.format(spec_url="/openapi.yml"))
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in SCRIPT.findall(html))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
