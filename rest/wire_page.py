"""The page at /docs/ws: asyncapi.yml as a person reads it, in plain HTML without a script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

Json = Mapping[str, Any]

CODE = re.compile(r"`([^`]+)`")
NAMED_TABLE = re.compile(r"<code>(x-[a-z-]+)</code>")
NO_ID = re.compile(r"[^a-z0-9.]+")
BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "{} characters or more",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "pattern": "{}",
}
NOT_SHOWN = "–"
DIALECTS = ("classic", "tmi", "codraw.v1")
DIRECTIONS = (("client", "You send"), ("server", "You are told"))
TABLES = (
    ("x-close-codes", "Close codes", "code"),
    ("x-endings", "How each cause ends a socket", "cause"),
    ("x-refusals", "What the sender of a refused operation is told", "reason"),
    ("x-history-refusals", "The same for undo and redo", "reason"),
    ("x-troubles", "Errors after which the socket stays open", "what is wrong"),
    ("x-events", "One event, three looks", "event"),
    ("x-limits", "Limits", "limit"),
    ("x-handshake", "Refused before the upgrade", ""),
    ("x-other-moments", "What has no transcript", ""),
)
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>codraw: {title}</title>
<link rel="icon" href="/web/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/web/docs.css">
</head>
"""


def page(document: Json) -> str:
    """`document` is asyncapi.yml, parsed. Everything in it is escaped."""
    channels = list(document["channels"].items())
    body = [
        header(document, channels),
        "<main>",
        *moments(document["x-moments"]),
        *(part for name, channel in channels for part in dialect(document, name, channel)),
        *shapes(document),
        *(table(document[key], key, title, first) for key, title, first in TABLES),
        "</main>",
    ]
    return "\n".join([HEAD.format(title="WebSocket messages") + "<body>", *body, "</body>", "</html>", ""])


def header(document: Json, channels: Sequence[tuple[str, Json]]) -> str:
    places = [("x-moments", "What do I receive when …"), *((name, spoken(channel)) for name, channel in channels)]
    places += [("shapes", "Shapes"), *((key, title) for key, title, _ in TABLES)]
    links = "".join(f'<li><a href="#{id}">{escape(title)}</a></li>' for id, title in places)
    info = document["info"]
    return (
        f'<header><p class="brand"><a href="/">codraw</a></p><h1>{escape(info["title"])}</h1>'
        f"<nav><ul>{links}</ul></nav><div>{prose(info['description'])}</div>"
        '<p>The same for programs: <a href="/asyncapi.yml">asyncapi.yml</a></p></header>'
    )


def moments(rows: Sequence[Json]) -> Iterator[str]:
    yield '<section id="x-moments"><h2>What do I receive when … <code>x-moments</code></h2>'
    for group in dict.fromkeys(row["group"] for row in rows):
        inside = [row for row in rows if row["group"] == group]
        links = "".join(f'<li><a href="#when.{identity(row["when"])}">{escape(row["when"])}</a></li>' for row in inside)
        yield f'<h3>{escape(group)}</h3><ul class="index">{links}</ul>'
        yield from map(moment, inside)
    yield "</section>"


def moment(row: Json) -> str:
    names = [name for name in DIALECTS if any(name in by for by in row["told"].values())]
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("told", *names))
    lines = [
        f"<tr><th>{escape(who)}</th>{''.join(f'<td>{cell(by.get(name, NOT_SHOWN))}</td>' for name in names)}</tr>"
        for who, by in row["told"].items()
    ]
    about = f"<p>{prose_line(row['about'])}</p>" if row.get("about") else ""
    return (
        f'<article id="when.{identity(row["when"])}"><h4>{escape(row["when"])}</h4>{about}'
        f'<div class="wide"><table><tr>{heads}</tr>{"".join(lines)}</table></div>'
        f"<p><b>Then:</b> {prose_line(row['then'])}</p></article>"
    )


def dialect(document: Json, name: str, channel: Json) -> Iterator[str]:
    title = spoken(channel)
    yield f'<section id="{name}"><h2>{escape(title)}</h2><p><code>{escape(channel["address"])}</code></p>'
    yield prose(channel["description"])
    for by, heading in DIRECTIONS:
        listed = {key: found(document, one["$ref"]) for key, one in channel["messages"].items() if key.startswith(by)}
        links = "".join(
            f'<li><a href="#{name}.{key}"><code>{escape(one["name"])}</code></a> {escape(one["title"])}</li>'
            for key, one in listed.items()
        )
        yield f'<h3 id="{name}.{by}">{heading}</h3><ul class="index">{links}</ul>'
        yield from (message(document, f"{name}.{key}", one) for key, one in listed.items())
    yield "</section>"


