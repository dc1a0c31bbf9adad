"""Session facts."""

from __future__ import annotations

from tests.support.script import DIAGRAM, SESSION, THREAT_MODEL, session, user


def test_participants_see_what_the_session_is_and_not_how_it_is_kept() -> None:
    view = session(presenter=user("bo"), presenter_term=4, start_vector=7).view()
    assert (view.session_id, view.threat_model_id, view.diagram_id) == (SESSION.id, THREAT_MODEL, DIAGRAM)
    assert (view.host, view.presenter, view.presenter_term) == (user("ana"), user("bo"), 4)
    assert view.start_vector == 7
