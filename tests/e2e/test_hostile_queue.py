"""Sixty hostile messages straight into a queue, worked on by the real command line."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest

from medpipe import Dataset, open_store
from medpipe.demo.judge import bundled_lectures
from medpipe.queues import NOT_AN_ITEM, SqliteQueue
from tests.support import command
from tests.support.canary import Canary
from tests.support.hostile import (
    SITE_HOST,
    Body,
    addressed,
    hostile_messages,
    inside,
    no_items,
    smuggled,
)
from tests.support.s3 import KEYS, s3_server
from tests.support.site import Site

SETTINGS = {
    "fetch.allow_private_networks": f'["{SITE_HOST}/32"]',
    "fetch.download_timeout_s": "20",
    "fetch.socket_timeout_s": "5",
    "fetch.max_memory_bytes": str(2**28),
    "fetch.js_runtimes": "[]",
    "scheduling.retry.transient_tries": "1",
}
OPTIONS = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as canary:
        yield canary


def id_of(name: str, body: Body) -> str:
    """The id that a message claims, or a name for one that claims none."""
    try:
        claimed = json.loads(body)["id"]
    except (ValueError, TypeError, RecursionError):
        claimed = None
    return claimed if isinstance(claimed, str) else f"nothing:{name}"


def put_into(queue: Path, messages: Mapping[str, Body]) -> None:
    """Write rows that `medpipe enqueue` would never write."""
    SqliteQueue(queue).close()
    rows = [
        (id_of(name, body), body, number) for number, (name, body) in enumerate(messages.items())
    ]
    with sqlite3.connect(queue) as db:
        db.executemany(
            "INSERT INTO items (id, item, priority, state, ready_at_s, added)"
            " VALUES (?, ?, 1, 'ready', 0, ?)",
            rows,
        )
    db.close()


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_no_hostile_message_gets_in_or_gets_lost_and_an_innocent_one_is_done(
    tmp_path: Path, canary: Canary
) -> None:
    out, queue, witness = tmp_path / "out", tmp_path / "queue.sqlite", tmp_path / "pwned"
    with Site(tmp_path, SITE_HOST) as site:
        messages = hostile_messages(tmp_path / "files", site, canary, witness)
        put_into(queue, messages)
        ran = command.run(
            "run", bundled_lectures()[-1], "--out", out, "--queue", queue,
            "--recipe", "demo", "--json", *OPTIONS, timeout_s=360,
        )  # fmt: skip

    assert len(messages) >= 60
    assert canary.touched == []
    assert not witness.exists()
    strangers = {id_of(name, body) for name, body in no_items(witness).items()}
    assert (ran.code, ran.json["set_aside"]) == (3, len(strangers)), ran.err
    with sqlite3.connect(queue) as db:
        states = {key: (state, reason) for key, state, reason in db.execute(
            "SELECT id, state, reason FROM items WHERE priority = 1"
        )}  # fmt: skip
        innocent = db.execute("SELECT state FROM items WHERE priority = 0").fetchall()
    assert innocent == [("done",)]
    assert {states[key] for key in strangers} == {("dead", NOT_AN_ITEM)}
    items = set(states) - strangers
    assert {state for key, (state, _) in states.items() if key in items} == {"rejected"}
    dataset = Dataset(open_store(str(out)))
    rejects = dataset.rows("rejects", ["item_id", "kind", "code", "detail"]).to_pylist()
    told = {row["item_id"]: row["code"] for row in rejects if row["kind"] == "item"}
    assert told == {key: reason for key, (_, reason) in states.items() if key in items}
    assert not [row for row in rejects if "root:" in row["detail"]]
    verdicts = dataset.rows("items", ["verdict"]).to_pylist()
    assert [row["verdict"] for row in verdicts].count("done") == 1
    assert codes(messages, told, inside(canary)) <= {
        "blocked_address", "unsupported_scheme", "bad_id", "not_a_video", "unreachable",
    }  # fmt: skip


def codes(
    messages: Mapping[str, Body], told: Mapping[str, str], some: Mapping[str, Body]
) -> set[str]:
    """Under which codes some of the messages were rejected."""
    return {told[id_of(name, messages[name])] for name in some}


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_cloud_queue_is_no_safer_way_in(
    tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    out, witness = tmp_path / "out", tmp_path / "pwned"
    bodies = {**dict(list(inside(canary).items())[:4]), **smuggled(witness), **no_items(witness)}
    # SQS itself refuses what is no text, and a megabyte
    texts = {n: b for n, b in bodies.items() if isinstance(b, str) and len(b) < 2**17}
    with s3_server(tmp_path / "sqs.log") as url:
        sqs = boto3.client("sqs", endpoint_url=url, region_name="us-east-1")
        place = sqs.create_queue(QueueName="hostile")["QueueUrl"]
        for body in texts.values():
            sqs.send_message(QueueUrl=place, MessageBody=body)
        ran = command.run(
            "run", bundled_lectures()[-1], "--out", out, "--queue", "sqs://us-east-1/hostile",
            "--recipe", "demo", "--json", *OPTIONS, timeout_s=360, MEDPIPE_QUEUE__ENDPOINT_URL=url,
        )  # fmt: skip

    strangers = [name for name in texts if name in no_items(witness)]
    items = [id_of(name, body) for name, body in texts.items() if name not in strangers]
    assert canary.touched == []
    assert not witness.exists()
    assert (ran.code, ran.json["set_aside"]) == (3, len(strangers)), ran.err
    aside = list((out / "_queue" / "hostile" / "unreadable").iterdir())
    assert len(aside) == len(strangers)
    rows = Dataset(open_store(str(out))).rows("items", ["id", "verdict", "reason"]).to_pylist()
    rejected = {row["id"]: row["reason"] for row in rows if row["verdict"] == "rejected"}
    assert set(rejected) == set(items)
    assert all(rejected.values())
    assert [row["verdict"] for row in rows].count("done") == 1


def test_the_hostile_ids_differ(tmp_path: Path, canary: Canary) -> None:
    with Site(tmp_path, SITE_HOST) as site:
        found = hostile_messages(tmp_path / "files", site, canary, tmp_path / "pwned")

    assert len({id_of(name, body) for name, body in found.items()}) == len(found) >= 60
    assert addressed("http://[::1") != addressed("http://[::2")
    assert os.fspath(tmp_path) in str(found["zip"])
