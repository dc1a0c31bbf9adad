"""asyncapi.yml and protocol/ say the same, both ways; its examples are true, and it obeys AsyncAPI."""

from __future__ import annotations

import ast
import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from protocol.cell_keys import KEY_RULES, SHAPE_ALIASES
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
from tests.support import contract
from tests.support.asyncapi import DOCUMENT, Json, found, inlined, judge, messages
from tests.support.needs import need
from tests.support.tree import ROOT

CHANNELS: Mapping[str, Dialect] = {"classic": CLASSIC, "tmi": TMI, "codraw_v1": CODRAW_V1}


# The document ---------------------------------------------------------------------------------------------------------


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


def rendered(dialect: Dialect) -> list[msgspec.Struct]:
    """What the dialect makes of a notice of every kind, for every side, and of every ending."""
    said = [message for notice in NOTICES for side in Side for message in dialect.render(notice, side)]
    lasts = [ended(ending, retry_after_ms=wait) for ending in Ending for wait in (None, 1_800)]
    return [*said, *(message for last in lasts for message in dialect.farewell(last).messages)]


@cache
def sent(dialect: Dialect) -> Mapping[str, type[msgspec.Struct]]:
    """Every message that the dialect's renderings of all notices and endings are made of."""
    return {str(type(message).__struct_config__.tag): type(message) for message in rendered(dialect)}


@cache
def looks(dialect: Dialect) -> Mapping[str, set[frozenset[str]]]:
    """The sets of members with which each message is really sent."""
    found_: dict[str, set[frozenset[str]]] = {}
    for frame in wire(rendered(dialect)):
        found_.setdefault(name_of(frame), set()).add(frozenset(frame))
    return found_


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
        *table("x-close-codes", {k: v["return"] for k, v in document["x-close-codes"].items()}, returns()),
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


def returns() -> Json:
    return {str(int(code)): word for code, word in RETURN.items()}


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
    "a close code": drop("x-close-codes", "4408"),
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
    given = examples(channel, by, name)
    assert given
    for example in given:
        jsonschema.Draft7Validator(payload).validate(example)


def members(schema: Json, place: str = "") -> set[str]:
    """Every member that a message can have, by its path; what is free of form has none that are its own."""
    if schema.get("x-free-form"):
        return set()
    inside = {
        name: part for one in [schema, *schema.get("allOf", ())] for name, part in one.get("properties", {}).items()
    }
    deeper = [members(part, f"{place}.{name}") for name, part in inside.items()]
    options = [*schema.get("oneOf", ()), *([schema["items"]] if isinstance(schema.get("items"), dict) else ())]
    return {f"{place}.{name}" for name in inside}.union(*deeper, *(members(part, place) for part in options))


def shown(example: Any, place: str = "") -> set[str]:
    if isinstance(example, list):
        return set().union(*(shown(item, place) for item in example))
    if not isinstance(example, dict):
        return set()
    return {f"{place}.{name}" for name in example}.union(*(shown(v, f"{place}.{k}") for k, v in example.items()))


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_every_member_stands_in_an_example(channel: str, by: str, name: str) -> None:
    possible = members(messages(DOCUMENT, channel, by)[name]["payload"])
    assert sorted(possible - shown(examples(channel, by, name))) == []


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_every_message_says_when_it_is_sent(channel: str, by: str, name: str) -> None:
    assert messages(DOCUMENT, channel, by)[name].get("summary")


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


@pytest.mark.parametrize(("channel", "by", "name"), [case for case in EVERY if case.values[1] == "server"])
def test_every_example_of_the_server_has_the_members_of_a_real_message(channel: str, by: str, name: str) -> None:
    for example in examples(channel, by, name):
        assert frozenset(example) in looks(CHANNELS[channel])[name]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_whatever_is_rendered_obeys_the_document(dialect: Dialect) -> None:
    for frame in wire(rendered(dialect)):
        judge(dialect.name, frame)


JOIN = {"event": "join", "user_id": "bob@example.com", "timestamp": "2026-11-21T10:05:00Z"}


