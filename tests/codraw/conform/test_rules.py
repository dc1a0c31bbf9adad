from __future__ import annotations

import pytest

from codraw.conform import rules
from codraw.conform.rules import Broken, Dialect, equal, family, one_of, sentences, that


def test_a_rule_is_registered_with_its_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CHECKS", found := [])

    @rules.rule("OP1 OP2", "something", (Dialect.TMI,))
    async def check(stage: object) -> None: ...

    ((ids, says, run, dialects, slow_s),) = [(c.ids, c.says, c.run, c.dialects, c.slow_s) for c in found]
    assert (ids, says, run, dialects, slow_s) == (("OP1", "OP2"), "something", check, (Dialect.TMI,), 0)


def test_what_does_not_hold_says_what_was_expected_and_what_came() -> None:
    that(1, "holds")
    equal(1, 1, "the number")
    one_of(1, (1, 2), "the number")
    with pytest.raises(Broken, match="no frame came"):
        that([], "no frame came")
    with pytest.raises(Broken, match="the number: expected 2, came 1"):
        equal(1, 2, "the number")
    with pytest.raises(Broken, match=r"the number: expected one of \(2, 3\), came 1"):
        one_of(1, (2, 3), "the number")


def test_the_sentences_are_those_of_the_specification() -> None:
    assert sentences()["UN5"] == "With nothing skipped, undo then redo leaves the state hash unchanged."


@pytest.mark.parametrize(("id", "name"), [("OP12", "OP"), ("S50", "S"), ("SES9", "SES")])
def test_the_family_of_an_id(id: str, name: str) -> None:
    assert family(id) == name
