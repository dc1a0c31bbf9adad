"""Authorization entries as rows: their one spelling, and how an e-mail address becomes a person."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import msgspec

from protocol.values import Role, User
from rest.ports import Action, Cause, Entry
from storage.changes import line, record
from storage.database import Row, Transaction, Value
from storage.rights import ALIASES, MODEL, raise_below

COLUMNS = "principal_type, role, provider, provider_id, email, name"
ADD = f"INSERT INTO entry (threat_model_id, position, {COLUMNS}, email_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
WAITING = (
    "SELECT threat_model_id, position FROM entry WHERE principal_type = 'user' AND provider_id IS NULL"
    " AND email_key = $1 AND (provider IS NULL OR provider = $2)"
)


def email_key(email: str) -> str:
    """By this addresses are compared: any case."""
    return email.strip().casefold()


async def settled(tx: Transaction, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """As they are kept: aliases replaced, and users given by the address of exactly one known person bound to it."""
    await meet(tx, [entry.email for entry in entries if _waits(entry) and entry.email])
    return joined([await _bound(tx, _canonical(entry)) for entry in entries])


def joined(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Who was named by address and by identity has one entry: the first, with the highest of the roles. A list that
    names somebody twice could not be changed any more."""
    found: dict[Hashable, Entry] = {}
    for n, entry in enumerate(entries):
        who = n if entry.provider_id is None else (entry.provider, entry.provider_id)
        first = found.get(who, entry)
        role, email = max(first.role, entry.role), first.email or entry.email
        found[who] = msgspec.structs.replace(first, role=role, email=email)
    return tuple(found.values())


async def meet(tx: Transaction, emails: Iterable[str]) -> None:
    """Before anything else: whoever signs in with an address, and whoever names it, come one after the other, or each
    would miss the other and the entry would wait for ever."""
    for key in sorted({email_key(email) for email in emails}):
        await tx.alone(f"email {key}")


def _waits(entry: Entry) -> bool:
    return entry.principal_type == "user" and entry.provider_id is None


def _canonical(entry: Entry) -> Entry:
    if entry.provider not in ALIASES:
        return entry
    return msgspec.structs.replace(entry, provider=ALIASES[entry.provider])


async def _bound(tx: Transaction, entry: Entry) -> Entry:
    if not _waits(entry) or not entry.email:
        return entry
    known = [user for user in await known_users(tx, entry.email) if entry.provider in (None, user.provider)]
    if len(known) != 1:
        return entry
    return msgspec.structs.replace(entry, provider=known[0].provider, provider_id=known[0].provider_id)


async def known_users(tx: Transaction, email: str) -> list[User]:
    sql = (
        "SELECT provider, provider_id, email, display_name FROM account WHERE email_key = $1 AND verified = 1"
        " ORDER BY provider, provider_id"
    )
    return [User(*row) for row in await tx.fetch(sql, email_key(email))]


async def bind_by_email(tx: Transaction, user: User, now_ms: int) -> None:
    """Entries that have waited for this verified address become this person's, with all that follows."""
    asked = (email_key(user.email), user.provider)
    models = sorted({model for model, _ in await tx.fetch(WAITING, *asked)})
    for model in models:
        await tx.fetch(MODEL, model)
    # asked again now that they are held: their entries may have been replaced before
    waiting = [row for row in await tx.fetch(WAITING, *asked) if row[0] in models]
    bound = sorted({model for model, _ in waiting})
    for model in bound:
        await tx.execute("UPDATE threat_model SET version = version + 1 WHERE id = $1", model)
        await raise_below(tx, model)
    bind = "UPDATE entry SET provider = $3, provider_id = $4 WHERE threat_model_id = $1 AND position = $2"
    await tx.execute_many(bind, [(*row, user.provider, user.provider_id) for row in waiting])
    for model, standing in (await read(tx, bound)).items():
        if len(one_each := joined(standing)) < len(standing):
            await write(tx, model, one_each)
    cause = Cause(detail={"reason": "signed_in", "subject": user.id})
    await record(tx, now_ms, *(line(cause, Action.UPDATED, "authorization", model, model) for model in bound))


async def write(tx: Transaction, model: str, entries: Sequence[Entry]) -> None:
    """Replaces all entries of a threat model."""
    await tx.execute("DELETE FROM entry WHERE threat_model_id = $1", model)
    await tx.execute_many(ADD, [(model, position, *_row(entry)) for position, entry in enumerate(entries)])


def _row(entry: Entry) -> tuple[Value, ...]:
    key = None if entry.email is None else email_key(entry.email)
    return (
        entry.principal_type,
        entry.role.value,
        entry.provider,
        entry.provider_id,
        entry.email,
        entry.name,
        key,
    )


async def read(tx: Transaction, models: Sequence[str]) -> dict[str, tuple[Entry, ...]]:
    """In list order, for each of these threat models."""
    sql = f"SELECT threat_model_id, {COLUMNS} FROM entry WHERE threat_model_id = ANY($1) ORDER BY position"
    found: dict[str, list[Entry]] = {model: [] for model in models}
    for model, *row in await tx.fetch(sql, models):
        found[model].append(_entry(row))
    return {model: tuple(entries) for model, entries in found.items()}


def _entry(row: Row) -> Entry:
    principal_type, role, *rest = row
    return Entry(principal_type, Role(role), *rest)
