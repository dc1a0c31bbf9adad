"""`python -m tests.fuzz`: 100 000 cases of schemathesis, in rounds of other seeds, and what came of each."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.run import Fuzz, Outcome

CASES = 100_000
EXAMPLES = 100
"""For each operation and round, in the phase that draws at random; the others take what they need."""
PROFILES = ("wiki", "tmi")


def main() -> int:
    asked = _asked()
    seed = asked.seed if asked.seed is not None else int(time.time())
    sent, failed = 0, 0
    while sent < asked.cases:
        outcome = _round(seed, asked.examples)
        sent, failed = sent + outcome.cases, failed + (not outcome.good)
        print(f"seed {outcome.seed}: {outcome.cases} cases, {'good' if outcome.good else 'NOT GOOD'}", flush=True)
        if not outcome.good:
            print(outcome.text)
        if not outcome.cases:
            return 1
        seed += 1
    print(f"{sent} cases in all; {failed} rounds with findings")
    return 1 if failed else 0


def _round(seed: int, examples: int) -> Outcome:
    """On a server of its own: what a round left behind must not decide what the next one finds."""
    profile = PROFILES[seed % len(PROFILES)]
    with tempfile.TemporaryDirectory(prefix="codraw-fuzz-") as folder, Fuzz(Path(folder), api_profile=profile) as fuzz:
        return fuzz.run(seed, "--max-examples", str(examples))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help="at least so many")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="for each operation and round")
    parser.add_argument("--seed", type=int, help="of the first round; by default the clock's")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
