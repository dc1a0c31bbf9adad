"""The samples of docs/webhooks.md know our deliveries from others (S63)."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rest.webhooks.events import NAMES
from rest.webhooks.signatures import signed
from tests.support.tree import ROOT

GUIDE = (ROOT / "docs/webhooks.md").read_text("utf-8")
BODY = '{"event_type":"threat.created","data":{"é":1}}'
SECRETS = ("your-webhook-secret", f"whsec_{base64.b64encode(b'k' * 32).decode()}")

IsOurs = Callable[[str, Mapping[str, str], bytes], bool]


def sample(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def in_python() -> IsOurs:
    space: dict[str, Any] = {}
    exec(sample("python"), space)
    is_ours: IsOurs = space["is_ours"]
    return is_ours


@pytest.fixture
def in_node(node: str, tmp_path: Path) -> IsOurs:
    asks = "const [secret, headers, body] = JSON.parse(process.argv[2]);\n"
    asks += 'process.stdout.write(String(isOurs(secret, headers, Buffer.from(body, "base64"))));\n'
    (tmp_path / "ours.mjs").write_text(sample("javascript") + asks, "utf-8")

    def is_ours(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        asked = json.dumps([secret, dict(headers), base64.b64encode(body).decode()])
        done = subprocess.run([node, tmp_path / "ours.mjs", asked], capture_output=True, text=True, check=True)
        return done.stdout == "true"

    return is_ours


def headers(secret: str, age_s: int = 0, id: str = "msg") -> dict[str, str]:
    return {name.lower(): value for name, value in signed(id, int(time.time()) - age_s, BODY, secret).items()}


@pytest.mark.parametrize("language", ["python", "node"])
@pytest.mark.parametrize("secret", SECRETS)
def test_S63_the_samples_take_what_is_ours_and_nothing_else(
    request: pytest.FixtureRequest, language: str, secret: str
) -> None:
    is_ours: IsOurs = request.getfixturevalue(f"in_{language}")
    ours, body = headers(secret), BODY.encode()
    several = {**ours, "webhook-signature": f"v1,other {ours['webhook-signature']}"}
    assert is_ours(secret, ours, body)
    assert is_ours(secret, several, body)
    assert not is_ours(secret, ours, body + b" ")
    assert not is_ours("another secret", ours, body)
    assert not is_ours(secret, headers(secret, 400), body)
    assert not is_ours(secret, {**ours, "webhook-timestamp": str(int(ours["webhook-timestamp"]) - 1)}, body)
    assert not is_ours(secret, {**ours, "webhook-id": "another"}, body)
    assert not is_ours(secret, {}, body)
    assert not is_ours(secret, {"webhook-timestamp": ours["webhook-timestamp"]}, body)
    for signature in ("v1,\u00e9", "v1,\udce9"):
        assert not is_ours(secret, {**ours, "webhook-signature": signature}, body)
    for timestamp in ("9" * 400, "9" * 5_000, "\u0663"):
        assert not is_ours(secret, {**ours, "webhook-timestamp": timestamp}, body)


def test_every_event_is_named() -> None:
    kinds = {name.partition(".")[0] for name in NAMES} - {"session"}
    assert [kind for kind in kinds if f"`{kind}`" not in GUIDE] == []
    assert "`session.started`, `session.ended`" in GUIDE
