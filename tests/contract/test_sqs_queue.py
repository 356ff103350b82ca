"""What only the queue on SQS does: messages lie, the ledger does not."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from medpipe.errors import ConfigError, Transient
from medpipe.queues import NOT_AN_ITEM, LeaseLost, QueueConfig, SqsQueue, SqsWire, Tries, open_queue
from medpipe.queues.ledger import Ledger, LedgerStore, State
from medpipe.queues.roll import body_of
from medpipe.records import Item
from medpipe.storage import StorageConfig, open_store
from tests.support import command
from tests.support.queues import SqsBench, ids, item, take
from tests.support.s3 import make_bucket


@pytest.fixture
def bench(sqs_url: str, tmp_path: Path) -> SqsBench:
    return SqsBench(sqs_url, tmp_path)


@pytest.fixture
def queue(bench: SqsBench) -> Iterator[SqsQueue]:
    queue = bench.open()
    yield queue
    queue.close()


class FailingStore:
    """A store that fails to write under some prefix."""

    def __init__(self, store: LedgerStore, failing: str) -> None:
        self._store = store
        self.failing = failing
        self.read, self.exists = store.read, store.exists
        self.delete, self.keys = store.delete, store.keys

    def write(self, key: str, data: bytes) -> None:
        self._check(key)
        self._store.write(key, data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._check(key)
        return self._store.put_if_absent(key, data)

    def _check(self, key: str) -> None:
        if self.failing and self.failing in key:
            raise Transient("store_unavailable", "as the test wants it")


class ForgetfulStore(FailingStore):
    """A store whose puts arrive, but whose first answer is lost and the put repeated."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._store.put_if_absent(key, data)
        return self._store.put_if_absent(key, data)


class TestDeliveries:
    def test_a_message_that_was_sent_twice_gives_one_lease(
        self, queue: SqsQueue, bench: SqsBench
    ) -> None:
        queue.enqueue([item(1)])
        bench.wire.send([body_of(item(1))] * 3, high=False)

        (lease,) = take(queue, 1)
        bench.pass_s(5)
        assert queue.lease(10, lease_s=60) == []
        queue.finish(lease, "done", Tries())
        assert queue.counts().done == 1

    def test_holders_that_race_for_copies_take_each_item_once(self, bench: SqsBench) -> None:
        def drain(_: int) -> list[str]:
            holder, mine = bench.open(), list[str]()
            for _ in range(6):
                for lease in holder.lease(5, lease_s=60):
                    holder.finish(lease, "done", Tries())
                    mine.append(lease.item.id)
            holder.close()
            return mine

        bench.wire.send([body_of(item(n % 12)) for n in range(48)], high=False)
        with ThreadPoolExecutor(6) as pool:
            taken = [item_id for mine in pool.map(drain, range(6)) for item_id in mine]
        assert sorted(taken) == sorted(item(n).id for n in range(12))

    def test_a_delivery_after_the_end_is_swallowed(self, queue: SqsQueue, bench: SqsBench) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.finish(lease, "rejected", Tries(last_code="too_long"))
        bench.wire.send([body_of(item(1))], high=False)

        other = bench.open()
        assert other.lease(10, lease_s=60) == []
        assert bench.wire.sizes() == (0, 0)
        assert other.counts().rejected == 1
        other.close()

    def test_a_message_that_comes_back_under_a_valid_lease_is_put_back(
        self, queue: SqsQueue, bench: SqsBench
    ) -> None:
        queue.enqueue([item(1)])
        take(queue, 1, lease_s=1000)
        other = bench.open()
        for _ in range(2):
            bench.pass_s(100)
            assert other.lease(1, lease_s=60) == []
            assert sum(bench.wire.sizes()) == 1
        other.close()

    def test_a_delay_longer_than_sqs_can_hide_is_kept(
        self, queue: SqsQueue, bench: SqsBench
    ) -> None:
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.release(lease, Tries(transients=4), delay_s=20 * 3600)
        bench.pass_s(13 * 3600)
        assert queue.lease(1, lease_s=60) == []
        bench.pass_s(7 * 3600)
        assert take(queue, 1)[0].tries.transients == 4

    def test_a_message_that_is_no_item_is_set_aside(self, queue: SqsQueue, bench: SqsBench) -> None:
        bench.wire.send(["not json", '{"id": "../x", "uri": "y"}'], high=False)
        queue.enqueue([item(1)])

        assert ids(take(queue, 1)) == {item(1).id}
        assert queue.lease(10, lease_s=60) == []
        aside = list(bench.store.keys(f"_queue/{bench.name}/unreadable"))
        assert sorted(bench.store.read(key) for key in aside)[0] == b"not json"
        assert len(aside) == queue.set_aside == 2
        for seen_by in (queue, bench.open()):
            assert (seen_by.counts().dead, seen_by.counts().open) == (2, 1)
            assert seen_by.reasons() == {NOT_AN_ITEM: 2}

    def test_an_item_that_somebody_else_sent_counts(self, queue: SqsQueue, bench: SqsBench) -> None:
        bench.wire.send([body_of(item(7))], high=False)
        (lease,) = take(queue, 1)
        assert queue.counts().open == 1
        queue.finish(lease, "done", Tries())
        counts = bench.open().counts()
        assert (counts.done, counts.open) == (1, 0)

    def test_titles_may_hold_what_sqs_refuses(self, queue: SqsQueue) -> None:
        odd = Item(id="yt:odd", uri="https://example.org/v", title="a\x01b\ufffe \U0001fac0")
        queue.enqueue([odd])
        assert take(queue, 1)[0].item == odd