@pytest.mark.parametrize(
    "frame",
    [
        {**JOIN, "event": "shout"},
        {**JOIN, "user_id": 7},
        {**JOIN, "name": "Bob"},
        {key: value for key, value in JOIN.items() if key != "timestamp"},
    ],
    ids=["a kind", "a type", "a member too many", "a member too few"],
)
def test_a_frame_that_is_not_promised_is_found(frame: Json) -> None:
    judge("classic", JOIN)
    with pytest.raises(AssertionError):
        judge("classic", frame)


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
    assert set(map(int, DOCUMENT["x-close-codes"])) == set(CloseCode) >= set(CODES.values())


def test_every_refusal_before_the_upgrade_is_documented() -> None:
    calls = [
        [ast.literal_eval(argument) for argument in node.args[:2]]
        for path in ("collab/handshake.py", "collab/endpoint.py")
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused"
    ]
    assert {tuple(call) for call in calls} == {(row["status"], row["error"]) for row in DOCUMENT["x-handshake"]}


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


CELL = found(DOCUMENT, "#/components/schemas/Cell")
OPENAPI: Json = contract.document()
POINT = {"x": 0, "y": 1.5}
VALUES: list[Any] = [
    *(None, True, 0, -1.5, "", "a", "-a", "A", "é", "a b", "a" * 64, "a" * 65, "a" * 128, "a" * 129),
    *("a" * 1_024, "a" * 1_025, {}, POINT, {"x": 0}, {"cell": "a"}, {"cell": "a b"}, {"items": "a"}),
    *({"cell": "a", "port": "p" * length} for length in (64, 65)),
    *([item] * length for item in ("a", "a b", {}, POINT, {"x": 0, "y": "1"}) for length in (1, 1_000, 1_001)),
    *({"items": [{}] * length} for length in (1_000, 1_001)),
]
"""At and beyond every bound of a cell's keys."""


@pytest.mark.parametrize("document", [DOCUMENT, OPENAPI], ids=["asyncapi", "openapi"])
@pytest.mark.parametrize("key", KEY_RULES)
def test_OP15_a_key_of_a_cell_holds_what_the_documents_say(document: Json, key: str) -> None:
    schema = inlined(document, found(document, "#/components/schemas/Cell")["properties"][key])
    for value in VALUES:
        try:
            canonical = KEY_RULES[key](value)
        except ValueError:
            canonical = value
            taken = False
        else:
            taken = True
        assert jsonschema.Draft7Validator(schema).is_valid(canonical) == taken, value


def test_OP15_the_document_names_the_other_words_for_shapes() -> None:
    for word in SHAPE_ALIASES:
        for text in (CELL["description"], OPENAPI["components"]["schemas"]["CellInput"]["description"]):
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", text), word


@pytest.mark.parametrize(("channel", "by", "name"), EVERY)
def test_a_payload_is_a_schema(channel: str, by: str, name: str) -> None:
    jsonschema.Draft7Validator.check_schema(messages(DOCUMENT, channel, by)[name]["payload"])


def test_every_reference_names_something() -> None:
    assert "$ref" not in json.dumps(inlined(DOCUMENT, DOCUMENT))


SUGGESTED = {"asyncapi-latest-version"}
"""What the parser may say of a document that is right: that there is a newer AsyncAPI."""


def parsed(*paths: Path) -> list[Json]:
    """What AsyncAPI's own parser makes of these documents."""
    node = need("node")
    need("npm")
    command = [node, ROOT / "tests/node/asyncapi.js", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_asyncapi_s_own_parser_takes_the_document_and_no_broken_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text((ROOT / "asyncapi.yml").read_text("utf-8").replace("    action: send\n", "", 1), "utf-8")
    ours, other = parsed(ROOT / "asyncapi.yml", broken)
    assert ours["understood"]
    assert [fault for fault in ours["said"] if fault["code"] not in SUGGESTED] == []
    assert not other["understood"]
