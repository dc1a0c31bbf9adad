"""The files of deploy/, read: they are whole, name what there is, pin what they take, and hold no secret."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from codraw import __version__
from codraw.check import is_known
from codraw.settings import FROM_FILES, Settings, variable
from tests.support.servers import Server
from tests.support.tree import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
WORKERS = ("worker-1", "worker-2")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
IMAGES = sorted({each["image"] for each in SERVICES.values()} | set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)))
SETTINGS = {variable(field) for field in Settings.model_fields} | {f"{variable(name)}_FILE" for name in FROM_FILES}
VERSION = re.compile(r"^[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z]+)*$")


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    assert set(re.findall(r"CODRAW_\w+", path.read_text())) <= SETTINGS


@pytest.mark.parametrize(
    "image", [*(each["image"] for each in SERVICES.values()), *re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)]
)
def test_every_image_is_pinned_by_version(image: str) -> None:
    assert VERSION.match(image)


def test_the_image_that_is_built_is_the_one_that_is_run() -> None:
    (built,) = re.findall(r"-t (\S+) \.", DOCKERFILE)
    assert {SERVICES[name]["image"] for name in WORKERS} == {built} == {f"codraw:{__version__}"}
    for name in WORKERS:
        build = SERVICES[name]["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert ROOT / build["dockerfile"] == DEPLOY / "Dockerfile"


def test_secrets_come_from_files_that_every_service_is_given() -> None:
    declared = COMPOSE["secrets"]
    for service in SERVICES.values():
        named = {
            value.removeprefix("/run/secrets/")
            for name, value in service.get("environment", {}).items()
            if name.endswith("_FILE")
        }
        assert named == set(service.get("secrets", [])) <= declared.keys()
    assert all(re.fullmatch(r"\./secrets/\w+", secret["file"]) for secret in declared.values())


def test_no_secret_stands_in_a_file() -> None:
    for path in DEPLOY.iterdir():
        assert not re.search(r"://\w+:[^$%{@\s]+@", path.read_text()), path
    for service in SERVICES.values():
        inline = [name for name in service.get("environment", {}) if re.search(r"PASSWORD$|SECRET_KEY$|TOKEN$", name)]
        assert inline == []


def test_every_service_comes_back_and_says_how_it_is() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped"
        assert "healthcheck" in service or name in WORKERS
    assert "HEALTHCHECK" in DOCKERFILE


def test_what_a_service_waits_for_is_there() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert condition == {"condition": "service_healthy"}


def test_workers_and_stores_meet_in_a_network_that_leads_nowhere() -> None:
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert all("back" in SERVICES[name]["networks"] for name in ("postgres", "redis", *WORKERS))
    assert SERVICES["nginx"]["networks"] == ["front"]
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["nginx"]


def test_the_balancer_knows_exactly_the_workers_there_are() -> None:
    named = re.findall(r"^\s+server ([\w-]+):(\d+)", (DEPLOY / "nginx.conf").read_text(), re.M)
    (port,) = re.findall(r"CODRAW_PORT=(\d+)", DOCKERFILE)
    assert named == [(name, port) for name in WORKERS]
    addresses = [f"{name}:{SERVICES[name]['networks']['front']['ipv4_address']}" for name in WORKERS]
    assert SERVICES["nginx"]["extra_hosts"] == addresses


def test_workers_differ_in_nothing_but_their_address() -> None:
    first, second = ({**SERVICES[name], "networks": None} for name in WORKERS)
    assert first == second
    settings = first["environment"]
    assert settings["CODRAW_REDIS_URL"] == "redis://redis:6379/0"
    assert settings["CODRAW_PUBLIC_URL"].startswith("${CODRAW_PUBLIC_URL:?")


def test_a_worker_that_has_just_been_started_can_be_stopped() -> None:
    """Not by itself: what is the first process of a container ignores a signal that it does not expect yet."""
    assert all(SERVICES[name]["init"] is True for name in WORKERS)


def test_volumes_are_named_and_what_is_mounted_is_here_or_made_by_the_operator() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file() or source == "./tls"


def test_the_image_is_given_what_the_build_needs_and_nothing_else() -> None:
    listed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert listed[0] == "*"
    kept = {line.removeprefix("!") for line in listed if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    assert {"codraw", "collab", "protocol", "rest", "storage", "pyproject.toml", "hatch_build.py", "LICENSE"} <= kept


def test_nothing_in_the_image_runs_as_root() -> None:
    assert re.findall(r"^(?:USER|CMD) .*", DOCKERFILE, re.M)[-2:] == ["USER 10001:10001", 'CMD ["codraw", "serve"]']


def test_the_health_check_of_the_image_tells_a_server_that_lives_from_one_that_does_not(tmp_path: Path) -> None:
    (command,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", DOCKERFILE)
    program, *arguments = json.loads(command)
    assert program == "python"
    with Server(tmp_path) as server:
        environment = os.environ | {"CODRAW_PORT": str(server.port)}
        alive = subprocess.run([sys.executable, *arguments], env=environment, check=False)
        server.kill()
        dead = subprocess.run([sys.executable, *arguments], env=environment, check=False, stderr=subprocess.DEVNULL)
    assert (alive.returncode, dead.returncode) == (0, 1)


@pytest.mark.needs_haproxy
def test_haproxy_takes_its_configuration(haproxy: str, tmp_path: Path) -> None:
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = re.sub(r" worker-(\d):8080", r" 127.0.0.1:808\1", text).replace("ssl crt /etc/haproxy/codraw.pem", "")
    (tmp_path / "haproxy.cfg").write_text(text.replace("ssl-min-ver TLSv1.2", ""))
    done = subprocess.run([haproxy, "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_systemd_sees_no_fault_in_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on the path")
    unit = tmp_path / "codraw.service"
    unit.write_text((DEPLOY / "codraw.service").read_text().replace("/opt/codraw/bin/codraw", "/bin/true"))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_starts_it_again_however_often_it_was_refused() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.read(DEPLOY / "codraw.service")
    assert (unit["Service"]["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("always", "0")


def test_a_secret_made_as_the_instructions_say_is_none_that_is_refused() -> None:
    instructions = (DEPLOY / "README.md").read_text()
    (command,) = re.findall(r"^\s*(.*) > secrets/secret_key$", instructions, re.M)
    made = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.strip()
    assert len(made) >= 32 and not is_known(made)


def test_the_check_without_containers_reads_what_the_service_is_given(tmp_path: Path) -> None:
    (check,) = re.findall(r"```bash\n( +cd /etc/codraw\n.*?)```", (DEPLOY / "README.md").read_text(), re.S)
    (tmp_path / "codraw.env").write_text("CODRAW_PUBLIC_URL=https://draw.example.com\n")
    (tmp_path / "secret_key").write_text("n0t-a-default:9f2c41d7e8b35a60c1d2\n")
    (tmp_path / "store_url").write_text(f"sqlite:///{tmp_path}/store.db\n")
    script = check.replace("/etc/codraw", str(tmp_path))
    script = script.replace("/opt/codraw/bin/codraw", f"{sys.executable} -m codraw")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "secret    ok  given" in done.stdout and f"sqlite {tmp_path}/store.db" in done.stdout