class TestLostMessages:
    def purge(self, bench: SqsBench) -> None:
        bench.client.purge_queue(QueueUrl=bench.url)

    def test_open_items_are_sent_again(self, queue: SqsQueue, bench: SqsBench) -> None:
        queue.enqueue([item(n) for n in range(6)])
        queue.enqueue([item(6)], priority=1)
        done, waiting, held = take(queue, 4)[1:]  # the high one is held too
        queue.finish(done, "done", Tries())
        queue.release(waiting, Tries(transients=1), delay_s=100)
        self.purge(bench)

        other = bench.open()
        assert other.requeue_missing() == 3
        assert len(take(other, 3)) == 3
        assert other.lease(10, lease_s=60) == []
        bench.pass_s(101)
        assert other.requeue_missing() == 6
        assert held.item.id in ids(take(other, 6))
        other.close()

    def test_a_quiet_minute_is_enough(self, queue: SqsQueue, bench: SqsBench) -> None:
        queue.enqueue([item(n) for n in range(3)])
        self.purge(bench)
        assert queue.lease(3, lease_s=60) == []
        bench.clock.now_s += 30
        assert queue.lease(3, lease_s=60) == []
        assert bench.wire.sizes() == (0, 0)
        bench.clock.now_s += 31
        queue.lease(3, lease_s=60)

        assert len(take(queue, 3)) == 3

    def test_a_queue_whose_items_are_all_held_is_left_alone(
        self, queue: SqsQueue, bench: SqsBench
    ) -> None:
        queue.enqueue([item(n) for n in range(3)])
        take(queue, 3, lease_s=600)
        for _ in range(3):
            bench.clock.now_s += 61
            assert queue.lease(3, lease_s=60) == []
        assert sum(bench.wire.sizes()) == 3

    def test_items_that_were_listed_but_never_sent_are_found(
        self, queue: SqsQueue, bench: SqsBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_network(*_: object, **__: object) -> None:
            raise Transient("queue_unavailable", "as the test wants it")

        with monkeypatch.context() as patch:
            patch.setattr(SqsWire, "send", no_network)
            with pytest.raises(Transient):
                queue.enqueue([item(1), item(2)])
        assert queue.requeue_missing() == 2
        assert ids(take(queue, 2)) == {item(1).id, item(2).id}


class TestHalfDoneWork:
    def test_an_end_stands_though_its_mark_and_message_are_left(self, bench: SqsBench) -> None:
        store = FailingStore(bench.store, "/ends/")
        queue = bench.open(store)
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.finish(lease, "dead", Tries(bugs=3, last_code="bug"))

        other = bench.open()
        assert other.counts().open == 1
        bench.pass_s(61)
        assert other.lease(1, lease_s=60) == []
        assert (other.counts().dead, other.reasons()) == (1, {"bug": 1})
        assert bench.wire.sizes() == (0, 0)
        other.close()
        queue.close()

    def test_a_retry_that_died_in_the_middle_loses_nothing(self, bench: SqsBench) -> None:
        store = FailingStore(bench.store, "")
        queue = bench.open(store)
        queue.enqueue([item(1)])
        queue.finish(take(queue, 1)[0], "dead", Tries(last_code="bug"))
        store.failing = "/states/"
        with pytest.raises(Transient):
            queue.retry()
        store.failing = ""

        assert queue.requeue_missing() == 0
        assert queue.counts().dead == 1
        assert [i.id for i in queue.retry()] == [item(1).id]
        assert len(take(queue, 1)) == 1
        queue.close()

    def test_a_put_whose_answer_was_lost_is_still_ours(self, bench: SqsBench) -> None:
        queue = bench.open(ForgetfulStore(bench.store, ""))
        queue.enqueue([item(1)])
        (lease,) = take(queue, 1)
        queue.finish(lease, "done", Tries())
        assert queue.counts().done == 1
        queue.close()

    def test_what_was_leased_before_a_failure_is_given(self, bench: SqsBench) -> None:
        queue = bench.open(FailingStore(bench.store, item(1).id))
        queue.enqueue([item(1), item(2)])
        assert ids(queue.lease(2, lease_s=60)) == {item(2).id}
        bench.pass_s(1)
        with pytest.raises(Transient, match="store_unavailable"):
            queue.lease(1, lease_s=60)
        queue.close()

    def test_only_one_of_two_takes_the_next_place_in_a_chain(self, bench: SqsBench) -> None:
        ledger = Ledger(bench.store, "l")
        state = State(state="ready", item=item(1))
        assert ledger.append(1, state)
        assert not ledger.append(1, state)
        assert ledger.newest(item(1).id) == (1, state)

    def test_an_entry_of_another_version_is_a_config_error(self, bench: SqsBench) -> None:
        bench.store.write(f"l/states/{item(1).id}/000001.json", b'{"mark": "x", "state": {}}')
        with pytest.raises(ConfigError, match="ledger"):
            Ledger(bench.store, "l").newest(item(1).id)


class TestOpening:
    def test_a_queue_without_a_dataset_is_refused(self, bench: SqsBench) -> None:
        with pytest.raises(ConfigError, match="--out"):
            open_queue(bench.uri, config=bench.config)

    def test_the_address_of_the_server_names_a_queue_too(self, bench: SqsBench) -> None:
        opened = open_queue(bench.url, ledger_store=bench.store, config=QueueConfig())
        opened.enqueue([item(1)])
        assert len(take(opened, 1)) == 1
        opened.close()

    @pytest.mark.parametrize(
        ("uri", "says"),
        [
            ("sqs://us-east-1/no-such-queue", "no-such-queue"),
            ("sqs://us-east-1/", "sqs://region/name"),
            ("sqs://us-east-1/a/b", "sqs://region/name"),
            ("sqs://us-east-1/steps.fifo", "FIFO"),
        ],
    )
    def test_a_wrong_name_is_a_config_error(self, bench: SqsBench, uri: str, says: str) -> None:
        config = bench.config.model_copy(update={"create": False})
        with pytest.raises(ConfigError, match=says):
            open_queue(uri, ledger_store=bench.store, config=config)

    def test_priority_needs_a_queue_of_its_own(self, bench: SqsBench) -> None:
        high = bench.client.get_queue_url(QueueName=f"{bench.name}-high")["QueueUrl"]
        bench.client.delete_queue(QueueUrl=high)
        config = bench.config.model_copy(update={"create": False})
        queue = open_queue(bench.uri, ledger_store=bench.store, config=config)

        with pytest.raises(ConfigError, match=f"{bench.name}-high"):
            queue.enqueue([item(1)], priority=1)
        assert queue.enqueue([item(1)]) == 1
        assert len(take(queue, 1)) == 1
        queue.close()

    def test_a_server_that_is_away_is_the_worlds_fault(
        self, bench: SqsBench, queue: SqsQueue
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            away = f"http://127.0.0.1:{probe.getsockname()[1]}"
        config = QueueConfig(endpoint_url=away, attempts=1)
        with pytest.raises(Transient, match="queue_unavailable"):
            open_queue(bench.uri, ledger_store=bench.store, config=config)

    def test_a_queue_that_vanishes_is_named(self, bench: SqsBench, queue: SqsQueue) -> None:
        bench.client.delete_queue(QueueUrl=bench.url)
        with pytest.raises(ConfigError, match=bench.name):
            queue.lease(1, lease_s=60)

    def test_missing_credentials_are_a_config_error(
        self, bench: SqsBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        with pytest.raises(ConfigError, match="credentials"):
            open_queue(bench.uri, ledger_store=bench.store, config=bench.config)


def test_the_ledger_lies_in_s3_as_well(sqs_url: str, tmp_path: Path) -> None:
    bucket = f"b-{uuid4().hex[:12]}"
    make_bucket(sqs_url, bucket)
    store = open_store(f"s3://{bucket}/ds", StorageConfig(endpoint_url=sqs_url))
    bench = SqsBench(sqs_url, tmp_path, store)
    queue, other = bench.open(), bench.open()
    queue.enqueue(item(n) for n in range(12))
    first, late, *rest = take(queue, 12)
    for lease in rest:
        queue.finish(lease, "done", Tries())
    queue.finish(first, "dead", Tries(last_code="bug"))
    bench.pass_s(61)
    (second,) = take(other, 1)
    with pytest.raises(LeaseLost):
        queue.finish(late, "done", Tries())
    other.finish(second, "rejected", Tries(last_code="too_long"))

    counts = queue.counts()
    assert (counts.done, counts.dead, counts.rejected, counts.open) == (10, 1, 1, 0)
    assert queue.reasons() == {"bug": 1, "too_long": 1}
    assert [i.id for i in other.retry()] == [first.item.id]
    assert ids(take(queue, 1)) == {first.item.id}
    queue.close()
    other.close()


def test_the_command_line_feeds_and_reads_it(bench: SqsBench, tmp_path: Path) -> None:
    out, where = str(tmp_path / "out"), ("--queue", bench.uri)
    env = {"MEDPIPE_QUEUE__ENDPOINT_URL": bench.config.endpoint_url or ""}
    listed = tmp_path / "list.txt"
    listed.write_text("yt:dQw4w9WgXcQ\nyt:aaaaaaaaaaa\n")

    assert command.run("enqueue", f"@{listed}", *where, **env).code == 2
    added = command.run("enqueue", f"@{listed}", *where, "--out", out, "--json", **env)
    assert added.code == 0, added.err
    assert added.json["new"] == 2

    queue = open_queue(bench.uri, ledger_store=open_store(out), config=bench.config)
    first, second = take(queue, 2)
    queue.finish(first, "dead", Tries(last_code="bug"))
    queue.finish(second, "done", Tries())
    queue.close()
    retried = command.run("retry", *where, "--out", out, "--json", **env)
    assert retried.json == {"retried": 1, "ids": [first.item.id]}
    status = command.run("status", *where, "--out", out, "--json", **env)
    assert status.code == 0, status.err
    assert (status.json["queue"]["done"], status.json["queue"]["ready"]) == (1, 1)
