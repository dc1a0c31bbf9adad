"""schemathesis over openapi.yml, against a real server: what it was asked, and what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.contract import DOCUMENT
from tests.support.servers import Server
from tests.support.tree import ROOT

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)
"""All but `positive_data_acceptance`: cells, patches and times have rules that no schema states."""
LIFE_S = 86_400
"""Of the token; a long run must not end as a stranger's."""
GENERATED = re.compile(r"([\d,]+) generated")


@dataclass(frozen=True)
class Outcome:
    """Of one run of schemathesis. `cases` counts all that were sent, not only those of the last phase."""

    seed: int
    cases: int
    good: bool
    text: str


class Fuzz:
    """A server with one person signed in, who asks everything. The store is SQLite, the mode development."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        settings = {"access_token_seconds": str(LIFE_S), "webhooks_per_user": "100000", **settings}
        self.server = Server(folder, **settings)

    def __enter__(self) -> Fuzz:
        self.server.start()
        self.token = sign_in(self.server.http, "fuzz")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()

    def run(self, seed: int, *options: str) -> Outcome:
        """`options`: more words for `st run`."""
        done = subprocess.run(
            [*self._command(seed), *options],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        found = GENERATED.search(text)
        cases = int(found[1].replace(",", "")) if found else 0
        return Outcome(seed, cases, done.returncode == 0 and self.is_well(), text)

    def is_well(self) -> bool:
        """It still answers, to the same login, and has logged no fault."""
        http = httpx2.Client(base_url=self.server.http, headers={"Authorization": f"Bearer {self.token}"})
        with http:
            return http.get("/readyz").status_code == http.get("/me").status_code == 200 and not self.faults()

    def faults(self) -> list[str]:
        return [line for line in self.server.log.splitlines() if "Traceback" in line]

    def _command(self, seed: int) -> list[str]:
        return [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(DOCUMENT)),
            *("--url", self.server.http, "--checks", ",".join(CHECKS)),
            *("--seed", str(seed), "--continue-on-failure"),
            *("--no-color", "--warnings", "off", "--suppress-health-check", "all"),
            *("--generation-database", "none", "--max-redirects", "0"),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("CODRAW_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
            "CODRAW_FUZZ_URL": self.server.http,
            "CODRAW_FUZZ_TOKEN": self.token,
        }


def sign_in(url: str, name: str) -> str:
    """An access token of a login of its own."""
    with httpx2.Client(base_url=url, follow_redirects=True, timeout=30) as http:
        answer: Any = http.get("/oauth2/authorize", params={"idp": "test", "login_hint": name}).json()
    return str(answer["access_token"])
