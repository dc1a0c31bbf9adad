"""Who may do what on a threat model: authorization entries (AU17)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any

from starlette.responses import Response

from protocol.values import Role, ThreatModelId, User
from rest import rights
from rest.answers import answer, created, nothing
from rest.bodies import REQUIRED, EntryFields, OwnerFields, RoleFields, check, json_object
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.editing import edit_model
from rest.oauth import dev
from rest.paging import listing, page, part
from rest.ports import Action, Entry, Models, ThreatModel, but
from rest.problems import Problem, bad_field, conflict, not_found, placed
from rest.views import ANY_PROVIDER, entry_form

MOST = 1_000
EVERYONE = "everyone"
Entries = tuple[Entry, ...]
Waiting = frozenset[tuple[str | None, str | None]]
"""Provider and address of users who have not signed in yet."""


class Authorization:
    """`TM/authorization`: addressed by position, so that If-Match may say which list the client has seen."""

    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def list(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.READER)
        model = await self.deps.models.read(id)
        if model is None:
            raise not_found()
        asked = page(call.request)
        forms = [entry_form(entry) for entry in model.entries]
        return listing("authorization", part(forms, asked), len(forms), asked, ETag=etag(model.entries))

    async def add(self, call: Call) -> Response:
        id = await self._owned(call)
        entry = await read_entry(self.deps.models, await json_object(call.request))
        made = await self._edit(call, id, lambda entries: (*entries, entry), Action.CREATED)
        index = len(made) - 1
        return created(_indexed(made, index), call.here(str(index)), {"ETag": etag(made)})

    async def change(self, call: Call) -> Response:
        index, id = _index(call), await self._owned(call)
        role = role_of(check(RoleFields, await json_object(call.request)).role)
        made = await self._edit(call, id, lambda entries: _replaced(entries, index, role), Action.UPDATED)
        return answer(_indexed(made, index), headers={"ETag": etag(made)})

    async def remove(self, call: Call) -> Response:
        index, id = _index(call), await self._owned(call)
        await self._edit(call, id, lambda entries: _replaced(entries, index), Action.DELETED)
        return nothing()

    async def _owned(self, call: Call) -> ThreatModelId:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.OWNER)
        return id

    async def _edit(self, call: Call, id: ThreatModelId, edit: Callable[[Entries], Entries], action: Action) -> Entries:
        """The list that this request made. Somebody else may have made another of it already, where a position means
        another entry, or none."""
        wanted = _tags(call.request.headers.get("if-match"))
        made: Entries = ()

        async def edited(model: ThreatModel) -> ThreatModel:
            nonlocal made
            await rights.on_model(self.deps, call, id, Role.OWNER)
            if wanted and wanted.isdisjoint(("*", etag(model.entries))):
                raise conflict("The list has changed.", "version_mismatch")
            made = checked(edit(model.entries))
            return but(model, owner=owner_of(made, model.owner), entries=made)

        await edit_model(self.deps, id, edited, call.cause("authorization", action))
        return made


def _tags(header: str | None) -> frozenset[str]:
    """Each as `etag` spells it, also where it came as weak or without quotation marks."""
    given = [tag.strip().removeprefix("W/").strip('"') for tag in (header or "").split(",")]
    return frozenset(tag if tag == "*" else f'"{tag}"' for tag in given) if header is not None else frozenset()


def _index(call: Call) -> int:
    text: str = call.request.path_params["index"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise bad_field("index", "must be a position in the list", status=400, error="invalid_id")
    return int(text)


def _replaced(entries: Entries, index: int, role: Role | None = None) -> Entries:
    """Another role at that position; None: nothing there."""
    if index >= len(entries):
        raise not_found()
    at_index = () if role is None else (but(entries[index], role=role),)
    return (*entries[:index], *at_index, *entries[index + 1 :])


def _indexed(entries: Entries, index: int) -> dict[str, Any]:
    return {**entry_form(entries[index]), "index": index}


def checked(entries: Entries) -> Entries:
    """Raises where the list would hold a subject twice, or no known user as owner (AU17): a group may have no members,
    and who is named by an address alone may never come."""
    if len(entries) > MOST:
        raise bad_field("authorization", f"more than {MOST} entries")
    if len({subject(entry) for entry in entries}) != len(entries):
        raise conflict("There is an entry for this subject already.")
    owners = [entry for entry in entries if entry.role is Role.OWNER]
    if any(subject(entry) == subject(Entry("group", Role.OWNER, name=EVERYONE)) for entry in owners):
        raise bad_field("role", "everyone may not be owner")
    if not any(entry.provider_id is not None for entry in owners):
        raise conflict("The last owner stays owner.", "last_owner")
    return entries


def subject(entry: Entry) -> Hashable:
    """Who is meant: no two entries of a list say it of the same."""
    if entry.principal_type == "group":
        return "group", entry.provider, entry.name
    if entry.provider_id is None:
        return "email", (entry.email or "").lower()
    return "user", entry.provider, entry.provider_id


def etag(entries: Entries) -> str:
    listed = repr([(subject(entry), entry.role) for entry in entries])
    return f'"{hashlib.sha256(listed.encode()).hexdigest()[:16]}"'


def owner_entry(user: User) -> Entry:
    return Entry("user", Role.OWNER, user.provider, user.provider_id, user.email, user.display_name)


def with_owner(entries: Entries, user: User) -> Entries:
    """The list with that user as owner, first where the user was not in it."""
    own = owner_entry(user)
    if any(subject(entry) == subject(own) for entry in entries):
        return tuple(but(entry, role=Role.OWNER) if subject(entry) == subject(own) else entry for entry in entries)
    return (own, *entries)


def owner_of(entries: Entries, owner: User) -> User:
    """Whom `owner` names once the list is this one: the same as before or, where it makes less of them, the first in it
    who is owner. To be named is a right of its own, which would outlive their entry (AU15)."""
    owners = [
        User(entry.provider, entry.provider_id, entry.email or entry.provider_id, entry.name or entry.provider_id)
        for entry in entries
        if entry.role is Role.OWNER and entry.provider is not None and entry.provider_id is not None
    ]
    return owner if not owners or owner.id in [user.id for user in owners] else owners[0]


def role_of(word: str) -> Role:
    return Role[word.upper()]


async def read_entries(models: Models, value: Any, standing: Entries = ()) -> Entries:
    """The `authorization` of a body; those of `standing` may come back in it as they were shown. Raises 422, 409
    `ambiguous_subject`."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise bad_field("authorization", "must be a list of entries")
    if len(value) > MOST:
        raise bad_field("authorization", f"more than {MOST} entries")
    waiting = frozenset((entry.provider, entry.email) for entry in standing if entry.provider_id is None)
    return tuple([await _read_entry_at(models, n, entry, waiting) for n, entry in enumerate(value)])


