"""Rounds of all contestants, one after the other in alternation, each server started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.bars.contestants import CODRAW, FLOOR, PLAIN, Codraw, Contestant, Floor, OfPeer
from bench.bars.figures import Figures, Round, round_of
from bench.bars.programs import Failed, compiled, generated
from bench.bars.regimes import FIXED, HEAVY, Regime
from bench.peers import PEERS, Peer, prepare

Tell = Callable[[str], None]
WARM_S = 0.5
LARGE = 500
LEAST = 1_000
"""Deliveries of a round: less says nothing."""


class Contest:
    """`missing`: who could not take part, and why."""

    def __init__(self, folder: Path, seed: int, tell: Tell) -> None:
        self.figures = Figures()
        self.missing: list[str] = []
        self.contestants: list[Contestant] = []
        self._folder, self._seed, self._tell = folder, seed, tell
        self.generator = compiled("generator", folder)
        self._floor = compiled("floor", folder)

    @contextmanager
    def open(self, *, with_peers: bool) -> Iterator[None]:
        """All servers run from here on; an idle one costs the others next to nothing."""
        wanted: list[Contestant] = [
            Floor(FLOOR, self._floor, "joined"),
            Codraw(),
            Floor(PLAIN, self._floor, "plain"),
            *(OfPeer(peer) for peer in (self._prepared() if with_peers else ())),
        ]
        try:
            for one in wanted:
                self._enter(one)
            yield
        finally:
            for one in self.contestants:
                one.stop()

    def _prepared(self) -> Iterator[Peer]:
        for peer in PEERS:
            self._tell(f"{peer.name} {peer.version} …")
            if reason := prepare(peer):
                self.missing.append(f"{peer.name}: {reason}")
                self._tell(f"  missing: {reason}")
            else:
                yield peer

    def _enter(self, one: Contestant) -> None:
        try:
            one.start(self._folder)
        except Failed as failed:
            self.missing.append(f"{one.name}: {failed}")
            self._tell(f"missing: {one.name}: {failed}")
        else:
            self.contestants.append(one)

    def play(self, regimes: Sequence[Regime], rounds: int, seconds: float) -> None:
        for regime in regimes:
            self._tell(f"\n{regime.told}")
            # A large room takes long to fill: it is filled once, and its rounds follow each other.
            at_once = rounds if regime.editors >= LARGE else 1
            for number in range(rounds // at_once):
                for one in self._taking_part(regime):
                    self._play_rounds(one, regime, number, at_once, seconds)

    def _taking_part(self, regime: Regime) -> list[Contestant]:
        """Each floor in its own regime; the heavy load alone is a matter of ours."""
        left_out = {FLOOR} if regime in FIXED or regime == HEAVY else {PLAIN}
        return [one for one in self.contestants if one.name not in left_out and (regime != HEAVY or one.name in OURS)]

    def _play_rounds(self, one: Contestant, regime: Regime, number: int, rounds: int, seconds: float) -> None:
        figure = self.figures.of(one.name, regime.told)
        if len(figure.failed) > number // 2 + 1:
            return  # it failed again and again: its time is for others
        try:
            load = regime.load(one.process.port, (one.process.pid,), WARM_S, seconds)
            plan = f"seed {self._seed * 1_000 + number + 1}\nrounds {rounds}\n{one.plan(load)}"
            results = generated(self.generator, plan, (WARM_S + seconds) * rounds)
            one.check(results[-1])
            if (least := min(result["deliveries"] for result in results)) < LEAST:
                raise Failed(f"only {least} deliveries while it counted: the machine is too busy")
        except Failed as failed:
            figure.failed.append(str(failed))
            self._tell(f"  {one.name:24} failed: {str(failed)[:300]}")
            return
        for done in map(round_of, results):
            figure.rounds.append(done)
            self._tell(f"  {one.name:24}{told(done)}")


def told(done: Round) -> str:
    p50, p99 = (f"{done.delivery_ms[p]:8.2f}" if done.delivery_ms else "" for p in ("p50", "p99"))
    return (
        f"{done.us:8.2f} us CPU a delivery{done.per_second / 1_000:10.1f} k/s  core{done.share:5.2f}"
        f"  generator{done.generator_share:5.2f}  p50{p50}  p99{p99} ms"
    )


OURS = (CODRAW, PLAIN)
