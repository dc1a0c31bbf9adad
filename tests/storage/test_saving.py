"""What is known of a store from the writes that it took and refused."""

from __future__ import annotations

import pytest

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, Crowded, DamagedRow, Transaction
from storage.saving import Observed, Saving
from storage.sqlite import SqliteDatabase


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), CommitUnknown("disk full")])
def test_a_refused_write_counts_until_one_is_taken(error: StoreUnavailable) -> None:
    saving = Saving()
    assert saving.works
    saving.refused(error)
    assert not saving.works
    saving.took()
    assert saving.works


@pytest.mark.parametrize("error", [Crowded("a lock was held"), DamagedRow(3, "no JSON")])
def test_what_others_or_the_data_stood_in_the_way_of_says_nothing_of_the_store(error: StoreUnavailable) -> None:
    saving = Saving()
    saving.refused(error)
    assert saving.works


def test_what_is_in_the_way_after_a_refusal_may_be_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that waits for a standby holds its rows, and all who come after it wait for those."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    saving = Saving()
    saving.refused(CommitUnknown("no answer"))
    now_s += 8
    saving.refused(Crowded("a lock was held"))
    now_s += 8
    assert not saving.works
    saving.took()
    saving.refused(Crowded("a lock was held"))
    assert saving.works


def test_a_refusal_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    saving = Saving()
    for _ in range(3):
        saving.refused(StoreUnavailable("disk full"))
    assert caplog.messages == ["the store takes no commits: disk full"]


async def full(tx: Transaction) -> None:
    raise StoreUnavailable("disk full")


async def nothing(tx: Transaction) -> None: ...


async def test_transactions_are_observed(database: SqliteDatabase) -> None:
    observed = Observed(database)
    with pytest.raises(StoreUnavailable):
        await observed.transaction(full)
    assert not observed.saving.works
    await observed.transaction(nothing)
    assert observed.saving.works


async def test_single_writes_are_observed(database: SqliteDatabase) -> None:
    observed = Observed(database)
    await database.transaction(lambda tx: tx.fetch("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreUnavailable):
        await observed.write("CREATE TABLE much AS SELECT hex(randomblob(?)) AS text", 1_000_000)
    assert not observed.saving.works


async def test_a_single_write_that_returns_a_row_was_taken(database: SqliteDatabase) -> None:
    observed = Observed(database)
    await database.transaction(lambda tx: tx.execute("CREATE TABLE few (k INTEGER)"))
    observed.saving.refused(StoreUnavailable("disk full"))
    await observed.write("DELETE FROM few RETURNING k")
    assert not observed.saving.works
    assert len(await observed.write("INSERT INTO few VALUES (1) RETURNING k")) == 1
    assert observed.saving.works