def message(document: Json, id: str, one: Json) -> str:
    examples = [
        f"<figure><figcaption>{escape(example.get('name', ''))}</figcaption>"
        f"<pre>{escape(json.dumps(example['payload'], ensure_ascii=False, indent=2))}</pre></figure>"
        for example in one["examples"]
    ]
    return (
        f'<article id="{id}"><h4><code>{escape(one["name"])}</code> {escape(one["title"])}</h4>'
        f"<p>{prose_line(one['summary'])}</p>{fields(document, one['payload'])}"
        f"<details><summary>Example{'s' if len(examples) > 1 else ''}</summary>{''.join(examples)}</details></article>"
    )


def shapes(document: Json) -> Iterator[str]:
    yield '<section id="shapes"><h2>Shapes</h2>'
    for name, schema in document["components"]["schemas"].items():
        about = prose(schema["description"]) if "description" in schema else ""
        inside = fields(document, schema) or f"<p>{kind(schema)}</p>"
        yield f'<article id="shape.{name}"><h4>{escape(name)}</h4>{about}{inside}</article>'
    yield "</section>"


def fields(document: Json, schema: Json) -> str:
    rows = [
        f"<tr><td><code>{escape(path)}</code></td><td>{kind(part)}</td><td>{'yes' if required else ''}</td>"
        f"<td>{prose_line(part.get('description', ''))}</td></tr>"
        for path, part, required in members(document, schema)
    ]
    heads = "<tr><th>member</th><th>type</th><th>always</th><th></th></tr>"
    return f'<div class="wide"><table>{heads}{"".join(rows)}</table></div>' if rows else ""


def members(document: Json, schema: Json, place: str = "") -> Iterator[tuple[str, Json, bool]]:
    """Path, schema and whether it is required, in order; a shape with a name of its own is not gone into."""
    for part in schema.get("allOf", ()):
        yield from members(document, found(document, part["$ref"]) if "$ref" in part else part, place)
    for name, part in schema.get("properties", {}).items():
        yield f"{place}{name}", part, name in schema.get("required", ())
        items = part.get("items")
        yield from members(document, part, f"{place}{name}.")
        if isinstance(items, Mapping):
            yield from members(document, items, f"{place}{name}[].")


def kind(schema: Json) -> str:
    """What a value may be, as HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#shape.{name}">{escape(name)}</a>'
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    if "oneOf" in schema:
        return " or ".join(map(kind, schema["oneOf"]))
    if "items" in schema:
        items = schema["items"]
        inside = ", ".join(map(kind, items)) if isinstance(items, list) else kind(items)
        return f"array of {inside}{bounds(schema)}"
    return escape(str(schema.get("format") or schema.get("type", "any value"))) + bounds(schema)


def bounds(schema: Json) -> str:
    told = [words.format(schema[key]) for key, words in BOUNDS.items() if key in schema]
    return escape(f" ({', '.join(told)})") if told else ""


def table(rows: Json | Sequence[Json], key: str, title: str, first: str) -> str:
    """A mapping of rows, or of words, or a list of rows."""
    lines = [({first: key} | flat(row)) for key, row in rows.items()] if isinstance(rows, Mapping) else rows
    heads = list(dict.fromkeys(key for line in lines for key in line))
    body = "".join(f"<tr>{''.join(f'<td>{cell(line.get(head))}</td>' for head in heads)}</tr>" for line in lines)
    return (
        f'<section id="{key}"><h2>{escape(title)} <code>{key}</code></h2><div class="wide"><table>'
        f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{body}</table></div></section>"
    )


def flat(row: Json | str) -> dict[str, Any]:
    return {"": row} if isinstance(row, str) else dict(row)


def cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(prose_line, value)) or NOT_SHOWN
    return "" if value is None else prose_line(str(value))


def prose(text: str) -> str:
    """Paragraphs, and the tables of the description, which Markdown draws with bars."""
    return "".join(map(_block, re.split(r"\n\s*\n", text.strip())))


def _block(text: str) -> str:
    if not text.startswith("|"):
        return f"<p>{prose_line(text)}</p>"
    head, _, *rows = ([part.strip() for part in line.strip("| ").split("|")] for line in text.splitlines())
    return f'<div class="wide"><table>{_row(head, "th")}{"".join(_row(row, "td") for row in rows)}</table></div>'


def _row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{prose_line(text)}</{tag}>' for text in cells)}</tr>"


def prose_line(text: str) -> str:
    return NAMED_TABLE.sub(r'<a href="#\1"><code>\1</code></a>', CODE.sub(r"<code>\1</code>", escape(text)))


def found(document: Json, reference: str) -> Any:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def spoken(channel: Json) -> str:
    return str(channel["tags"][0]["name"])


def identity(title: str) -> str:
    return NO_ID.sub("-", title.lower()).strip("-")
