"""Bugs of one changed line each."""

from __future__ import annotations
import __future__

import inspect
import textwrap
from typing import Any

from tests.codraw.conform.planting import mutant


def changed(function: Any, old: str, new: str) -> None:
    """The function with this text in place of that one, for all who have imported it."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{function.__qualname__} has {source.count(old)} times {old!r}"
    made = dict(function.__globals__)
    flags = __future__.annotations.compiler_flag
    exec(compile(source.replace(old, new), function.__code__.co_filename, "exec", flags, True), made)
    function.__code__ = made[function.__name__].__code__


@mutant("OP10")
def the_first_of_two_stays() -> None:
    from collab.core import merge

    changed(merge.merged, "in patch.items()", "in [one for one in patch.items() if one[1] != 222 or cell['x'] != 111]")


@mutant("WS17", "codraw.v1")
def a_wrong_hash_of_an_old_vector_is_believed() -> None:
    from collab.core import resume

    changed(resume._missed, "known is None", "known is None or missed")


@mutant("UN12", "classic")
def a_classic_tab_is_not_told_of_an_undo() -> None:
    from protocol.dialects import classic

    changed(classic._happened, "return _inverted(operation.kind, notice.after)", "return ()")


@mutant("OP19", "classic")
def a_classic_tab_is_not_corrected() -> None:
    from collab.core.receipts import Receipts

    changed(Receipts._tell, "(*own, *state.roster.fetching(now_s))", "state.roster.fetching(now_s)")


@mutant("OP19")
def a_tmi_tab_sees_its_own_name() -> None:
    from protocol.dialects import tmi

    changed(tmi._happened, "SERVER_USER if own else operation.user", "operation.user")


@mutant("OP23")
def the_limit_of_cells_is_one_too_low() -> None:
    from protocol import cells

    changed(cells.canonical_changes, "limits.max_cells_per_operation", "limits.max_cells_per_operation - 1")


@mutant("OP23", "codraw.v1")
def the_stack_is_three_deep() -> None:
    from collab.core.replica import Replica

    changed(Replica.__init__, "limits.undo_depth", "3")


@mutant("VEC8", "codraw.v1")
def a_retry_of_a_no_op_is_new() -> None:
    from collab.core.receipts import Receipts

    changed(Receipts._repeat, ", duplicate=True", "")


@mutant("VEC8", "codraw.v1")
def a_retry_of_an_undo_forgets_what_it_left() -> None:
    from collab.core.receipts import Receipts

    changed(Receipts._repeat, "vector=outcome.vector, skipped=skipped", "vector=outcome.vector")


@mutant("UN2")
def keys_inside_attrs_count_as_one() -> None:
    from collab.core.reversal import Reversal

    changed(Reversal._changed, "(id, path, ", "(id, path[:1], ")


@mutant("UN2")
def redo_overwrites_other_people_s_work() -> None:
    from collab.core.writing import Judge

    changed(Judge._inverted, "entry, undoer)", "entry, None if kind is Kind.REDO else undoer)")


@mutant("UN7 OP11")
def a_no_op_empties_the_redo_stack() -> None:
    from collab.core.writing import Judge

    stack = "__import__('msgspec').structs.replace(self._stack(waiting), redo=())"
    changed(Judge._concluded, "NoOp(waiting, self._stack(waiting))", f"NoOp(waiting, {stack})")


@mutant("UN13", "codraw.v1")
def a_group_goes_on_under_another_name() -> None:
    from collab.core import history

    changed(history._goes_on, "row.group_id == before.group_id", "before.group_id is not None")


@mutant("PR5", "tmi codraw.v1")
def nobody_presents_without_a_host() -> None:
    from collab.core import moderation

    changed(moderation.next_presenter, "return roster.longest_writer(host)", "return None")


@mutant("PR5", "tmi codraw.v1")
def whoever_came_first_presents() -> None:
    from collab.core.roster import Roster

    changed(Roster.longest_writer, "one.role >= Role.WRITER", "one")


@mutant("PR11")
def a_request_without_a_host_is_dropped() -> None:
    from collab.core.moderation import _ByUser

    here = "if not self._reaches(host):"
    changed(_ByUser._ask, here, f"{here} return self._done(ref)\n    {here}")


@mutant("PR11")
def only_the_host_s_first_socket_is_asked() -> None:
    from collab.core.moderation import _ByUser

    changed(_ByUser._told, "for p in sockets)", "for p in sockets[:1])")


@mutant("PR8", "codraw.v1")
def viewports_are_dropped() -> None:
    from collab.core import awareness

    awareness.FIELDS = ("cursor", "selection")


@mutant("SES10", "tmi codraw.v1")
def a_host_is_always_here() -> None:
    from collab.core.roster import Roster

    changed(Roster.view, '"here" if here else "away" if away else "absent"', '"here"')


@mutant("SES10", "tmi codraw.v1")
def a_host_who_is_away_is_not_listed() -> None:
    from collab.core.roster import Roster

    changed(Roster.view, "participants=tuple(participants)", "participants=tuple(self.participants())")


@mutant("SES21")
def a_deleted_threat_model_is_just_an_end() -> None:
    from protocol.dialects import tmi
    from protocol.refusals import Ending

    tmi.ENDS[Ending.THREAT_MODEL_DELETED] = "session_terminated"  # type: ignore[index]


@mutant("AU15")
def a_change_of_role_is_not_shown() -> None:
    from collab.core.room import Room

    changed(Room._rights_read, "if changed:", "if False:")


@mutant("AU9 S12")
def a_ticket_works_after_logout() -> None:
    from collab.handshake import Handshake

    changed(Handshake._by_ticket, "await self._standing(grant.caller)", "grant.caller")


@mutant("AU17")
def the_last_owner_goes_by_PATCH() -> None:
    from rest import models

    changed(models._entries, "after if after is model.entries else checked(after)", "after")


@mutant("RE3")
def fifty_are_listed_unless_said() -> None:
    from rest import paging

    paging.DEFAULT = 50


@mutant("RE4")
def every_list_rises() -> None:
    from rest import paging

    changed(paging._sort, 'text.startswith("-") or direction == "desc"', "False")


@mutant("RE5")
def what_is_absent_cannot_be_replaced() -> None:
    from rest import patching

    patching._parent_is_object = lambda *_: False


@mutant("S75")
def sockets_of_a_session_are_not_counted() -> None:
    from collab.core.door import Door

    changed(Door._refused, "len(state.roster) + remote.sockets(now_s) >= limits", "0 > limits")


@mutant("S96")
def a_health_page_shows_the_store() -> None:
    from rest import answers
    from rest.front import Front

    async def healthz(self: Any, _: Any) -> Any:
        return answers.answer({"status": "ok", "store": "sqlite:///codraw.db"})

    Front.healthz = healthz


@mutant("S3")
def a_cookie_is_enough_without_an_origin() -> None:
    from collab import handshake

    before = handshake._bearer

    def bearer(headers: Any) -> Any:
        cookies = [value.partition("tmi_access_token=")[2] for value in handshake._values(headers, b"cookie")]
        return before(headers) or next(iter(cookies), None)

    handshake._bearer = bearer
