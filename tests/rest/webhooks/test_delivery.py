"""One POST to a receiver: what it is sent, what counts as taken, and that it leads nowhere else (S62)."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator, Sequence
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from rest.webhooks.addresses import LOOPBACK, Policy
from rest.webhooks.delivery import ANSWER_BYTES, LONGEST_WAIT_S, Sender, Undelivered
from tests.support.balancer import certify
from tests.support.receiver import Receiver, answer, receiving

HERE = Policy(http=True, allowed=LOOPBACK)
NAME = "hooks.example.org"
HEADERS = {"X-Webhook-Event": "threat.created", "X-Webhook-Delivery-Id": "1"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


class Names:
    """Resolves every name to these, one list after the other; the last one stays."""

    def __init__(self, *lists: Sequence[str]) -> None:
        self.lists = list(lists)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self.lists[0] if len(self.lists) == 1 else self.lists.pop(0)
        if not found:
            raise OSError("no such name")
        return found


def sender(names: Names | None = None, policy: Policy = HERE, **more: object) -> Sender:
    return Sender(policy, "codraw/1.2.3", names or Names(["127.0.0.1"]), **more)  # type: ignore[arg-type]


def named(receiver: Receiver, scheme: str = "http") -> str:
    return f"{scheme}://{NAME}:{receiver.port}/hook?a=b"


async def missed(post: object, reason: str) -> Undelivered:
    with pytest.raises(Undelivered, match=reason) as caught:
        await post  # type: ignore[misc]
    return caught.value


# what is sent ---------------------------------------------------------------------------------------------------------


async def test_a_delivery_is_a_post_of_json_to_the_name(receiver: Receiver) -> None:
    found = await sender().post(named(receiver), HEADERS, '{"é":1}')
    assert (found.status, found.body) == (204, b"")
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook?a=b", '{"é":1}')
    assert {name: received.headers[name] for name in ("host", "user-agent", "content-type", "x-webhook-event")} == {
        "host": f"{NAME}:{receiver.port}",
        "user-agent": "codraw/1.2.3",
        "content-type": "application/json",
        "x-webhook-event": "threat.created",
    }
    assert "cookie" not in received.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_delivered(receiver: Receiver, status: int) -> None:
    receiver.then = lambda _: answer(status)
    assert (await sender().post(receiver.url, HEADERS, "{}")).status == status


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_not(receiver: Receiver, status: int) -> None:
    receiver.then = lambda _: answer(status)
    await missed(sender().post(receiver.url, HEADERS, "{}"), f"^status {status}$")


async def test_no_cookie_and_no_connection_is_kept(receiver: Receiver) -> None:
    receiver.then = lambda _: answer(200, set_cookie="a=b; Path=/", connection="keep-alive")
    here = sender()
    for _ in range(2):
        await here.post(receiver.url, HEADERS, "{}")
    assert "cookie" not in receiver.received[1].headers
    assert receiver.received[1].headers["connection"] == "close"


# what the receiver may do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_S62_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.then = lambda _: answer(status, location="http://127.0.0.1:1/inside")
    await missed(sender().post(receiver.url, HEADERS, "{}"), "redirects are not followed")
    assert len(receiver.received) == 1


async def test_S62_one_who_does_not_answer_is_given_up(receiver: Receiver) -> None:
    receiver.then = lambda _: None
    await missed(sender(deadline_s=0.05).post(receiver.url, HEADERS, "{}"), "no answer within")


async def test_S62_one_who_never_ends_is_given_up(receiver: Receiver) -> None:
    receiver.then = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"
    receiver.hold = True
    assert (await sender().post(receiver.url, HEADERS, "{}")).status == 200
    await missed(sender(deadline_s=0.05).post(receiver.url, HEADERS, "{}", listen=True), "no answer within")


async def test_S62_no_more_is_read_than_anybody_needs(receiver: Receiver) -> None:
    receiver.then = lambda _: answer(200, b"a" * (ANSWER_BYTES * 20))
    found = await sender().post(receiver.url, HEADERS, "{}", listen=True)
    assert found.body == b"a" * ANSWER_BYTES


async def test_S62_what_is_compressed_stays_so(receiver: Receiver) -> None:
    receiver.then = lambda _: answer(200, b"\x1f\x8b bomb", content_encoding="gzip")
    found = await sender().post(receiver.url, HEADERS, "{}", listen=True)
    assert found.body == b"\x1f\x8b bomb"
    assert receiver.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 twohundred OK\r\n\r\n"])
async def test_what_speaks_something_else_has_not_taken_it(receiver: Receiver, said: bytes) -> None:
    receiver.then = lambda _: said
    await missed(sender().post(receiver.url, HEADERS, "{}"), "no HTTP")


async def test_a_port_where_nobody_listens_is_no_connection(receiver: Receiver) -> None:
    await missed(sender().post("http://127.0.0.1:1024/", HEADERS, "{}"), "no connection")


def in_a_minute() -> str:
    return format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60), usegmt=True)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("5", 5, 5),
        ("0", 0, 0),
        ("999999999999999999999", LONGEST_WAIT_S, LONGEST_WAIT_S),
        ("in a minute", 1, 60),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0, 0),
        ("Fri, 01 Jan 2999 00:00:00 GMT", LONGEST_WAIT_S, LONGEST_WAIT_S),
    ],
)
async def test_it_is_heard_when_to_come_again_within_bounds(
    receiver: Receiver, said: str, least: float, most: float
) -> None:
    when = in_a_minute() if said == "in a minute" else said
    receiver.then = lambda _: answer(503, retry_after=when)
    found = (await missed(sender().post(receiver.url, HEADERS, "{}"), "status 503")).retry_after_s
    assert found is not None and least <= found <= most


@pytest.mark.parametrize("said", ["soon", "-5", "1.5", "Fri, 99 Foo 1999", ""])
async def test_what_is_no_time_is_not_heard(receiver: Receiver, said: str) -> None:
    receiver.then = lambda _: answer(503, retry_after=said)
    assert (await missed(sender().post(receiver.url, HEADERS, "{}"), "status 503")).retry_after_s is None


# where it leads -------------------------------------------------------------------------------------------------------


async def test_S62_a_name_is_resolved_once_and_its_address_connected_to(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    await sender(names).post(named(receiver), HEADERS, "{}")
    assert names.asked == [NAME]
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%eth0"],
        ["224.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        [],
    ],
)
async def test_S62_a_name_that_leads_inside_is_not_called(receiver: Receiver, found: list[str]) -> None:
    here = sender(Names(found), Policy(http=True))
    await missed(here.post(named(receiver), HEADERS, "{}"), "no address, or one that may not be called")
    assert receiver.received == []


async def test_S62_an_address_that_is_not_allowed_any_more_is_not_called(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"])
    await missed(sender(names, Policy(http=True)).post(receiver.url, HEADERS, "{}"), "may not be called")
    await missed(sender(names, Policy()).post(named(receiver), HEADERS, "{}"), "https")
    assert (names.asked, receiver.received) == ([], [])


async def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    # on 127.0.0.2 nobody listens at this port
    await sender(Names(["127.0.0.2", "127.0.0.1"])).post(named(receiver), HEADERS, "{}")
    assert len(receiver.received) == 1


async def test_an_answer_is_an_answer_also_where_there_are_other_addresses(receiver: Receiver) -> None:
    receiver.then = lambda _: answer(500)
    await missed(sender(Names(["127.0.0.1", "127.0.0.1"])).post(named(receiver), HEADERS, "{}"), "status 500")
    assert len(receiver.received) == 1


async def test_S62_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await sender().post(named(receiver), HEADERS, "{}")).status == 204


# certificates ---------------------------------------------------------------------------------------------------------


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server by that name, and of who believes it."""
    certify(folder, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    trust = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
    # it signs itself, and is no authority
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return server, trust


@pytest.mark.parametrize(("name", "accepted"), [(NAME, True), ("other.example.org", False), ("127.0.0.1", False)])
async def test_S62_the_certificate_is_that_of_the_name(tmp_path: Path, name: str, accepted: bool) -> None:
    asked: list[str | None] = []
    context, trust = certified(tmp_path, name)
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with receiving(tls=context) as receiver:
        post = sender(trust=trust).post(named(receiver, "https"), HEADERS, "{}")
        if accepted:
            assert (await post).status == 204
            assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"
        else:
            await missed(post, "the certificate is not accepted")
            assert receiver.received == []
    assert asked == [NAME]


async def test_a_certificate_of_nobody_we_know_is_not_accepted(tmp_path: Path) -> None:
    context, _ = certified(tmp_path, NAME)
    async with receiving(tls=context) as receiver:
        await missed(sender().post(named(receiver, "https"), HEADERS, "{}"), "the certificate is not accepted")


async def test_S62_networks_of_one_s_own_are_called_where_they_are_allowed(receiver: Receiver) -> None:
    own = Policy(http=True, allowed=(ip_network("127.0.0.0/30"),))
    assert (await sender(policy=own).post(named(receiver), HEADERS, "{}")).status == 204
