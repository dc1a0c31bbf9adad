"""Who is signed in, and the end of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from starlette.responses import Response

from protocol.values import Caller
from rest.answers import answer, nothing
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.oauth import dev
from rest.oauth.cookies import clear_cookies
from rest.views import user_form

GROUPS = uuid.UUID("6f1de4a5-6c0f-4a53-9e0c-5b8f3f3f1c52")
"""Namespace of group ids: a group of a provider has the same id always and everywhere."""


class Account:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def userinfo(self, call: Call) -> Response:
        user = call.caller.user
        return answer(
            {
                "sub": user.id,
                "email": user.email,
                "name": user.display_name,
                "idp": user.provider,
                "groups": call.caller.groups,
                # beside the contract: TMI's own test collection asks for these
                "provider": user.provider,
                "provider_id": user.provider_id,
            }
        )

    async def me(self, call: Call) -> Response:
        user, oauth = call.caller.user, self.deps.oauth
        # TMI's app leads by role, and only its reviewers' pages are all here; who names reviewers wants the others'.
        shown_all = self.deps.development and user.provider == dev.PROVIDER and not oauth.reviewers
        return answer(
            {
                **user_form(user),
                "name": user.display_name,
                "sub": user.id,
                "idp": user.provider,
                "email_verified": call.caller.email_verified,
                "is_admin": belongs(call.caller, oauth.admins),
                "is_security_reviewer": shown_all or belongs(call.caller, oauth.reviewers),
                "groups": [group_form(user.provider, name) for name in call.caller.groups],
            }
        )

    async def logout(self, call: Call) -> Response:
        """The whole login: every token of this sign-in, and its sockets (AU12)."""
        await self.deps.accounts.end_login(call.caller.sid)
        response = nothing()
        clear_cookies(response, call.base.startswith("https:"))
        return response


def belongs(caller: Caller, groups: Collection[str]) -> bool:
    """Whether the caller is in one of these, each `provider:group` or a name of any provider. A name with a colon takes
    its provider, or whoever makes groups at one provider could make one that reads like another provider's."""
    provider = caller.user.provider
    return any(f"{provider}:{name}" in groups or (":" not in name and name in groups) for name in caller.groups)


def group_form(provider: str, name: str) -> dict[str, Any]:
    return {"internal_uuid": str(uuid.uuid5(GROUPS, f"{provider}:{name}")), "group_name": name, "name": name}
