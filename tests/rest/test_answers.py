"""Values become answers."""

from __future__ import annotations

from rest.answers import answer, created, nothing


def test_an_answer_is_json_in_utf_8() -> None:
    made = answer({"name": "Größe"}, headers={"ETag": '"1"'})
    assert (made.status_code, made.media_type, made.headers["etag"]) == (200, "application/json", '"1"')
    assert made.body == '{"name":"Größe"}'.encode()


def test_RE8_a_creation_has_a_location_and_a_deletion_no_body() -> None:
    assert created({}, "/x/1").headers["location"] == "/x/1"
    assert (created({}, "/x/1").status_code, nothing().status_code, nothing().body) == (201, 204, b"")
