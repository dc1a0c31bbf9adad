"""Watches the logins behind live sockets: expiry, renewal, logout (AU11, AU12)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from collab.access.pause import pause
from collab.ports import Clock, Logins, LoginState, StoreUnavailable
from protocol.values import Caller, SocketId

POLL_S = 1.0
WARNING_MS = 60_000

log = logging.getLogger(__name__)


class Watch:
    """One socket. `warn` hears the deadline once, `warning_ms` before it; `bar` is called when it is over, once."""

    __slots__ = ("bar", "deadline_ms", "sid", "warn", "warned_of_ms", "warning_ms")

    def __init__(self, caller: Caller, warning_ms: int, warn: Callable[[int], None], bar: Callable[[], None]) -> None:
        self.sid = caller.sid
        self.deadline_ms = caller.expires_at_ms
        self.warning_ms = warning_ms
        self.warn = warn
        self.bar = bar
        self.warned_of_ms = 0

    def look(self, login: LoginState | None, now_ms: int) -> bool:
        """Whether the socket may stay."""
        if login is not None:
            self.deadline_ms = max(self.deadline_ms, login.access_expires_at_ms)
        if now_ms >= self.deadline_ms or (login is not None and login.ended):
            return False
        if self.deadline_ms - now_ms <= self.warning_ms and self.warned_of_ms != self.deadline_ms:
            self.warned_of_ms = self.deadline_ms
            self.warn(self.deadline_ms)
        return True


class Guard:
    """`lifetime_s`: of an access token. Where that is short the warning comes when half of it has passed: it would come
    again with each new token."""

    def __init__(self, logins: Logins, clock: Clock, lifetime_s: int = 3_600) -> None:
        self._logins = logins
        self._clock = clock
        self._warning_ms = min(WARNING_MS, lifetime_s * 500)
        self._watches: dict[SocketId, Watch] = {}

    def watch(self, socket: SocketId, caller: Caller, *, warn: Callable[[int], None], bar: Callable[[], None]) -> None:
        self._watches[socket] = Watch(caller, self._warning_ms, warn, bar)

    def renew(self, socket: SocketId, caller: Caller) -> None:
        """A newer token of the same user, of this login or of another one."""
        if (watch := self._watches.get(socket)) is None:
            return
        if caller.sid != watch.sid:
            watch.deadline_ms = 0
        watch.sid = caller.sid
        watch.deadline_ms = max(watch.deadline_ms, caller.expires_at_ms)

    def forget(self, socket: SocketId) -> None:
        self._watches.pop(socket, None)

    async def run(self) -> None:
        """Checks every second, for ever."""
        while True:
            await pause(self._clock, POLL_S)
            try:
                await self.check()
            except Exception:
                # Our bug; without a guard no token would ever expire.
                log.exception("the guard failed")

    async def check(self) -> None:
        """One query for all logins. While the store is silent the deadlines known so far hold (S92)."""
        if not self._watches:
            return
        standing = await self._standing()
        now_ms = self._clock.now().wall_ms
        for socket, watch in list(self._watches.items()):
            if not watch.look(standing.get(watch.sid), now_ms):
                del self._watches[socket]
                watch.bar()

    async def _standing(self) -> Mapping[str, LoginState]:
        try:
            return await self._logins.standing({watch.sid for watch in self._watches.values() if watch.sid})
        except StoreUnavailable:
            return {}
