"""asyncapi.yml and protocol/ say the same, both ways; its examples are true, and it obeys AsyncAPI."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from protocol.cells import canonical_changes
from protocol.codec import Encoding, decode
from protocol.dialects import CLASSIC, CODRAW_V1, DIALECTS, SUBPROTOCOLS, TMI, Dialect
from protocol.dialects.endings import CODES, RETURN
from protocol.dialects.inbound import OWN, TABLES
from protocol.dialects.requests import MAX_ID_CHARACTERS, Heartbeat, Operation, Redo, StateRequest, Undo
from protocol.intents import Misedit
from protocol.notices import Side, Troubled
from protocol.operations import Kind, Verb
from protocol.refusals import CellError, CloseCode, Ending, Reason, Trouble
from protocol.values import Limits
from tests.protocol.dialects.samples import AT_MS, NOTICES, ended, rejected, wire
from tests.support.tree import ROOT

Json = dict[str, Any]

DOCUMENT: Json = yaml.load((ROOT / "asyncapi.yml").read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
CHANNELS: Mapping[str, Dialect] = {"classic": CLASSIC, "tmi": TMI, "codraw_v1": CODRAW_V1}
OFFICIAL = (
    Path(os.environ.get("CODRAW_TEST_ASYNCAPI_SCHEMA", "")),
    ROOT / "web/node_modules/@asyncapi/specs/schemas/3.0.0.json",
)


# The document ---------------------------------------------------------------------------------------------------------


def found(document: Json, reference: str) -> Any:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def inlined(document: Json, node: Any) -> Any:
    """`node` with every reference replaced by what it names."""
    if isinstance(node, dict):
        if "$ref" in node:
            return inlined(document, found(document, node["$ref"]))
        return {key: inlined(document, value) for key, value in node.items()}
    return [inlined(document, item) for item in node] if isinstance(node, list) else node


def messages(document: Json, channel: str, by: str) -> dict[str, Json]:
    """`message_type` (or `event`) -> message, of those that `by` (client or server) sends."""
    listed = document["channels"][channel]["messages"]
    return {
        key.removeprefix(f"{by}."): inlined(document, message)
        for key, message in listed.items()
        if key.startswith(f"{by}.")
    }


def described(channel: str, by: str) -> Iterator[tuple[str, Json]]:
    yield from messages(DOCUMENT, channel, by).items()


EVERY = [
    pytest.param(channel, by, name, id=f"{channel}-{by}-{name}")
    for channel in CHANNELS
    for by in ("client", "server")
    for name, _ in described(channel, by)
]


# One form for both ----------------------------------------------------------------------------------------------------

KEPT = ("type", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def normal(schema: Json, definitions: Json) -> Json:
    """What a schema demands, without words and in one spelling; `definitions` are those msgspec refers to."""
    if "$ref" in schema:
        return normal(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if schema.get("x-free-form"):
        return {"type": "object"}
    if schema.get("x-judged-by-rules"):
        return {}
    if "allOf" in schema:
        return merged([normal(part, definitions) for part in schema["allOf"]])
    if "enum" in schema or "const" in schema:
        return {"enum": sorted(schema.get("enum", [schema.get("const")]), key=str)}
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return chosen([normal(option, definitions) for option in options])
    kept = {key: schema[key] for key in KEPT if key in schema}
    if isinstance(places := schema.get("prefixItems", schema.get("items")), list):
        return {"type": "array", "places": [normal(place, definitions) for place in places]}
    if places and (items := normal(places, definitions)):
        kept["items"] = items
    if "properties" in schema:
        kept["properties"] = {key: normal(stripped(part), definitions) for key, part in schema["properties"].items()}
        always = [key for key, part in schema["properties"].items() if part.get("default") is not None]
        kept["required"] = sorted({*schema.get("required", ()), *always})
    return kept


def stripped(schema: Json) -> Json:
    """A member that may be left out may be null as well; the document says so once for all."""
    if "default" in schema and schema["default"] is None:
        [one] = [option for option in schema["anyOf"] if option != {"type": "null"}]
        return dict(one)
    return schema


def chosen(options: list[Json]) -> Json:
    unique = sorted(options, key=lambda option: json.dumps(option, sort_keys=True))
    return {"type": "number"} if unique == [{"type": "integer"}, {"type": "number"}] else {"any": unique}


def merged(parts: list[Json]) -> Json:
    properties = {key: value for part in parts for key, value in part.get("properties", {}).items()}
    required = sorted({key for part in parts for key in part.get("required", ())})
    return {"type": "object", "properties": properties, "required": required}


# What the code says ---------------------------------------------------------------------------------------------------


def shape_of(struct: type[msgspec.Struct]) -> Json:
    [reference], definitions = msgspec.json.schema_components([struct])
    return normal(reference, definitions)


@cache
def sent(dialect: Dialect) -> Mapping[str, type[msgspec.Struct]]:
    """Every message that the dialect's renderings of all notices and endings are made of."""
    rendered = [message for notice in NOTICES for side in Side for message in dialect.render(notice, side)]
    last = [message for ending in Ending for message in dialect.farewell(ended(ending)).messages]
    return {str(type(message).__struct_config__.tag): type(message) for message in [*rendered, *last]}


