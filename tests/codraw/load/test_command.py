from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from codraw.cli import cli
from codraw.load.command import HERE, Exit, WrongUse, again, plan
from codraw.local_stores import free_port
from tests.support.servers import Server
from tests.support.tree import ROOT

SHORT = ["--editors", "3", "--rate", "20", "--duration", "0.5"]


def test_it_writes_what_came_of_it(server: Server, tmp_path: Path) -> None:
    json, page = tmp_path / "out.json", tmp_path / "out.html"
    ended = CliRunner().invoke(
        cli, ["load", server.http, *SHORT, "--pid", str(server.pid), "--json", str(json), "--report", str(page)]
    )
    assert ended.exit_code == 0, ended.output
    assert "good: nothing lost" in ended.output
    assert msgspec.json.decode(json.read_bytes())["agreement"]["is_settled"] is True
    assert page.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["there"], "no address"),
        (["http://there", "--scenario", "dancing"], "--scenario dancing: there is none; it is one of drawing, "),
        (["http://there", "--dialect", "morse"], "--dialect morse: there is none; it is one of "),
        (["http://there", "--jitter", "-1"], "--jitter"),
        (["http://there", "--settle", "nan"], "--settle"),
        ([f"http://127.0.0.1:{free_port()}", *SHORT], "does not answer"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(options: list[str], said: str) -> None:
    ended = CliRunner().invoke(cli, ["load", *options])
    assert ended.exit_code == 2
    assert said in ended.output and "Traceback" not in ended.output


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_what_cannot_be_written_is_told_before_the_run(tmp_path: Path, option: str) -> None:
    ended = CliRunner().invoke(cli, ["load", "http://there", option, str(tmp_path / "away" / "out")])
    assert ended.exit_code == 2 and "no folder" in ended.output


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_folder_is_no_report(tmp_path: Path, option: str) -> None:
    ended = CliRunner().invoke(cli, ["load", "http://there", option, str(tmp_path)])
    assert ended.exit_code == 2 and "cannot be written: Is a directory" in ended.output


def test_of_a_run_that_is_refused_no_report_is_written_or_lost(tmp_path: Path) -> None:
    former, new = tmp_path / "former.json", tmp_path / "new.html"
    former.write_text("former")
    nobody = f"http://127.0.0.1:{free_port()}"
    ended = CliRunner().invoke(cli, ["load", nobody, "--json", str(former), "--report", str(new)])
    assert ended.exit_code == 2 and former.read_text() == "former" and not new.exists()


def test_a_link_to_what_is_not_there_yet_stays_one(tmp_path: Path) -> None:
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    nobody = f"http://127.0.0.1:{free_port()}"
    ended = CliRunner().invoke(cli, ["load", nobody, "--json", str(link)])
    assert ended.exit_code == 2 and link.is_symlink() and not target.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_load_and_what_came_of_it_is_written(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "codraw", "load", server.http, "--editors", "3", "--rate", "20"]
    json, page = tmp_path / "out.json", tmp_path / "out.html"
    with subprocess.Popen(
        [*command, "--duration", "600", "--json", str(json), "--report", str(page)], cwd=ROOT, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(number)
        told, _ = running.communicate(timeout=60)
    assert running.returncode == Exit.INTERRUPTED
    assert b"Interrupted" in told and b"good: nothing lost" in told
    assert msgspec.json.decode(json.read_bytes())["is_interrupted"] is True
    assert "Interrupted" in page.read_text("utf-8")


def test_without_a_test_provider_it_says_what_to_do(server: Server) -> None:
    ended = CliRunner().invoke(cli, ["load", server.http, *SHORT, *["--token", "nonsense"] * 3])
    assert ended.exit_code == 2 and "--token" in ended.output


def test_what_is_not_given_is_as_usual() -> None:
    assert plan(None, rate=None).urls == (HERE,)
    assert plan(["http://a", "http://b"], rate=3.0).rate == 3.0


def test_a_value_of_the_wrong_kind_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="rate"):
        plan(None, rate="fast")


def test_S10_what_was_typed_is_told_without_the_tokens() -> None:
    told = again(["load", "--token", "eyJ.one", "--token=eyJ.two", "--seed", "2"])
    assert told == "codraw load --token TOKEN --token=TOKEN --seed 2"
