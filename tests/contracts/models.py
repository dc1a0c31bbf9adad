"""What Models and the Authorizer owe, `rest.ports.Models` sentence by sentence."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec
import pytest

from collab.core.events import Gone, Missed
from collab.core.meeting import Session
from collab.ports import Authorizer, DiagramStore, NewSession, SessionStore, StoredDiagram
from protocol.dialects.times import rfc3339
from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Epoch, Role, RoleAt, SessionId, ThreatModelId, User
from rest.ports import (
    Accounts,
    Between,
    Changed,
    Counts,
    DiagramRow,
    Entry,
    Filters,
    Item,
    ItemFilters,
    ItemId,
    ItemKind,
    Models,
    NewDiagram,
    Page,
    ThreatModel,
    but,
)
from tests.contracts.worlds import ANA, BO, CELLS, CY, EPOCH, D, Hands, batch, caller, grow, new_diagram, operation

M = ThreatModelId("m")
EVERYONE = "everyone"
ALL = Filters()
FIRST = Page()
ISSUE = {"issue_uri": "https://tracker.example/issues/7"}


class ModelWorld(Protocol):
    @property
    def clock(self) -> Hands: ...
    @property
    def models(self) -> Models: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def diagrams(self) -> DiagramStore: ...
    @property
    def sessions(self) -> SessionStore: ...
    @property
    def authorizer(self) -> Authorizer: ...


def model(id: str = "m", owner: User = ANA, *entries: Entry, **more: Any) -> ThreatModel:
    values: dict[str, Any] = {
        "id": ThreatModelId(id),
        "owner": owner,
        "created_by": owner,
        "created_at_ms": 0,
        "modified_at_ms": 0,
        "fields": {"name": f"Model {id}"},
        "entries": entries,
        "metadata": {},
    }
    return ThreatModel(**(values | more))


def user_entry(user: User, role: Role) -> Entry:
    return Entry("user", role, user.provider, user.provider_id, user.email)


def group_entry(name: str, role: Role, provider: str | None = None) -> Entry:
    return Entry("group", role, provider=provider, name=name)


def item(id: str, **more: Any) -> Item:
    values: dict[str, Any] = {"id": ItemId(id), "threat_model_id": M, "fields": {}, "metadata": {}}
    return Item(**(values | {"created_at_ms": 0, "modified_at_ms": 0} | more))


async def diagram_in(world: ModelWorld, model_id: str, id: str) -> None:
    new = msgspec.structs.replace(new_diagram(DiagramId(id), CELLS), threat_model_id=ThreatModelId(model_id))
    assert await world.models.create_diagram(new) is not None


async def row_of(world: ModelWorld) -> DiagramRow:
    found = await world.models.diagram(D)
    assert found is not None
    return found


async def acl_version(world: ModelWorld, id: DiagramId = D) -> int:
    return (await world.diagrams.heads([id]))[id].acl_version


async def names(world: ModelWorld, who: Caller, filters: Filters = ALL, page: Page = FIRST) -> list[str]:
    found, total = await world.models.readable(who, filters, page)
    if (page.limit, page.offset) == (20, 0):
        assert total == len(found)
    return [found.id for found, _ in found]


class ModelsContract:
    """A subclass gives the fixture `world`."""

    # threat models

    async def test_RE7_a_threat_model_is_read_back_whole(self, world: ModelWorld) -> None:
        given = model(
            "m",
            ANA,
            user_entry(BO, Role.WRITER),
            group_entry("staff", Role.READER, "test"),
            Entry("user", Role.READER, email="Nobody@Example.com"),
            fields={"name": "é", "unknown": [1, None, {"deep": 1.5}], "status": "open"},
            metadata={"b": "1", "a": "2"},
            created_by=BO,
        )
        created = await world.models.create(given)
        now_ms = world.clock.ms
        assert created == msgspec.structs.replace(given, created_at_ms=now_ms, modified_at_ms=now_ms)
        found = await world.models.read(M)
        assert found == created
        assert found is not None
        assert list(found.metadata) == ["b", "a"]
        assert await world.models.read(ThreatModelId("never")) is None

    async def test_a_change_replaces_what_it_writes_and_raises_the_version(self, world: ModelWorld) -> None:
        created = await world.models.create(model("m", ANA, user_entry(BO, Role.READER)))
        world.clock.turn(1)
        wanted = msgspec.structs.replace(
            created,
            owner=BO,
            fields={"name": "Other"},
            entries=(user_entry(ANA, Role.OWNER), user_entry(CY, Role.READER)),
            metadata={"k": "v"},
        )
        assert await world.models.change(wanted) is Changed.DONE
        expected = msgspec.structs.replace(wanted, modified_at_ms=world.clock.ms, version=2)
        assert await world.models.read(M) == expected

    async def test_a_change_of_a_model_that_moved_on_is_stale(self, world: ModelWorld) -> None:
        created = await world.models.create(model())
        assert await world.models.change(created) is Changed.DONE
        stale = msgspec.structs.replace(created, owner=BO)
        assert await world.models.change(stale) is Changed.STALE
        found = await world.models.read(M)
        assert found is not None
        assert found.owner == ANA
        assert await world.models.change(model("never")) is Changed.GONE

    @pytest.mark.parametrize(
        ("to", "raised"),
        [
            ({"fields": {"name": "Other"}}, 0),
            ({"metadata": {"k": "v"}}, 0),
            ({"owner": BO}, 1),
            ({"entries": (user_entry(BO, Role.READER),)}, 1),
            ({"entries": ()}, 1),
        ],
    )
    async def test_AU15_I25_a_change_of_rights_raises_the_permission_clock(
        self, world: ModelWorld, to: dict[str, Any], raised: int
    ) -> None:
        created = await world.models.create(model("m", ANA, user_entry(BO, Role.WRITER)))
        await diagram_in(world, "m", "d")
        await diagram_in(world, "m", "d2")
        await world.models.create(model("other"))
        await diagram_in(world, "other", "elsewhere")
        base = (await world.diagrams.heads([D]))[D]
        await world.models.change(msgspec.structs.replace(created, **to))
        assert await acl_version(world) == await acl_version(world, DiagramId("d2")) == base.acl_version + raised
        assert await acl_version(world, DiagramId("elsewhere")) == 1
        missed = await world.diagrams.commit(D, batch(base, operation(1, BO)))
        assert isinstance(missed, Missed) == bool(raised)

    async def test_SES21_a_deleted_model_takes_everything_below_it(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        await diagram_in(world, "m", "d2")
        await world.models.create_items(ItemKind.THREAT, [item("t")])
        base = (await world.diagrams.heads([D]))[D]
        session = await world.sessions.create(NewSession(SessionId("s"), D, ANA))
        assert isinstance(session, Session)
        assert await world.models.delete(M) == [D, "d2"]
        assert await world.models.read(M) is None
        assert await world.models.diagram(D) is None
        assert await world.models.item(ItemKind.THREAT, ItemId("t")) is None
        assert await world.diagrams.load(D) == Gone()
        assert await world.diagrams.commit(D, batch(base, operation(1))) == Gone()
        assert await world.authorizer.role(caller(ANA), D) == Gone()
        ended = await world.sessions.read(SessionId("s"))
        assert ended == msgspec.structs.replace(session, version=2, ended=Ending.THREAT_MODEL_DELETED)
        assert await world.models.delete(M) == []

    async def test_RE32_a_model_of_another_version_is_not_deleted(self, world: ModelWorld) -> None:
        created = await world.models.create(model())
        await diagram_in(world, "m", "d")
        await world.models.change(created)
        assert await world.models.delete(M, version=created.version) is None
        assert await world.models.diagram(D) is not None
        assert await world.models.delete(M, version=created.version + 1) == [D]

    # roles

    @pytest.mark.parametrize(
        ("entries", "who", "role"),
        [
            ((), caller(ANA), Role.OWNER),
            ((), caller(BO), Role.NONE),
            ((user_entry(BO, Role.READER),), caller(BO), Role.READER),
            ((user_entry(BO, Role.WRITER),), caller(CY), Role.NONE),
            ((user_entry(ANA, Role.READER),), caller(ANA), Role.OWNER),
            ((user_entry(BO, Role.READER), group_entry("staff", Role.WRITER)), caller(BO, "staff"), Role.WRITER),
            ((user_entry(BO, Role.OWNER), group_entry("staff", Role.READER)), caller(BO, "staff"), Role.OWNER),
            ((group_entry("staff", Role.WRITER, "test"),), caller(BO, "other", "staff"), Role.WRITER),
            ((group_entry("staff", Role.WRITER, "test"),), caller(CY, "staff"), Role.NONE),
            ((group_entry("staff", Role.WRITER),), caller(CY, "staff"), Role.WRITER),
            ((group_entry("staff", Role.WRITER),), caller(CY, "Staff", "staf", "staff%"), Role.NONE),
            ((group_entry(EVERYONE, Role.READER),), caller(CY), Role.READER),
            ((group_entry(EVERYONE, Role.READER, "test"),), caller(CY), Role.READER),
            ((Entry("user", Role.WRITER, "test", None, BO.email),), caller(BO), Role.NONE),
            ((Entry("user", Role.WRITER, "other", "bo", BO.email),), caller(BO), Role.NONE),
            ((Entry("user", Role.WRITER, "tmi", "bo"),), caller(BO), Role.WRITER),
            ((group_entry("staff", Role.WRITER, "tmi"),), caller(BO, "staff"), Role.WRITER),
        ],
    )
    async def test_AU16_AU18_the_highest_role_counts(
        self, world: ModelWorld, entries: tuple[Entry, ...], who: Caller, role: Role
    ) -> None:
        await world.models.create(model("m", ANA, *entries))
        await diagram_in(world, "m", "d")
        assert await world.models.role(who, M) is role
        assert await world.authorizer.role(who, D) == RoleAt(role, 1)
        readable = role >= Role.READER
        assert await names(world, who) == (["m"] if readable else [])
        assert await world.models.readable_diagrams(who) == ([D] if readable else [])

    async def test_AU19_the_role_on_an_unknown_model_is_none_at_all(self, world: ModelWorld) -> None:
        assert await world.models.role(caller(ANA), M) is None
        assert await world.authorizer.role(caller(ANA), D) == Gone()

    async def test_an_alias_of_a_provider_is_kept_under_its_own_name(self, world: ModelWorld) -> None:
        await world.models.create(model("m", ANA, Entry("user", Role.WRITER, "tmi", "bo")))
        found = await world.models.read(M)
        assert found is not None
        assert found.entries == (Entry("user", Role.WRITER, "test", "bo"),)

    # entries by address

    async def test_AU18_an_address_is_bound_at_the_first_verified_sign_in(self, world: ModelWorld) -> None:
        created = await world.models.create(model("m", ANA, Entry("user", Role.WRITER, email="BO@example.com")))
        await diagram_in(world, "m", "d")
        await world.accounts.remember(caller(BO, email_verified=False))
        assert await world.models.role(caller(BO), M) is Role.NONE
        assert await acl_version(world) == 1
        await world.accounts.remember(caller(BO))
        assert await world.authorizer.role(caller(BO), D) == RoleAt(Role.WRITER, 2)
        twin = User("other", "bo", BO.email, "Another")
        await world.accounts.remember(caller(twin))
        assert await world.models.role(caller(twin), M) is Role.NONE
        assert await acl_version(world) == 2
        found = await world.models.read(M)
        assert found is not None
        assert found.entries == (Entry("user", Role.WRITER, "test", "bo", "BO@example.com"),)
        assert found.version == created.version + 1

    async def test_an_address_at_a_provider_waits_for_that_provider(self, world: ModelWorld) -> None:
        await world.models.create(model("m", ANA, Entry("user", Role.WRITER, "other", email=BO.email)))
        await world.accounts.remember(caller(BO))
        assert await world.models.role(caller(BO), M) is Role.NONE
        theirs = User("other", "x", BO.email, "Bo at other")
        await world.accounts.remember(caller(theirs))
        assert await world.models.role(caller(theirs), M) is Role.WRITER

    async def test_the_address_of_one_known_person_is_bound_at_once(self, world: ModelWorld) -> None:
        await world.accounts.remember(caller(BO))
        created = await world.models.create(model("m", ANA, Entry("user", Role.READER, email="bo@EXAMPLE.com")))
        assert created.entries == (Entry("user", Role.READER, "test", "bo", "bo@EXAMPLE.com"),)
        assert await world.models.role(caller(BO), M) is Role.READER

    async def test_a_change_binds_too_and_does_not_count_as_one_where_it_comes_to_the_same(
        self, world: ModelWorld
    ) -> None:
        await world.accounts.remember(caller(BO))
        by_address = Entry("user", Role.READER, email=BO.email)
        created = await world.models.create(model("m", ANA, by_address))
        await diagram_in(world, "m", "d")
        await world.models.change(msgspec.structs.replace(created, entries=(by_address,)))
        assert await acl_version(world) == 1
        found = await world.models.read(M)
        assert found is not None
        assert found.entries == created.entries

    async def test_an_address_of_several_people_is_bound_to_none(self, world: ModelWorld) -> None:
        twin = User("other", "bo", BO.email, "Another")
        await world.accounts.remember(caller(BO))
        await world.accounts.remember(caller(twin))
        unbound = Entry("user", Role.READER, email=BO.email)
        created = await world.models.create(model("m", ANA, unbound))
        assert created.entries == (unbound,)
        for who in (BO, twin):
            assert await world.models.role(caller(who), M) is Role.NONE
        assert await world.models.known_users(BO.email) == [twin, BO]
        await world.models.create(model("m2", ANA, Entry("user", Role.READER, "test", email=BO.email)))
        assert await world.models.role(caller(BO), ThreatModelId("m2")) is Role.READER

    async def test_who_was_named_by_address_and_by_identity_has_one_entry(self, world: ModelWorld) -> None:
        by_address = [Entry("user", Role.WRITER, email=spelled) for spelled in (BO.email, BO.email.upper() + " ")]
        by_identity = Entry("user", Role.READER, BO.provider, BO.provider_id)
        await world.models.create(model("m", ANA, by_identity, *by_address, Entry("group", Role.READER, name="team")))
        await world.accounts.remember(caller(BO))
        found = await world.models.read(M)
        assert found is not None
        assert found.entries == (
            Entry("user", Role.WRITER, BO.provider, BO.provider_id, BO.email),
            Entry("group", Role.READER, name="team"),
        )
        assert await world.models.role(caller(BO), M) is Role.WRITER

    # lists

    async def listed(self, world: ModelWorld) -> None:
        """Three of ANA's, created c, b, a; changed b last."""
        for id, name, more in (
            ("c", "Beta", {"status": "open", "description": "The online shop"}),
            ("b", "alpha 100%_\\", {"status": "closed", "security_reviewer": {"email": "Rev@Example.com"}, **ISSUE}),
            ("a", "ALPHA two", {"status": 7, "security_reviewer": "rev@example.com"}),
        ):
            await world.models.create(model(id, ANA, fields={"name": name, **more}))
            world.clock.turn(1)
        found = await world.models.read(ThreatModelId("b"))
        assert found is not None
        await world.models.change(found)

    @pytest.mark.parametrize(
        ("page", "expected"),
        [
            (Page(), ["c", "b", "a"]),
            (Page(descending=True), ["a", "b", "c"]),
            (Page(sort="name"), ["b", "a", "c"]),
            (Page(sort="name", descending=True), ["c", "a", "b"]),
            (Page(sort="modified_at"), ["c", "a", "b"]),
            (Page(limit=2), ["c", "b"]),
            (Page(limit=2, offset=2), ["a"]),
            (Page(offset=9), []),
        ],
    )
    async def test_RE4_lists_are_sorted_and_paged(self, world: ModelWorld, page: Page, expected: list[str]) -> None:
        await self.listed(world)
        assert await names(world, caller(ANA), page=page) == expected
        _, total = await world.models.readable(caller(ANA), Filters(), page)
        assert total == 3

    async def test_ties_are_broken_by_id(self, world: ModelWorld) -> None:
        for id in ("b", "c", "a"):
            await world.models.create(model(id))
        assert await names(world, caller(ANA)) == ["a", "b", "c"]
        assert await names(world, caller(ANA), page=Page(descending=True)) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(name="ALPHA"), ["b", "a"]),
            (Filters(name="100%_\\"), ["b"]),
            (Filters(name="%"), ["b"]),
            (Filters(name="x" * 60_000), []),
            (Filters(owner="ANA@example.com"), ["c", "b", "a"]),
            (Filters(owner="ana"), ["c", "b", "a"]),
            (Filters(owner="test:ana"), ["c", "b", "a"]),
            (Filters(owner="NA@exam"), ["c", "b", "a"]),
            (Filters(owner="bo"), []),
            (Filters(status=("open", "closed")), ["c", "b"]),
            (Filters(status=("none",)), []),
            (Filters(security_reviewer="REV@example.com"), ["b", "a"]),
            (Filters(security_reviewer="V@ex"), ["b", "a"]),
            (Filters(security_reviewer="nobody"), []),
            (Filters(reviewed=True), ["b", "a"]),
            (Filters(reviewed=False), ["c"]),
            (Filters(description="ONLINE"), ["c"]),
            (Filters(description="%"), []),
            (Filters(issue_uri="/Issues/7"), ["b"]),
            (Filters(name="alpha", status=("closed",)), ["b"]),
        ],
    )
    async def test_lists_are_filtered(self, world: ModelWorld, filters: Filters, expected: list[str]) -> None:
        await self.listed(world)
        assert await names(world, caller(ANA), filters) == expected

    @pytest.mark.parametrize("part", ["Übersicht", "ÜBERSICHT", "Straße", "sTRAße", "übersicht DER", "Été"])
    async def test_texts_of_any_alphabet_are_found(self, world: ModelWorld, part: str) -> None:
        fields = {"name": "M", "description": "Übersicht der Straße, übersicht der été, Été"}
        await world.models.create(model("m", ANA, fields=fields))
        await world.models.create(model("m2", ANA, fields={"name": "M2", "description": "Uebersicht der Strasse"}))
        assert await names(world, caller(ANA), Filters(description=part)) == ["m"]

    async def test_lists_are_filtered_by_time(self, world: ModelWorld) -> None:
        ms = world.clock()
        for n in range(3):
            fields = {"name": f"{n}", "status_updated": rfc3339(ms + n * 1_000 + 500)}
            await world.models.create(model(f"{n}", ANA, fields=fields))
            world.clock.turn(1)
        second = await world.models.read(ThreatModelId("1"))
        assert second is not None
        await world.models.change(second)
        around = Between(ms, ms + 2_000)
        assert await names(world, caller(ANA), Filters(created=around)) == ["1"]
        assert await names(world, caller(ANA), Filters(created=Between(before_ms=ms + 1))) == ["0"]
        assert await names(world, caller(ANA), Filters(modified=Between(after_ms=ms + 2_000))) == ["1"]
        assert await names(world, caller(ANA), Filters(status_updated=around)) == ["1"]

    async def test_S58_a_sort_that_is_no_field_reaches_no_statement(self, world: ModelWorld) -> None:
        await self.listed(world)
        with pytest.raises(KeyError):
            await names(world, caller(ANA), page=Page(sort="id; DROP TABLE threat_model"))

    async def test_S58_values_are_never_part_of_a_statement(self, world: ModelWorld) -> None:
        hostile = "x'; DROP TABLE threat_model; --"
        await world.models.create(model(hostile, ANA, group_entry(hostile, Role.READER), fields={"name": hostile}))
        assert await names(world, caller(BO, hostile), Filters(name=hostile)) == [hostile]
        assert await names(world, caller(ANA), Filters(owner=hostile, status=(hostile,))) == []
        assert await world.models.known_users(hostile) == []

    async def test_a_list_counts_what_is_below(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await world.models.create(model("m2"))
        for n in range(3):
            await diagram_in(world, "m", f"d{n}")
        await world.models.delete_diagram(DiagramId("d0"))
        await world.models.create_items(ItemKind.THREAT, [item("t")])
        found, _ = await world.models.readable(caller(ANA), Filters(), Page())
        assert [counts for _, counts in found] == [Counts(diagrams=2, threats=1), Counts()]
        assert await world.models.counts(M) == Counts(diagrams=2, threats=1)
        assert await world.models.counts(ThreatModelId("never")) == Counts()

    async def test_readable_diagrams_are_those_of_readable_models(self, world: ModelWorld) -> None:
        await world.models.create(model("m", ANA, user_entry(BO, Role.READER)))
        await world.models.create(model("m2", BO))
        await world.models.create(model("m3", CY))
        for id in ("m", "m2", "m3"):
            await diagram_in(world, id, f"d-{id}")
        assert await world.models.readable_diagrams(caller(BO)) == ["d-m", "d-m2"]
        await world.models.delete_diagram(DiagramId("d-m"))
        assert await world.models.readable_diagrams(caller(BO)) == ["d-m2"]

    # diagrams

    async def test_VEC1_a_diagram_begins_with_head_and_snapshot(self, world: ModelWorld) -> None:
        await world.models.create(model())
        new = NewDiagram(D, M, Epoch("ee"), {"name": "D", "type": "DFD-1.0.0"}, CELLS, 2**128 - 1, {"k": "v"})
        row = await world.models.create_diagram(new)
        assert row is not None
        assert (row.id, row.threat_model_id, row.fields, row.metadata) == (D, M, new.fields, {"k": "v"})
        assert (row.created_at_ms, row.modified_at_ms) == (world.clock.ms, world.clock.ms)
        assert (row.vector, row.epoch) == (0, "ee")
        assert await world.models.diagram(D) == row
        stored = await world.diagrams.load(D)
        assert isinstance(stored, StoredDiagram)
        assert (stored.snapshot.cells, stored.head.state_hash, stored.threat_model_id) == (CELLS, 2**128 - 1, M)

    async def test_a_diagram_of_an_unknown_model_is_not_made(self, world: ModelWorld) -> None:
        assert await world.models.create_diagram(new_diagram(D, CELLS)) is None
        assert await world.diagrams.load(D) == Gone()

    async def test_VEC3_a_change_of_fields_moves_no_vector(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        await grow(world, 2)
        head = (await world.diagrams.heads([D]))[D]
        world.clock.turn(60)
        before = await row_of(world)
        wanted = but(before, fields={"name": "New"}, metadata={"k": "v"})
        assert await world.models.change_diagram(wanted) is Changed.DONE
        row = await row_of(world)
        assert (row.fields, row.metadata, row.vector) == ({"name": "New"}, {"k": "v"}, 2)
        assert row.modified_at_ms == row.fields_at_ms == world.clock.ms
        assert (await world.diagrams.heads([D]))[D] == head
        assert await world.models.change_diagram(but(before, id=DiagramId("never"))) is Changed.GONE

    async def test_RE31_a_change_of_a_diagram_that_moved_on_is_stale(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        before = await row_of(world)
        assert await world.models.change_diagram(but(before, metadata={"k": "v"})) is Changed.DONE
        assert await world.models.change_diagram(but(before, fields={"name": "Lost"})) is Changed.STALE
        after = await row_of(world)
        assert (after.fields, after.metadata, after.version) == (before.fields, {"k": "v"}, before.version + 1)

    async def test_RE12_a_change_for_one_vector_and_epoch_is_stale_at_another(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        await grow(world, 2)
        before = await row_of(world)
        wanted = but(before, fields={"name": "New"})
        for at in (1, EPOCH), (3, EPOCH), (2, Epoch("ff")):
            assert await world.models.change_diagram(wanted, at=at) is Changed.STALE
        assert await row_of(world) == before
        assert await world.models.change_diagram(wanted, at=(2, EPOCH)) is Changed.DONE
        assert (await row_of(world)).fields == {"name": "New"}
        assert await world.models.change_diagram(but(before, id=DiagramId("never")), at=(2, EPOCH)) is Changed.GONE

    async def test_RE12_a_diagram_goes_only_at_the_vector_and_epoch_that_are_named(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        await grow(world, 2)
        before, head = await row_of(world), (await world.diagrams.heads([D]))[D]
        for at in (1, EPOCH), (3, EPOCH), (2, Epoch("ff")):
            assert await world.models.delete_diagram(D, at=at) is Changed.STALE
        assert (await row_of(world), (await world.diagrams.heads([D]))[D]) == (before, head)
        assert await world.models.delete_diagram(D, at=(2, EPOCH)) is Changed.DONE
        assert await world.models.delete_diagram(D, at=(2, EPOCH)) is Changed.GONE

    async def test_RE12_of_an_operation_and_a_deletion_at_the_vector_before_it_one_comes_about(
        self, world: ModelWorld
    ) -> None:
        await world.models.create(model())
        for n in range(8):
            id = DiagramId(f"d{n}")
            await diagram_in(world, "m", id)
            base = (await world.diagrams.heads([id]))[id]
            both = (
                world.models.delete_diagram(id, at=(base.vector, base.epoch)),
                world.diagrams.commit(id, batch(base, operation(1))),
            )
            deleted, committed = await asyncio.gather(*both) if n % 2 else reversed(await asyncio.gather(*both[::-1]))
            assert deleted is (Changed.DONE if committed == Gone() else Changed.STALE)

    async def test_an_operation_is_no_change_of_fields(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        before = await row_of(world)
        await grow(world, 1, at_ms=world.clock.ms + 5_000)
        after = await row_of(world)
        assert (after.version, after.fields_at_ms) == (before.version, before.fields_at_ms)
        assert await world.models.change_diagram(before) is Changed.DONE

    async def test_an_operation_counts_as_modification(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        await diagram_in(world, "m", "d2")
        at_ms = world.clock.ms + 5_000
        await grow(world, 1, at_ms=at_ms)
        row = await world.models.diagram(D)
        assert row is not None
        assert (row.modified_at_ms, row.vector, row.epoch) == (at_ms, 1, EPOCH)
        rows, _ = await world.models.diagrams(M, Page(sort="modified_at"))
        assert [found.id for found in rows] == ["d2", "d"]

    async def test_diagrams_are_paged_within_their_model(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await world.models.create(model("m2"))
        await diagram_in(world, "m2", "elsewhere")
        for id in ("d1", "d2", "d3"):
            await diagram_in(world, "m", id)
            world.clock.turn(1)
        rows, total = await world.models.diagrams(M, Page(limit=2, descending=True))
        assert ([row.id for row in rows], total) == (["d3", "d2"], 3)
        assert await world.models.diagrams(ThreatModelId("never"), Page()) == ([], 0)

    async def test_a_deleted_diagram_is_away_and_the_clock_of_rights_raised(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await diagram_in(world, "m", "d")
        base, row = (await world.diagrams.heads([D]))[D], await row_of(world)
        assert await world.models.delete_diagram(D) is Changed.DONE
        assert await world.models.diagram(D) is None
        assert await world.models.diagrams(M, Page()) == ([], 0)
        assert await world.diagrams.commit(D, batch(base, operation(1))) == Gone()
        assert await world.models.change_diagram(row) is Changed.GONE
        assert await world.models.delete_diagram(D) is Changed.GONE

    # items

    async def test_RE7_an_item_is_read_back_whole(self, world: ModelWorld) -> None:
        await world.models.create(model())
        given = item("t", fields={"name": "T", "stride": ["S"], "score": 7.5}, metadata={"k": "v"})
        created = await world.models.create_items(ItemKind.THREAT, [given])
        now_ms = world.clock.ms
        assert created == [msgspec.structs.replace(given, created_at_ms=now_ms, modified_at_ms=now_ms)]
        assert await world.models.item(ItemKind.THREAT, ItemId("t")) == created[0]
        unknown = item("t2", threat_model_id=ThreatModelId("never"))
        assert await world.models.create_items(ItemKind.THREAT, [unknown]) is None

    async def test_an_item_is_changed_and_deleted(self, world: ModelWorld) -> None:
        await world.models.create(model())
        await world.models.create_items(ItemKind.THREAT, [item("t")])
        world.clock.turn(1)
        wanted = item("t", fields={"name": "New"}, metadata={"k": "v"})
        assert await world.models.change_items(ItemKind.THREAT, [wanted]) is Changed.DONE
        found = await world.models.item(ItemKind.THREAT, ItemId("t"))
        assert found is not None
        assert (found.fields, found.metadata) == ({"name": "New"}, {"k": "v"})
        assert found.modified_at_ms == found.created_at_ms + 1_000
        assert await world.models.delete_item(ItemKind.THREAT, item("t")) is Changed.STALE
        assert await world.models.delete_item(ItemKind.NOTE, found) is Changed.GONE
        assert await world.models.delete_item(ItemKind.THREAT, found) is Changed.DONE
        assert await world.models.item(ItemKind.THREAT, ItemId("t")) is None
        assert await world.models.delete_item(ItemKind.THREAT, found) is Changed.GONE
        assert await world.models.change_items(ItemKind.THREAT, [found]) is Changed.GONE

    async def test_RE33_several_items_are_changed_together_or_not_at_all(self, world: ModelWorld) -> None:
        await world.models.create(model())
        rows = await world.models.create_items(ItemKind.THREAT, [item("t1"), item("t2")])
        assert rows is not None
        one, other = rows
        assert await world.models.change_items(ItemKind.THREAT, [but(other, fields={"name": "B"})]) is Changed.DONE
        named = but(one, fields={"name": "A"})
        assert await world.models.change_items(ItemKind.THREAT, [named, other]) is Changed.STALE
        assert await world.models.change_items(ItemKind.THREAT, [named, item("never")]) is Changed.GONE
        found, _ = await world.models.items(ItemKind.THREAT, M, Page())
        assert [row.fields for row in found] == [{}, {"name": "B"}]
        assert await world.models.change_items(ItemKind.THREAT, [named, but(other, version=2)]) is Changed.DONE

    async def test_items_are_paged_within_their_model(self, world: ModelWorld) -> None:
        await world.models.create(model())
        for id, name in (("t1", "b"), ("t2", "A"), ("t3", "c")):
            await world.models.create_items(ItemKind.THREAT, [item(id, fields={"name": name})])
        found, total = await world.models.items(ItemKind.THREAT, M, Page(limit=2, sort="name"))
        assert ([one.id for one in found], total) == (["t2", "t1"], 3)
        assert await world.models.items(ItemKind.THREAT, ThreatModelId("never"), Page()) == ([], 0)

    async def threats(self, world: ModelWorld) -> None:
        """Of ANA's model m, and one of BO's model m2, which ANA may read."""
        await world.models.create(model())
        await world.models.create(model("m2", BO, user_entry(ANA, Role.READER)))
        await world.models.create(model("m3", BO))
        for id, fields in (
            (
                "a",
                {"name": "SQL %", "severity": "High", "status": "closed", "score": 2, "threat_type": ["Spoofing"]},
            ),
            (
                "b",
                {"name": "x", "severity": "low", "priority": "immediate", "score": 10.5, "threat_type": "spoofing"},
            ),
            ("c", {"name": "other", "mitigated": True, "diagram_id": "d1"}),
            ("d", {"severity": "critical", "status": "odd", "threat_type": ["spoofing", "tampering"], "score": -7}),
        ):
            await world.models.create_items(ItemKind.THREAT, [item(id, fields=fields)])
        elsewhere = item("e", threat_model_id=ThreatModelId("m2"), fields={"severity": "high", "name": "E"})
        hidden = item("h", threat_model_id=ThreatModelId("m3"), fields={"severity": "high"})
        for one in (elsewhere, hidden):
            await world.models.create_items(ItemKind.THREAT, [one])
        await world.models.create_items(ItemKind.NOTE, [item("n", fields={"severity": "high", "score": "no number"})])

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (ItemFilters(), "abcd"),
            (ItemFilters(name="SQL"), "a"),
            (ItemFilters(name="%"), "a"),
            (ItemFilters(severity=("HIGH", "low")), "ab"),
            (ItemFilters(priority=("immediate",)), "b"),
            (ItemFilters(status=("closed", "odd", "never")), "ad"),
            (ItemFilters(diagram_id=("d1", "d2")), "c"),
            (ItemFilters(threat_type=("Spoofing",)), "abd"),
            (ItemFilters(threat_type=("spoofing", "tampering")), "d"),
            (ItemFilters(threat_type=("spoof", "_")), ""),
            (ItemFilters(mitigated=True), "c"),
            (ItemFilters(mitigated=False), "abd"),
            (ItemFilters(severity=("high",), status=("open",)), ""),
            (ItemFilters(severity=("x' OR 1=1 --",)), ""),
        ],
    )
    async def test_RE30_items_are_filtered(self, world: ModelWorld, filters: ItemFilters, expected: str) -> None:
        await self.threats(world)
        rows, total = await world.models.items(ItemKind.THREAT, M, Page(sort="created_at"), filters)
        assert ("".join(sorted(row.id for row in rows)), total) == (expected, len(expected))

    async def test_RE30_a_type_of_threat_is_found_in_any_language(self, world: ModelWorld) -> None:
        await world.models.create(model())
        for n, word in enumerate(("Verstoß", "Élévation", "Подмена")):
            for id, given in ((f"one{n}", word), (f"list{n}", ["other", word])):
                await world.models.create_items(ItemKind.THREAT, [item(id, fields={"threat_type": given})])
            filters = ItemFilters(threat_type=(word,))
            rows, _ = await world.models.items(ItemKind.THREAT, M, Page(), filters)
            assert {row.id for row in rows} == {f"one{n}", f"list{n}"}

    @pytest.mark.parametrize(
        ("sort", "descending", "expected"),
        [
            ("severity", False, "cbad"),
            ("severity", True, "dabc"),
            ("priority", True, "bacd"),
            ("status", False, "bcda"),
            ("score", False, "dcab"),
            ("score", True, "bacd"),
        ],
    )
    async def test_RE4_items_are_sorted_by_what_their_words_mean(
        self, world: ModelWorld, sort: str, descending: bool, expected: str
    ) -> None:
        await self.threats(world)
        page = Page(sort=sort, descending=descending)
        rows, _ = await world.models.items(ItemKind.THREAT, M, page)
        assert "".join(row.id for row in rows) == expected
        part, total = await world.models.items(ItemKind.THREAT, M, but(page, limit=2, offset=1))
        assert ("".join(row.id for row in part), total) == (expected[1:3], 4)

    async def test_RE30_the_items_of_all_readable_models_are_paged_together(self, world: ModelWorld) -> None:
        await self.threats(world)
        high = ItemFilters(severity=("high",))
        rows, total = await world.models.readable_items(caller(ANA), ItemKind.THREAT, Page(sort="name"), high)
        assert ([row.id for row in rows], total) == (["e", "a"], 2)
        rows, total = await world.models.readable_items(caller(ANA), ItemKind.THREAT, Page(limit=1, offset=3))
        assert (len(rows), total) == (1, 5)
        assert await world.models.readable_items(caller(CY), ItemKind.THREAT, Page()) == ([], 0)

    async def test_S58_a_sort_of_items_that_is_no_field_reaches_no_statement(self, world: ModelWorld) -> None:
        with pytest.raises(KeyError):
            await world.models.items(ItemKind.THREAT, M, Page(sort="id; DROP TABLE item"))
