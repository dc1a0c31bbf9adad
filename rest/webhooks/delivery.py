"""One POST to a receiver (S62): to where its owner may have us call, with no redirects, no proxies, no cookies, and a
deadline over all.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from rest.outbound import CheckedTransport, Resolve, Unreachable
from rest.webhooks.addresses import BadAddress, Policy, Target, target

DEADLINE_S = 10.0
CONNECT_S = 4.0
"""To one address; there may be others."""
ANSWER_BYTES = 65_536
LONGEST_WAIT_S = 3_600.0
"""Of what a receiver asks for by Retry-After."""


class Undelivered(Exception):
    """It did not arrive, or was not taken. `reason`: short, for the owner; nothing of our network is in it."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: its first ANSWER_BYTES, where it was asked for."""

    status: int
    body: bytes = b""


class Sender:
    """`agent`: what it calls itself. `trust`: whose certificates are believed."""

    def __init__(
        self,
        policy: Policy,
        agent: str,
        resolve: Resolve,
        *,
        deadline_s: float = DEADLINE_S,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._agent = agent
        self._resolve = resolve
        self._deadline_s = deadline_s
        self._trust = trust

    async def post(self, url: str, headers: Mapping[str, str], body: str, *, listen: bool = False) -> Answer:
        """Of an answer whose status is 2xx; `listen`: with what it says. Raises Undelivered."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._asked(target(url, self._policy), headers, body, listen)
        except BadAddress as bad:
            raise Undelivered(f"the address {bad}") from None
        except TimeoutError:
            raise Undelivered(f"no answer within {self._deadline_s:g} s") from None
        except Unreachable:
            # What exactly is wrong would tell of our network.
            raise Undelivered("the host has no address, or one that may not be called") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            why = "the certificate is not accepted" if _untrusted(error) else "no connection"
            raise Undelivered(why) from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise Undelivered("the connection broke, or the answer is no HTTP") from None

    async def _asked(self, to: Target, headers: Mapping[str, str], body: str, listen: bool) -> Answer:
        sent = {
            "User-Agent": self._agent,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Connection": "close",
            **headers,
        }
        url = f"{to.scheme}://{to.authority}{to.path}"
        # A client for each: neither cookies nor connections of one receiver serve another, who may share its address.
        async with self._client() as http, http.stream("POST", url, content=body.encode(), headers=sent) as answer:
            _judge(answer)
            return Answer(answer.status_code, await _heard(answer) if listen else b"")

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=CheckedTransport(self._policy.permits, self._resolve, self._trust),
            trust_env=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
        )


def _judge(answer: httpx2.Response) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise Undelivered(f"status {status}: redirects are not followed")
    raise Undelivered(f"status {status}", _retry_after_s(answer.headers.get("retry-after")))


async def _heard(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) >= ANSWER_BYTES:
            break
    return bytes(body[:ANSWER_BYTES])


def _retry_after_s(text: str | None) -> float | None:
    """Seconds, or a date; never more than LONGEST_WAIT_S."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return min(float(text[:6]), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT_S)


def _untrusted(error: httpx2.TransportError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