async def _read_entry_at(models: Models, n: int, body: dict[str, Any], waiting: Waiting) -> Entry:
    try:
        return await read_entry(models, body, waiting)
    except Problem as refused:
        raise placed(refused, f"authorization[{n}]") from None


async def read_entry(models: Models, body: dict[str, Any], waiting: Waiting = frozenset()) -> Entry:
    """Either spelling. A user known by this e-mail address alone is named by identity from now on. Whoever is `waiting`
    is shown with the address in the place of the id that nobody knows yet: it is none when it comes back."""
    given = check(EntryFields, body)
    kind = given.principal_type or given.subject_type
    role = role_of(given.role)
    provider = None if given.provider in (None, "", ANY_PROVIDER) else dev.real_provider(given.provider)
    if kind is None and "@" in (given.subject or given.email or ""):
        # TMI's load tester says no more of a person.
        kind = "user"
    if kind is None:
        raise bad_field("subject_type", REQUIRED)
    if kind == "group":
        name = given.subject or given.provider_id or given.name or given.display_name
        if not name:
            raise bad_field("subject", REQUIRED)
        return Entry("group", role, None if name == EVERYONE else provider, name=name)
    if provider is not None and given.provider_id and (provider, given.provider_id) not in waiting:
        id = dev.provider_id(given.provider_id) if provider == dev.PROVIDER else given.provider_id
        return Entry("user", role, provider, id, given.email, given.display_name)
    email = given.email or given.subject or given.provider_id
    if not email or "@" not in email:
        raise bad_field("subject", "a user is named by provider and provider_id, or by an e-mail address")
    return await _by_email(models, role, email, provider)


async def _by_email(models: Models, role: Role, email: str, provider: str | None) -> Entry:
    user = await known_user(models, email, provider)
    if user is None:
        return Entry("user", role, provider, email=email)
    return Entry("user", role, user.provider, user.provider_id, user.email, user.display_name)


async def known_user(models: Models, email: str, provider: str | None = None) -> User | None:
    """The one person who signed in with this address, there if a provider is named; several: 409 (AU18)."""
    known = [user for user in await models.known_users(email) if provider in (None, user.provider)]
    if len(known) > 1:
        raise conflict("Several people have this e-mail address; name one by provider.", "ambiguous_subject")
    return known[0] if known else None


async def read_owner(models: Models, value: Any) -> User:
    """`owner` of a body: an e-mail address, or a User. It must be somebody who has signed in, or be named in full."""
    if isinstance(value, str):
        user = await known_user(models, value)
        if user is None:
            raise bad_field("owner", "nobody with this e-mail address has signed in")
        return user
    person = check(OwnerFields, {"owner": value}).owner
    if not person.provider or person.provider == ANY_PROVIDER or not person.provider_id:
        return await read_owner(models, person.email or "")
    provider = dev.real_provider(person.provider)
    id = dev.provider_id(person.provider_id) if provider == dev.PROVIDER else person.provider_id
    return User(provider, id, person.email or "", person.display_name or id)