def taken(dialect: Dialect, kind: str) -> Json:
    """The shape of a client's message, with the type by which it is found and, in codraw.v1's own, `ref`."""
    struct = TABLES[dialect.name][kind]
    shape = shape_of(struct)
    properties = {**shape.get("properties", {}), "message_type": {"enum": [kind]}}
    if dialect is CODRAW_V1 and struct in (*OWN.values(), Operation, Undo, Redo, Heartbeat, StateRequest):
        properties["ref"] = {"type": "string", "maxLength": MAX_ID_CHARACTERS}
    return {
        "type": "object",
        "properties": properties,
        "required": sorted({*shape.get("required", ()), "message_type"}),
    }


def outcome(messages: list[Json]) -> list[str]:
    """Frames by name and the word they carry, as the tables of the document spell them."""
    return [" ".join(filter(None, (name_of(message), word_of(message)))) for message in messages]


def name_of(message: Json) -> str:
    return str(message.get("message_type") or message["event"])


def word_of(message: Json) -> str:
    if name_of(message) == "history_operation":
        return str(message["message"])
    if name_of(message) in ("operation_rejected", "goodbye"):
        return str(message["reason"])
    return str(message.get("error", ""))


# The comparison -------------------------------------------------------------------------------------------------------


def differences(document: Json) -> list[str]:
    return [
        *(line for channel, dialect in CHANNELS.items() for line in channel_differences(document, channel, dialect)),
        *table("x-limits", {key: value["default"] for key, value in document["x-limits"].items()}, limits()),
        *table("x-close-codes", {k: v["return"] for k, v in document["x-close-codes"].items()}, dict(RETURN)),
        *table("x-endings", document["x-endings"], endings()),
        *table("x-refusals", document["x-refusals"], refusals()),
        *table("x-history-refusals", document["x-history-refusals"], history_refusals()),
        *table("x-troubles", {k: without_about(v) for k, v in document["x-troubles"].items()}, troubles()),
    ]


def channel_differences(document: Json, channel: str, dialect: Dialect) -> Iterator[str]:
    read, shown = messages(document, channel, "client"), messages(document, channel, "server")
    yield from table(f"{channel} client", dict.fromkeys(read), dict.fromkeys(TABLES[dialect.name]))
    yield from table(f"{channel} server", dict.fromkeys(shown), dict.fromkeys(sent(dialect)))
    for kind in read.keys() & TABLES[dialect.name].keys():
        yield from table(f"{channel} client {kind}", normal(read[kind]["payload"], {}), taken(dialect, kind))
    for kind in shown.keys() & sent(dialect).keys():
        yield from table(f"{channel} server {kind}", normal(shown[kind]["payload"], {}), shape_of(sent(dialect)[kind]))


def table(place: str, told: Mapping[Any, Any], done: Mapping[Any, Any]) -> Iterator[str]:
    for key in told.keys() - done.keys():
        yield f"{place}: {key} is told and not done"
    for key in done.keys() - told.keys():
        yield f"{place}: {key} is done and not told"
    for key in told.keys() & done.keys():
        if isinstance(told[key], dict) and isinstance(done[key], dict):
            yield from table(f"{place}.{key}", told[key], done[key])
        elif told[key] != done[key]:
            yield f"{place}: {key}: told {told[key]}, done {done[key]}"


def limits() -> Json:
    return dict(msgspec.to_builtins(Limits()))


def endings() -> Json:
    return {ending.value: {name: last_of(dialect, ending) for name, dialect in DIALECTS.items()} for ending in Ending}


def last_of(dialect: Dialect, ending: Ending) -> str:
    last = dialect.farewell(ended(ending))
    return " ".join([*outcome(wire(last.messages)), str(int(last.code))])


def refusals() -> Json:
    told = [reason for reason in Reason if reason not in (Reason.NOTHING_TO_UNDO, Reason.NOTHING_TO_REDO)]
    return {reason.value: answers(reason, Kind.EDIT) for reason in told}


def history_refusals() -> Json:
    told = (Reason.NOTHING_TO_UNDO, Reason.NOTHING_TO_REDO, Reason.PERMISSION_DENIED)
    return {reason.value: answers(reason, Kind.UNDO) for reason in told}


def answers(reason: Reason, kind: Kind) -> Json:
    return {
        name: outcome(wire(dialect.render(rejected(reason, kind), Side.SENDER))) for name, dialect in DIALECTS.items()
    }


