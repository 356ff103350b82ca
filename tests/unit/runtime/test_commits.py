"""Commits go on beside the driver's loop; what comes of them is told once, to the living only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe.dataset import Committer, Dataset
from medpipe.pipeline import Ticket
from medpipe.queues import SqliteQueue
from medpipe.records import Item
from medpipe.runtime.commits import Commits
from medpipe.runtime.flights import Flight
from medpipe.scheduling import Committed, Event, StepFailed
from medpipe.storage import ObjectStore, open_store
from medpipe.telemetry import Trip
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.rows import put_item

A, B = "file:a", "file:b"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "out"))


@pytest.fixture
def commits(store: ObjectStore) -> Iterator[Commits]:
    commits = Commits(Committer(store))
    yield commits
    commits.close()


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as faults:
        monkeypatch.setenv("MEDPIPE_FAULTS", str(faults.path))
        yield faults


@pytest.fixture
def flights(tmp_path: Path, store: ObjectStore) -> dict[str, Flight]:
    """Two items that have written what they found."""
    queue = SqliteQueue(tmp_path / "queue.sqlite")
    queue.enqueue(Item(id=item_id, uri="/v.mp4") for item_id in (A, B))
    flights = {
        lease.item.id: Flight(
            lease, Ticket(lease.item, 1), Trip("", lease.item.id, 1), 0.0, attempt=1
        )
        for lease in queue.lease(2, lease_s=60)
    }
    queue.close()
    for item_id, flight in flights.items():
        flight.manifest = put_item(store, item_id)
    return flights


def outcome(commits: Commits, flights: dict[str, Flight]) -> list[Event]:
    return list(wait_for(lambda: commits.ended(lambda i, n: flights.get(i)), "the commit"))


def test_items_are_told_committed_once_their_rows_are_in(
    commits: Commits, store: ObjectStore, flights: dict[str, Flight]
) -> None:
    commits.begin(list(flights.values()))
    assert commits.busy

    assert outcome(commits, flights) == [Committed(A), Committed(B)]

    assert not commits.busy
    assert set(Dataset(store).known()) == {A, B}
    assert commits.ended(lambda i, n: flights.get(i)) == []


def test_an_item_whose_lease_was_lost_meanwhile_is_told_nothing(
    commits: Commits, flights: dict[str, Flight], faults: Faults
) -> None:
    faults.set({"point": "commit.before", "action": "hang"})
    commits.begin(list(flights.values()))
    wait_for(lambda: faults.passed("commit.before"), "the commit to begin")
    assert commits.ended(lambda i, n: flights.get(i)) == []
    del flights[A]
    faults.clear()

    assert outcome(commits, flights) == [Committed(B)]


def test_a_commit_that_the_store_refuses_fails_its_items_for_now(
    commits: Commits, store: ObjectStore, flights: dict[str, Flight], faults: Faults
) -> None:
    faults.set({"point": "commit.written", "action": "enospc"})
    commits.begin(list(flights.values()))

    events = outcome(commits, flights)

    assert [(e.item_id, e.step, e.failure.code) for e in events if isinstance(e, StepFailed)] == [
        (A, "commit", "store_unavailable"), (B, "commit", "store_unavailable"),
    ]  # fmt: skip
    faults.clear()
    commits.begin(list(flights.values()))
    assert outcome(commits, flights) == [Committed(A), Committed(B)]
    assert set(Dataset(store).known()) == {A, B}


def test_a_bug_in_a_commit_is_not_passed_over(
    commits: Commits, flights: dict[str, Flight], faults: Faults
) -> None:
    faults.set({"point": "commit.written", "action": "raise"})
    commits.begin(list(flights.values()))

    with pytest.raises(Exception, match="a fault that a test asked for"):
        outcome(commits, flights)
