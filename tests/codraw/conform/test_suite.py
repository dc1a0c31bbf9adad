"""The kit against the server, as it is and with bugs planted in it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from codraw.conform.rules import sentences
from codraw.conform.run import Choice, Verdict, cases, conform
from codraw.conform.suite import FAMILIES, SUITE
from codraw.conform.unseen import UNSEEN
from tests.codraw.conform.mutants import MUTANTS
from tests.codraw.conform.nursery import IMPATIENT_S, PATIENT_S, Nursery, failed
from tests.support.tree import lines


@pytest.mark.timeout(300)
def test_the_server_keeps_every_rule_that_can_be_seen(nursery: Nursery) -> None:
    with nursery.serving("") as url:
        results = asyncio.run(conform(url, Choice(patience_s=PATIENT_S)))
    found = [f"{one.name}: {one.text}" for one in results if one.verdict in (Verdict.FAILED, Verdict.UNDECIDED)]
    assert not found, lines(found)
    aside = [one for one in results if one.verdict is Verdict.NOT_APPLICABLE]
    assert [one.check for one in aside if not one.check.slow_s] == []
    assert len(aside) == sum(len(check.dialects) or 1 for check in SUITE if check.slow_s)


def test_at_least_a_hundred_rules_are_looked_at() -> None:
    assert len({id for check in SUITE for id in check.ids}) >= 100


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(nursery: Nursery, name: str) -> None:
    bug = MUTANTS[name]
    ids: set[str] = set()
    with nursery.serving(name) as url:
        # a busy machine leaves what is looked at with little patience undecided
        for patience_s in (IMPATIENT_S, PATIENT_S):
            if not set(bug.caught_by) <= ids:
                choice = Choice(frozenset(bug.caught_by), dialects=frozenset(bug.dialects), patience_s=patience_s)
                ids |= {id for one in failed(url, choice) for id in one.check.ids}
    assert set(bug.caught_by) <= ids


def test_a_hundred_bugs_are_planted() -> None:
    assert len(MUTANTS) >= 100


def test_every_id_is_one_of_the_specification() -> None:
    known = sentences()
    checked = {id for check in SUITE for id in check.ids}
    assert checked <= known.keys()
    assert UNSEEN.keys() <= known.keys()
    assert checked & UNSEEN.keys() == set()


def test_checks_stand_in_the_order_of_the_specification() -> None:
    families = [check.ids[0].rstrip("0123456789") for check in SUITE]
    assert families == sorted(families, key=FAMILIES.index)
    assert set(families) == set(FAMILIES)


def test_no_two_checks_of_a_rule_look_at_the_same() -> None:
    names = Counter((check.name, check.says) for check in SUITE)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_check_without_dialects_runs_once() -> None:
    (check,) = (check for check in SUITE if check.ids == ("SES2",))
    assert cases(Choice(rules=frozenset({"SES2"}))) == [(check, None)]
