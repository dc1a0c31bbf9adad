"""Where webhooks lead, by the settings."""

from __future__ import annotations

import pytest

from codraw.settings import Settings
from codraw.webhooks import policy

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"


@pytest.mark.parametrize(
    ("given", "permitted"),
    [
        ({"mode": "production"}, ()),
        ({"mode": "production", "webhook_allow_private": "10.1.0.0/16,192.168.0.5"}, ("10.1.2.3", "192.168.0.5")),
        ({}, ("127.0.0.1", "::1")),
    ],
)
def test_S62_webhooks_lead_inside_where_a_setting_allows_it(given: dict[str, str], permitted: tuple[str, ...]) -> None:
    found = policy(Settings(**{"mode": "development", "secret_key": SECRET, **given}))
    asked = ("10.1.2.3", "10.2.0.1", "192.168.0.5", "127.0.0.1", "::1", "169.254.169.254")
    assert tuple(filter(found.permits, asked)) == permitted
    assert found.http == ("mode" not in given)


def test_webhooks_over_http_are_a_setting() -> None:
    assert policy(Settings(mode="production", secret_key=SECRET, webhook_http=True)).http
