from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from codraw.cli import cli
from codraw.conform.command import Asked, Exit, Unreachable, WrongUse, list_rules, run
from codraw.local_stores import free_port
from tests.codraw.conform.nursery import Nursery


def asked(**options: Any) -> Asked:
    none: dict[str, Any] = {name: [] for name in ("rules", "families", "dialects", "tokens")}
    return Asked(**{**none, "patience_s": 5.0, "jobs": 4, "slow": False, **options})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rules": ["OP999"]}, "--rule OP999"),
        ({"families": ["XX"]}, "--family XX"),
        ({"dialects": ["morse"]}, "--dialect morse"),
        ({"tokens": ["mallory=t", "bob=t"]}, "--token mallory"),
        ({"tokens": ["bob=t"]}, "for alice"),
        ({"tokens": ["alice=", "bob=t"]}, "--token alice=… holds no token"),
        ({"rules": ["vec4"]}, "--rule VEC4: it is not looked at: needs a kill"),
        ({"rules": ["I1"]}, "--rule I1: it is not looked at: invariants"),
        ({"patience_s": 0.0}, "--patience 0"),
        ({"patience_s": float("nan")}, "--patience nan"),
    ],
)
def test_an_option_that_names_nothing_is_wrong_use(options: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        run("http://there", asked(**options), None, Console(quiet=True))


def test_an_address_must_be_one() -> None:
    with pytest.raises(WrongUse, match="no address"):
        run("localhost:8080", asked(), None, Console(quiet=True))


@pytest.mark.parametrize("name", ["away/out.json", "."])
def test_what_cannot_be_written_is_told_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUse, match="no folder for it, or it is one itself"):
        run(f"http://127.0.0.1:{free_port()}", asked(), tmp_path / name, Console(quiet=True))


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        run(f"http://127.0.0.1:{free_port()}", asked(), None, Console(quiet=True))


def test_rules_are_named_in_either_case_and_good_is_good(nursery: Nursery, tmp_path: Path) -> None:
    with nursery.serving("") as url:
        end = run(url, asked(rules=["re8", "SES2"]), tmp_path / "out.json", Console(quiet=True))
    assert end is Exit.KEPT
    rules = [one["rules"] for one in json.loads((tmp_path / "out.json").read_text())["results"]]
    assert rules == [["SES2"], ["RE8"]]


def test_what_is_too_slow_has_an_end_of_its_own(nursery: Nursery) -> None:
    with nursery.serving("") as url:
        asked_for = asked(rules=["RE8"], dialects=["tmi"], patience_s=0.0001)
        assert run(url, asked_for, None, Console(quiet=True)) is Exit.UNDECIDED


def test_a_server_that_is_not_there_ends_as_wrong_use() -> None:
    found = CliRunner().invoke(cli, ["conform", f"http://127.0.0.1:{free_port()}"])
    assert (found.exit_code, "does not answer" in found.output) == (Exit.WRONG_USE, True)


def test_a_broken_rule_is_not_good(nursery: Nursery) -> None:
    with nursery.serving("errors_have_no_description") as url:
        assert run(url, asked(rules=["RE1"]), None, Console(quiet=True)) is Exit.BROKEN


def test_tokens_stand_in_for_a_test_provider(nursery: Nursery) -> None:
    from codraw.sign_in import access_token

    with nursery.serving("") as url:
        tokens = [f"{name}={access_token(url, name)}" for name in ("alice", "bob")]
        console = Console(record=True, width=200, quiet=False)
        end = run(url, asked(rules=["SES2", "OP12", "AU12"], dialects=["tmi"], tokens=tokens), None, console)
    assert end is Exit.KEPT
    text = console.export_text()
    assert "give --token dave=" in text and "login of its own" in text


def test_the_list_names_all_rules() -> None:
    console = Console(record=True, width=200)
    list_rules(console)
    text = console.export_text()
    assert "OP12" in text and "VEC4" in text
