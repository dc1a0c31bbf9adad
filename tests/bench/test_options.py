from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from bench.options import count, seconds
from tests.support.tree import ROOT


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_less_than_one_round_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="at least 1"):
        count(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "long"])
def test_no_time_at_all_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="more than 0"):
        seconds(text)


def test_what_can_be_measured_is_taken() -> None:
    assert (count("3"), seconds("0.5")) == (3, 0.5)


@pytest.mark.parametrize(
    ("module", "option"), [("bench.run", "--rounds"), ("bench.run", "--seconds"), ("bench.growth", "--rounds")]
)
def test_an_option_of_which_nothing_would_be_measured_is_told_at_once(module: str, option: str) -> None:
    command = [sys.executable, "-m", module, option, "0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"argument {option}: a " in ended.stderr
