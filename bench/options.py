"""Numbers as options take them: with none of nothing is measured, and it takes minutes until that is seen."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """For argparse."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number, at least 1, is needed and not {text}")
    return int(text)


def seconds(text: str) -> float:
    """For argparse."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"a number of seconds, more than 0, is needed and not {text}")
    return found
