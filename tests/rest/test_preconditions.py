"""If-Match and If-None-Match in the spellings that are out there."""

from __future__ import annotations

import pytest

from rest.preconditions import IfMatch, hold_to
from rest.problems import Problem
from tests.support.edges import Somebody


@pytest.mark.parametrize("header", ['"5"', "5", 'W/"5"', ' "5" ', '"4", "5"'])
def test_RE12_a_vector_is_read(header: str) -> None:
    read = IfMatch.of(header)
    assert read is not None and read.fits(5) and not read.fits(6)


@pytest.mark.parametrize("header", ["", "x", '"x"', "-5", '"5', "W/5", "5.0", "٥", "5" * 5_000])
def test_RE12_what_cannot_be_read_fits_nothing(header: str) -> None:
    read = IfMatch.of(header)
    assert read is not None and not read.fits(5) and not read.anything


def test_RE12_a_tag_may_name_the_epoch() -> None:
    read = IfMatch.of('"5-00aa", W/"7-00bb"')
    assert read is not None
    assert read.fits(5, "00aa") and read.fits(7, "00bb")
    assert not read.fits(5, "00bb") and not read.fits(5)
    plain = IfMatch.of('"5"')
    assert plain is not None and plain.fits(5, "00aa")


def test_a_star_fits_everything_and_an_absent_header_is_none() -> None:
    star = IfMatch.of("*")
    assert star is not None and star.anything and star.fits(5)
    assert IfMatch.of(None) is None


def test_a_version_that_does_not_fit_is_a_conflict() -> None:
    hold_to(None, 5)
    hold_to(IfMatch.of("*"), 5)
    hold_to(IfMatch.of('"5"'), 5)
    with pytest.raises(Problem) as raised:
        hold_to(IfMatch.of('"4"'), 5)
    assert (raised.value.status, raised.value.error) == (409, "version_mismatch")
    assert raised.value.details == {"version": 5}


@pytest.fixture(params=["threat model", "threat", "flat threat", "note"])
async def place(request: pytest.FixtureRequest, alice: Somebody) -> str:
    model = await alice.threat_model()
    if request.param == "threat model":
        return model
    kind = "notes" if request.param == "note" else "threats"
    id = (await alice.post(f"{model}/{kind}", {"name": "T"}))["id"]
    return f"/threats/{id}" if request.param == "flat threat" else f"{model}/{kind}/{id}"


async def test_RE32_whoever_names_another_version_changes_nothing(alice: Somebody, place: str) -> None:
    seen = (await alice.ask("GET", place)).headers["etag"]
    renamed = await alice.ask("PUT", place, {"name": "Mine"}, headers={"If-Match": seen})
    assert renamed.status_code == 200
    assert renamed.headers["etag"] != seen
    for method, body in (("PUT", {"name": "Late"}), ("PATCH", {"name": "Late"}), ("DELETE", None)):
        refused = await alice.refused(409, "version_mismatch", method, place, body, headers={"If-Match": seen})
        assert f'"{refused["details"]["version"]}"' == renamed.headers["etag"]
    assert (await alice.get(place))["name"] == "Mine"
    await alice.put(place, {"name": "Whatever"}, headers={"If-Match": "*"})
    await alice.put(place, {"name": "Without"})
    newest = (await alice.ask("GET", place)).headers["etag"]
    await alice.delete(place, headers={"If-Match": f"W/{newest}"})


async def test_RE32_a_new_thing_says_its_version(alice: Somebody) -> None:
    made = await alice.ask("POST", "/threat_models", {"name": "M"})
    assert made.headers["etag"] == (await alice.ask("GET", made.headers["location"])).headers["etag"]
    threat = await alice.ask("POST", f"{made.headers['location']}/threats", {"name": "T"})
    assert threat.headers["etag"] == (await alice.ask("GET", threat.headers["location"])).headers["etag"]