def troubles() -> Json:
    return {
        trouble.value: {
            name: word_of(wire(dialect.render(Troubled(trouble, "why", AT_MS), Side.SENDER))[0])
            for name, dialect in DIALECTS.items()
        }
        for trouble in Trouble
    }


def without_about(row: Json) -> Json:
    return {key: value for key, value in row.items() if key != "about"}


def test_document_and_code_say_the_same() -> None:
    found_ = differences(DOCUMENT)
    assert not found_, "\n".join(found_)


PAYLOAD = "components/messages/{}/payload"


def drop(place: str, key: Any) -> Callable[[Json], None]:
    def plant(document: Json) -> None:
        node = found(document, place)
        node.remove(key) if isinstance(node, list) else node.pop(key)

    return plant


def put(place: str, key: str, value: Any) -> Callable[[Json], None]:
    def plant(document: Json) -> None:
        found(document, place)[key] = value

    return plant


PLANTED: Mapping[str, Callable[[Json], None]] = {
    "a client's message": drop("channels/tmi/messages", "client.undo_request"),
    "an undocumented type": put("channels/codraw_v1/messages", "client.shout", {"payload": {"type": "object"}}),
    "a server's message": drop("channels/classic/messages", "server.leave"),
    "a message never sent": put("channels/classic/messages", "server.shout", {"payload": {"type": "object"}}),
    "a member": drop(PAYLOAD.format("v1.server.event") + "/properties", "undo_of"),
    "a member too many": put(PAYLOAD.format("classic.server.leave") + "/properties", "name", {"type": "string"}),
    "a nested member": drop("components/schemas/User/properties", "email"),
    "a required member": drop(PAYLOAD.format("tmi.server.error") + "/required", "timestamp"),
    "a member required too much": put(PAYLOAD.format("family.client.sync_request"), "required", ["update_vector"]),
    "a type": put(PAYLOAD.format("v1.client.resume") + "/properties/epoch", "type", "integer"),
    "a word": drop(PAYLOAD.format("v1.server.state") + "/properties/reason/enum", "overflow"),
    "a word too many": put(PAYLOAD.format("v1.client.presenter") + "/properties/action", "enum", ["grant", "take"]),
    "a bound": put(PAYLOAD.format("family.client.presenter_selection") + "/properties/selected_cells", "maxItems", 9),
    "null": put(
        PAYLOAD.format("v1.client.awareness") + "/properties", "cursor", {"$ref": "#/components/schemas/Point"}
    ),
    "an inner shape": put("components/schemas/OwnOperation/properties", "strict", {"type": "string"}),
    "a ref": drop("components/schemas/OwnBare/properties", "ref"),
    "a limit": drop("x-limits", "undo_depth"),
    "a limit's default": put("x-limits/max_cells_per_operation", "default", 501),
    "a limit in welcome": drop("components/schemas/Limits/properties", "undo_depth"),
    "a close code": drop("x-close-codes", 4408),
    "whether to return": put("x-close-codes", "x", {"return": "no"}),
    "an ending": put("x-endings/slow", "tmi", "error slow 4408"),
    "a refusal": put("x-refusals/conflict_detected", "classic", ["error conflict_detected"]),
    "a refused undo": drop("x-history-refusals", "nothing_to_redo"),
    "a trouble": put("x-troubles/unknown_type", "tmi", "unknown_type"),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_a_planted_difference_is_found(plant: Callable[[Json], None]) -> None:
    document = copy.deepcopy(DOCUMENT)
    plant(document)
    assert differences(document)


# Examples -------------------------------------------------------------------------------------------------------------


def examples(channel: str, by: str, name: str) -> list[Json]:
    return [example["payload"] for example in messages(DOCUMENT, channel, by)[name]["examples"]]


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_every_example_obeys_its_schema(channel: str, by: str, name: str) -> None:
    payload = messages(DOCUMENT, channel, by)[name]["payload"]
    shown = examples(channel, by, name)
    assert shown
    for example in shown:
        jsonschema.Draft7Validator(payload).validate(example)


@pytest.mark.parametrize(("channel", "by", "name"), [case for case in EVERY if case.values[1] == "client"])
def test_every_example_of_a_client_is_understood(channel: str, by: str, name: str) -> None:
    for example in examples(channel, by, name):
        message = decode(json.dumps(example), Encoding.JSON)
        intent = CHANNELS[channel].read(message, limits=Limits())
        assert not isinstance(intent, Misedit), intent


@pytest.mark.parametrize(("channel", "by", "name"), [case for case in EVERY if case.values[1] == "server"])
def test_every_example_of_the_server_is_one_of_its_messages(channel: str, by: str, name: str) -> None:
    struct = sent(CHANNELS[channel])[name]
    for example in examples(channel, by, name):
        message = msgspec.convert(example, struct)
        assert msgspec.json.decode(msgspec.json.encode(message)) == example


@pytest.mark.parametrize("channel", CHANNELS)
def test_whatever_is_rendered_obeys_the_document(channel: str) -> None:
    dialect, schemas = CHANNELS[channel], messages(DOCUMENT, channel, "server")
    validators = {name: jsonschema.Draft7Validator(message["payload"]) for name, message in schemas.items()}
    rendered = [message for notice in NOTICES for message in dialect.render(notice, Side.OTHER)]
    last = [message for ending in Ending for message in dialect.farewell(ended(ending)).messages]
    for frame in wire([*rendered, *last]):
        validators[name_of(frame)].validate(frame)


# The rest of the document ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_operations_list_the_channel_s_messages_by_direction(channel: str) -> None:
    for action, by in (("receive", "client"), ("send", "server")):
        operation = DOCUMENT["operations"][f"{channel}.{action}"]
        assert operation["action"] == action
        assert operation["channel"] == {"$ref": f"#/channels/{channel}"}
        listed = [reference["$ref"].rpartition("/")[2] for reference in operation["messages"]]
        assert listed == [key for key in DOCUMENT["channels"][channel]["messages"] if key.startswith(f"{by}.")]


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_a_message_has_its_name_title_and_dialect(channel: str, by: str, name: str) -> None:
    message = messages(DOCUMENT, channel, by)[name]
    assert message["name"] == name
    assert message["title"]
    assert {"name": CHANNELS[channel].name} in message["tags"]


def test_every_component_is_used() -> None:
    text = json.dumps({key: value for key, value in DOCUMENT.items() if not key.startswith("x-")})
    unused = [
        f"{kind}/{name}"
        for kind, parts in DOCUMENT["components"].items()
        for name in parts
        if f'"#/components/{kind}/{name}"' not in text
    ]
    assert not unused


def test_the_handshake_s_words_are_those_of_the_code() -> None:
    bindings = DOCUMENT["components"]["channelBindings"]["handshake"]["ws"]
    assert set(bindings["query"]["properties"]["dialect"]["enum"]) == set(DIALECTS)
    assert set(bindings["headers"]["properties"]["Sec-WebSocket-Protocol"]["enum"]) == set(SUBPROTOCOLS)
    for channel in DOCUMENT["channels"].values():
        assert set(channel["parameters"]) == {"threat_model_id", "diagram_id"}
        assert channel["address"] == "/threat_models/{threat_model_id}/diagrams/{diagram_id}/ws"


def test_every_close_code_of_the_code_is_documented() -> None:
    assert set(DOCUMENT["x-close-codes"]) == set(map(int, CloseCode)) >= set(map(int, CODES.values()))


def test_every_event_has_its_three_looks() -> None:
    assert list(DOCUMENT["x-events"]) == [f"E{n}" for n in range(1, 10)]
    for looks in DOCUMENT["x-events"].values():
        assert looks.keys() == {"about", *DIALECTS}


CHANGE: Json = DOCUMENT["components"]["schemas"]["CellChange"]


def test_the_words_of_a_change_are_the_verbs() -> None:
    for schema in (CHANGE, DOCUMENT["components"]["schemas"]["CellEntry"]):
        assert schema["properties"]["operation"]["enum"] == list(Verb)


@pytest.mark.parametrize("member", CHANGE["required"])
def test_what_a_change_requires_is_required(member: str) -> None:
    change = {"id": "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6", "operation": "remove"}
    assert canonical_changes([change], free_ids=False, limits=Limits())
    with pytest.raises(CellError):
        canonical_changes([{k: v for k, v in change.items() if k != member}], free_ids=False, limits=Limits())


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_a_payload_is_a_schema(channel: str, by: str, name: str) -> None:
    jsonschema.Draft7Validator.check_schema(messages(DOCUMENT, channel, by)[name]["payload"])


def test_every_reference_names_something() -> None:
    assert "$ref" not in json.dumps(inlined(DOCUMENT, DOCUMENT))


def official_schema() -> Json:
    path = next((path for path in OFFICIAL if path.is_file()), None)
    if path is None:
        pytest.skip("AsyncAPI's own schema is not here: npm install @asyncapi/specs, or CODRAW_TEST_ASYNCAPI_SCHEMA")
    return dict(json.loads(path.read_text("utf-8")))


def test_the_document_obeys_asyncapi_3() -> None:
    schema = official_schema()
    plain = json.loads(json.dumps(DOCUMENT))
    jsonschema.Draft7Validator(schema).validate(plain)
    del plain["operations"]["tmi.send"]["action"]
    assert not jsonschema.Draft7Validator(schema).is_valid(plain)
