"""The cookies of TMI's app: HttpOnly, SameSite, and Secure under https (S98)."""

from __future__ import annotations

from starlette.responses import Response

from rest.identity import ACCESS_COOKIE, REFRESH_COOKIE

REFRESH_PATH = "/oauth2"


def set_cookies(response: Response, access: str, access_s: int, refresh: str, refresh_s: int, secure: bool) -> None:
    response.set_cookie(ACCESS_COOKIE, access, access_s, path="/", secure=secure, httponly=True, samesite="lax")
    response.set_cookie(
        REFRESH_COOKIE, refresh, refresh_s, path=REFRESH_PATH, secure=secure, httponly=True, samesite="strict"
    )


def clear_cookies(response: Response, secure: bool) -> None:
    response.delete_cookie(ACCESS_COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
    response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH, secure=secure, httponly=True, samesite="strict")
