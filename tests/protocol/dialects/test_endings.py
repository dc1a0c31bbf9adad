from __future__ import annotations

import pytest

from protocol.dialects import DIALECTS, Dialect
from protocol.dialects.endings import CODES, RETURN, SENTENCES
from protocol.refusals import CloseCode, Ending
from tests.protocol.dialects.samples import ended

EVERY = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def test_every_ending_has_a_code_and_a_sentence_and_every_code_an_advice() -> None:
    assert CODES.keys() == SENTENCES.keys() == set(Ending)
    assert RETURN.keys() == set(CloseCode)


@EVERY
@pytest.mark.parametrize("ending", Ending)
def test_a_close_reason_fits_its_frame(dialect: Dialect, ending: Ending) -> None:
    assert 0 < len(dialect.farewell(ended(ending)).reason.encode()) <= 123
