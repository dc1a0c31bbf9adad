"""Accounts and Logins on a database. Of every secret only a digest is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from functools import partial

import msgspec

from collab.ports import LoginState
from protocol.values import Caller
from rest.ports import Code, Refresh
from storage import columns
from storage.clock import real_ms
from storage.columns import secret_digest
from storage.database import Database, Transaction, first
from storage.entries import bind_by_email, email_key, meet
from storage.tables import DROP

USED_CODES_MS = 24 * 3_600_000
"""How long a code that was used is remembered, so that its second use is noticed (AU4)."""
STEPS = 32
"""A refresh token that is further behind gets nothing: whoever rotates without end would have others wait (I30)."""

REMEMBER = (
    "INSERT INTO account (provider, provider_id, email, email_key, display_name, verified, seen_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (provider, provider_id) DO UPDATE SET"
    " email = excluded.email, email_key = excluded.email_key, display_name = excluded.display_name,"
    " verified = excluded.verified, seen_at = excluded.seen_at"
)
END_LOGIN = (
    "INSERT INTO login (sid, access_expires_at, ended_at) VALUES ($1, 0, $2) ON CONFLICT (sid) DO UPDATE SET"
    " ended_at = coalesce(login.ended_at, excluded.ended_at)"
)
HELD = (
    "SELECT sid, refresh, rotated_at, sealed_successor FROM refresh_token WHERE sha256 = $1 AND expires_at > $2"
    " FOR NO KEY UPDATE"
)
STATE = (
    "SELECT r.refresh, r.expires_at FROM refresh_token r JOIN login l ON l.sid = r.sid"
    " WHERE r.sha256 = $1 AND r.expires_at > $2 AND r.rotated_at IS NULL AND l.ended_at IS NULL"
)
ADD_REFRESH = "INSERT INTO refresh_token (sha256, sid, refresh, expires_at) VALUES ($1, $2, $3, $4)"


class SqlAccounts:
    def __init__(self, database: Database, now_ms: Callable[[], int] = real_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def remember(self, caller: Caller) -> None:
        await self._database.transaction(partial(_remember, caller=caller, now_ms=self._now_ms()))

    async def start_login(self, sid: str, caller: Caller) -> bool:
        return await self._database.transaction(partial(_start_login, sid=sid, caller=caller))

    async def raise_expiry(self, sid: str, access_expires_at_ms: int) -> None:
        sql = "UPDATE login SET access_expires_at = $2 WHERE sid = $1 AND access_expires_at < $2"
        await self._database.write(sql, sid, access_expires_at_ms)

    async def end_login(self, sid: str) -> None:
        await self._database.write(END_LOGIN, sid, self._now_ms())

    async def end_login_of(self, refresh_token: str) -> None:
        await self._database.transaction(partial(_end_login_of, token=refresh_token, now_ms=self._now_ms()))

    async def ended(self, sid: str) -> bool:
        state = (await self.standing((sid,))).get(sid)
        return state is None or state.ended

    async def standing(self, sids: Collection[str]) -> Mapping[str, LoginState]:
        sql = "SELECT sid, access_expires_at, ended_at FROM login WHERE sid = ANY($1)"
        rows = await self._database.fetch(sql, list(sids))
        return {sid: LoginState(expires_at, ended_at is not None) for sid, expires_at, ended_at in rows}

    async def issue_code(self, code: str, what: Code, ttl_ms: int) -> None:
        await self._database.transaction(
            partial(_issue_code, code=code, what=what, ttl_ms=ttl_ms, now_ms=self._now_ms())
        )

    async def redeem_code(self, code: str) -> Code | None:
        return await self._database.transaction(partial(_redeem_code, code=code, now_ms=self._now_ms()))

    async def issue_refresh(self, token: str, what: Refresh, ttl_ms: int) -> None:
        now_ms = self._now_ms()
        await self._database.transaction(lambda tx: _issue_refresh(tx, token, what, now_ms + ttl_ms, now_ms))

    async def refresh_state(self, token: str) -> tuple[Refresh, int] | None:
        rows = await self._database.fetch(STATE, secret_digest(token), self._now_ms())
        return (msgspec.json.decode(rows[0][0], type=Refresh), rows[0][1]) if rows else None

    async def disable(self, provider: str, provider_id: str) -> bool:
        """Ends every login of this person, and no other begins (AU12). False: nobody has signed in as that."""
        work = partial(_disable, provider=provider, provider_id=provider_id, now_ms=self._now_ms())
        return await self._database.transaction(work)

    async def enable(self, provider: str, provider_id: str) -> bool:
        """What ended stays ended. False: nobody has signed in as that."""
        sql = "UPDATE account SET disabled_at = NULL WHERE provider = $1 AND provider_id = $2"
        return await self._database.transaction(lambda tx: tx.execute(sql, provider, provider_id)) > 0

    async def rotate_refresh(
        self, token: str, successor: str, ttl_ms: int, grace_ms: int
    ) -> tuple[Refresh, str] | None:
        now_ms = self._now_ms()
        return await self._database.transaction(
            lambda tx: _rotate(tx, token, successor, now_ms + ttl_ms, now_ms - grace_ms, now_ms)
        )


async def _remember(tx: Transaction, caller: Caller, now_ms: int) -> None:
    user = caller.user
    if caller.email_verified:
        await meet(tx, [user.email])
    key, verified = email_key(user.email), int(caller.email_verified)
    await tx.execute(REMEMBER, user.provider, user.provider_id, user.email, key, user.display_name, verified, now_ms)
    if caller.email_verified:
        await bind_by_email(tx, user, now_ms)


async def _start_login(tx: Transaction, sid: str, caller: Caller) -> bool:
    # Held: whoever disables the account at this moment finds the login, or this finds the account disabled.
    held = "SELECT disabled_at FROM account WHERE provider = $1 AND provider_id = $2 FOR SHARE"
    account = await first(tx, held, caller.user.provider, caller.user.provider_id)
    if account is not None and account[0] is not None:
        return False
    sql = "INSERT INTO login (sid, user_id, access_expires_at) VALUES ($1, $2, 0) ON CONFLICT (sid) DO NOTHING"
    await tx.execute(sql, sid, caller.id)
    return True


async def _disable(tx: Transaction, provider: str, provider_id: str, now_ms: int) -> bool:
    mark = "UPDATE account SET disabled_at = coalesce(disabled_at, $3) WHERE provider = $1 AND provider_id = $2"
    if not await tx.execute(mark, provider, provider_id, now_ms):
        return False
    end = "UPDATE login SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL"
    await tx.execute(end, f"{provider}:{provider_id}", now_ms)
    return True


async def _end_login_of(tx: Transaction, token: str, now_ms: int) -> None:
    row = await first(tx, "SELECT sid FROM refresh_token WHERE sha256 = $1", secret_digest(token))
    if row is not None:
        await tx.execute(END_LOGIN, row[0], now_ms)


async def _stands(tx: Transaction, sid: str) -> bool:
    """Not ended. A login that has not begun yet stands: its code comes first."""
    return await first(tx, "SELECT 1 FROM login WHERE sid = $1 AND ended_at IS NOT NULL", sid) is None


async def _issue_code(tx: Transaction, code: str, what: Code, ttl_ms: int, now_ms: int) -> None:
    await tx.execute(DROP.format("authorization_code"), now_ms - USED_CODES_MS)
    sql = "INSERT INTO authorization_code (sha256, sid, code, expires_at) VALUES ($1, $2, $3, $4)"
    await tx.execute(sql, secret_digest(code), what.caller.sid, columns.text(what), now_ms + ttl_ms)


async def _redeem_code(tx: Transaction, code: str, now_ms: int) -> Code | None:
    sql = "SELECT sid, code, expires_at, used_at FROM authorization_code WHERE sha256 = $1 FOR NO KEY UPDATE"
    row = await first(tx, sql, secret_digest(code))
    if row is None:
        return None
    sid, raw, expires_at, used_at = row
    if used_at is not None:
        await tx.execute(END_LOGIN, sid, now_ms)
        return None
    await tx.execute("UPDATE authorization_code SET used_at = $2 WHERE sha256 = $1", secret_digest(code), now_ms)
    if expires_at <= now_ms or not await _stands(tx, sid):
        return None
    return msgspec.json.decode(raw, type=Code)


async def _issue_refresh(tx: Transaction, token: str, what: Refresh, expires_at: int, now_ms: int) -> None:
    await tx.execute(DROP.format("refresh_token"), now_ms)
    await tx.execute(ADD_REFRESH, secret_digest(token), what.caller.sid, columns.text(what), expires_at)


async def _rotate(
    tx: Transaction, token: str, successor: str, expires_at: int, grace_from: int, now_ms: int
) -> tuple[Refresh, str] | None:
    row = await first(tx, HELD, secret_digest(token), now_ms)
    if row is None or not await _stands(tx, row[0]):
        return None
    sid, raw, rotated_at, sealed = row
    what = msgspec.json.decode(raw, type=Refresh)
    if rotated_at is None:
        # one of before this was noted does not hand that on for ever (AU20)
        what = msgspec.structs.replace(what, since_ms=what.since_ms or now_ms)
        mark = "UPDATE refresh_token SET rotated_at = $2, sealed_successor = $3 WHERE sha256 = $1"
        await tx.execute(mark, secret_digest(token), now_ms, _sealed(successor.encode(), token))
        await _issue_refresh(tx, successor, what, expires_at, now_ms)
        return what, successor
    if rotated_at < grace_from:
        await tx.execute(END_LOGIN, sid, now_ms)
        return None
    for _ in range(STEPS):
        # What came of it may have been used, too: whoever is a step behind would be one for ever.
        token = _sealed(sealed, token).decode()
        row = await first(tx, HELD, secret_digest(token), now_ms)
        if row is None:
            return None
        _, raw, rotated_at, sealed = row
        if rotated_at is None:
            return msgspec.json.decode(raw, type=Refresh), token
    return None


def _sealed(successor: bytes, token: str) -> bytes:
    """Hides the successor under a stream that only the token gives, and with it uncovers it again: both are random and
    each token has one successor, so the stream is used once."""
    stream = hashlib.shake_256(b"codraw refresh successor\0" + token.encode()).digest(len(successor))
    return bytes(a ^ b for a, b in zip(successor, stream, strict=True))
