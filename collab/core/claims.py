"""Whose commit comes next where several workers write one diagram: carrier sense, so that few commits miss.

A commit misses that begins between another worker's commit and the arrival of its news. So whoever wants to commit
claims the vector on top of which, and whoever hears that in time gives way. It delays, never decides: compare-and-set
judges as before, and a claim that is lost, repeated, forged or of a dead worker costs PATIENCE_S once (ADR 13).
"""

from __future__ import annotations

from collab.core.deadlines import TURN
from collab.core.effects import Speak
from collab.core.events import Claim, Claimed
from collab.core.state import RoomState

PATIENCE_S = 0.03
"""So long a commit elsewhere and its news may take: 2 to 5 ms as a rule."""
LATELY_S = 1.0
"""So long after an operation of another worker claims are made: later there is nobody to miss."""
LISTEN_S = 0.002
"""So long a claim may be on its way. With it 3 % of the commits miss of two workers at 50 operations a second each,
without it 6 %, and with no claims at all 18 %."""
CROWDED_S = 0.05
"""So long after an operation of another worker it is worth it to listen: at a slow pace few would miss anyway."""
PATIENT_ATTEMPTS = 3
"""After as many misses nobody waits: the store is about to hold the head for them."""


class Claims:
    def __init__(self, state: RoomState) -> None:
        self._state = state
        self._foreign_s = float("-inf")
        self._behind = False
        """The newest operation is of another worker: it knows the head first, and may be at the next already."""
        self._said: int | None = None
        """The vector that was claimed last; each is claimed once."""
        self._theirs: int | None = None
        """On top of this vector another worker commits first, until `_until_s`."""
        self._until_s = 0.0
        self._given: int | None = None
        """Where this room has given way for what waits: it does so once, whatever else it hears."""
        self._listening = False
        """It gives way to whoever may have begun before it."""
        self._owed = False
        """Another worker wants the vector that was ours: the next is its."""

    @property
    def waits(self) -> bool:
        return TURN in self._state.deadlines

    def gives_way(self) -> bool:
        """Whether what waits is to wait on. A vector that has moved is the end of it, and so is TURN."""
        if self._state.alone:
            return False
        if self._given is None:
            self._give()
        return self.waits and self._vector == self._given

    def begins(self) -> None:
        """A commit. Said before it is sent: both leave in the same turn."""
        if self._state.alone:
            return
        self._state.deadlines.drop(TURN)
        self._given, self._listening, self._owed, self._behind = None, False, False, False
        self._claim(Claim.BEGUN)

    def committed(self) -> None:
        """Back to back, the commits of one worker would be ahead of their news each time."""
        self._behind = False
        if self._owed:
            self._owed = False
            self._expect(self._vector)

    def missed(self, attempt: int) -> None:
        """`attempt`: the next one. What had been under way is heard."""
        self._behind = False
        if attempt > PATIENT_ATTEMPTS:
            self._given = self._vector

    def took(self) -> None:
        """An operation of another worker."""
        self._foreign_s, self._behind = self._now_s, True

    def heard(self, claimed: Claimed, base: int | None) -> None:
        """`base`: the vector of the commit in flight. A claim that comes too late for it counts for the next."""
        if claimed.vector == base:
            self._owed = True
        elif claimed.claim is not Claim.WAITING:
            self._expect(claimed.vector)
            if self._listening and claimed.claim is Claim.BEGUN and claimed.vector == self._given and self.waits:
                self._listening = False
                self._state.deadlines.set(TURN, self._until_s)

    def _give(self) -> None:
        if self._vector == self._theirs and self._now_s < self._until_s:
            until_s, claim = self._until_s, Claim.WAITING
        elif self._behind and self._contended(CROWDED_S):
            until_s, claim = self._now_s + LISTEN_S, Claim.LISTENING
            self._listening = True
        else:
            return
        self._given = self._vector
        self._state.deadlines.set(TURN, until_s)
        self._claim(claim)

    def _expect(self, vector: int) -> None:
        self._theirs, self._until_s = vector, self._now_s + PATIENCE_S

    def _claim(self, claim: Claim) -> None:
        if self._contended(LATELY_S) and self._said != self._vector:
            self._said = self._vector
            self._state.ask(Speak(Claimed(self._vector, claim)))

    def _contended(self, within_s: float) -> bool:
        return self._now_s - self._foreign_s <= within_s

    @property
    def _now_s(self) -> float:
        return self._state.now.monotonic_s

    @property
    def _vector(self) -> int:
        return self._state.replica.diagram.vector
