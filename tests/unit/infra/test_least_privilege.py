"""The policies of infra/terraform, tried on a server that enforces them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from medpipe.demo.judge import bundled_lectures
from tests.support import command
from tests.support.roles import BUCKET, PREFIX, QUEUES, Cloud, enforced_cloud, statements

ROLES = ("worker", "driver", "trainer")  # the head is the driver, and makes nodes

WORK = """
from medpipe.storage import open_store
store = open_store("s3://medpipe-data/set")
assert store.put_if_absent("_items/a/1.json", b"one")
assert not store.put_if_absent("_items/a/1.json", b"two")
with store.output("samples/part.parquet") as file:
    for _ in range(3):
        file.write(bytes(6 * 2**20))
store.write("x", b"1")
assert store.read("_items/a/1.json") == b"one"
assert set(store.keys("samples")) == {"samples/part.parquet"}
assert store.exists("x") and not store.exists("y")
"""
DELETE = """
from medpipe.storage import open_store
open_store("s3://medpipe-data/set").delete("x")
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with enforced_cloud(tmp_path_factory.mktemp("cloud") / "log", *ROLES) as cloud:
        yield cloud


def may(act: Callable[[], Any]) -> bool:
    """Whether a call is let through; another failure than a refusal counts as let through."""
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "403")
    return True


def as_role(cloud: Cloud, role: str, code: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **cloud.environment(role)}
    code = code.replace('/set")', f'/set", StorageConfig(endpoint_url="{cloud.url}"))').replace(
        "import open_store", "import StorageConfig, open_store"
    )
    run = [sys.executable, "-c", code]
    return subprocess.run(run, env=env, capture_output=True, text=True, check=False)


def test_a_worker_can_do_all_that_a_worker_does_and_cannot_delete(cloud: Cloud) -> None:
    done = as_role(cloud, "worker", WORK)
    assert done.returncode == 0, done.stderr

    refused = as_role(cloud, "worker", DELETE)

    assert refused.returncode != 0
    assert "AccessDenied" in refused.stderr or "Access Denied" in refused.stderr
    assert as_role(cloud, "driver", DELETE).returncode == 0


@pytest.mark.parametrize("role", ROLES)
def test_nobody_touches_other_buckets_or_the_bucket_itself(cloud: Cloud, role: str) -> None:
    s3 = cloud.client(role, "s3")

    assert may(lambda: s3.list_objects_v2(Bucket=BUCKET))
    assert may(lambda: s3.get_object(Bucket=BUCKET, Key="before/one"))
    for act in (
        lambda: s3.list_objects_v2(Bucket="somebody-elses"),
        lambda: s3.get_object(Bucket="somebody-elses", Key="before/one"),
        lambda: s3.put_object(Bucket="somebody-elses", Key="x", Body=b""),
        lambda: s3.delete_object(Bucket="somebody-elses", Key="before/one"),
        lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
        lambda: s3.put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
        ),
        lambda: s3.delete_bucket(Bucket=BUCKET),
        lambda: s3.create_bucket(Bucket=f"of-{role}"),
        lambda: cloud.client(role, "iam").create_user(UserName=f"of-{role}"),
    ):
        assert not may(act)


@pytest.mark.parametrize("role", ROLES)
def test_only_who_holds_the_queue_sees_it_and_only_its_own(cloud: Cloud, role: str) -> None:
    sqs = cloud.client(role, "sqs")
    place = f"{cloud.url}/123456789012/{QUEUES[1]}"
    holds = role == "driver"

    for act in (
        lambda: sqs.send_message(QueueUrl=place, MessageBody="x", DelaySeconds=900),
        lambda: sqs.receive_message(QueueUrl=place),
        lambda: sqs.get_queue_attributes(QueueUrl=place, AttributeNames=["All"]),
    ):
        assert may(act) == holds
    foreign = f"{cloud.url}/123456789012/somebody-elses"
    for act in (
        lambda: sqs.receive_message(QueueUrl=foreign),
        lambda: sqs.purge_queue(QueueUrl=place),
        lambda: sqs.delete_queue(QueueUrl=place),
        lambda: sqs.create_queue(QueueName=f"of-{role}"),
    ):
        assert not may(act)


def test_a_trainer_writes_its_runs_and_nothing_else(cloud: Cloud) -> None:
    s3 = cloud.client("trainer", "s3")

    assert may(lambda: s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/run/a", Body=b"1"))
    assert may(lambda: s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/run/a"))
    assert not may(lambda: s3.put_object(Bucket=BUCKET, Key="set/samples/a", Body=b"1"))
    assert not may(lambda: s3.delete_object(Bucket=BUCKET, Key="before/one"))


@pytest.mark.ray
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_whole_run_gets_along_with_the_drivers_rights(cloud: Cloud, tmp_path: Path) -> None:
    env = cloud.environment("driver")

    ran = command.run(
        "run", bundled_lectures()[-1], "--out", f"s3://{BUCKET}/lectures",
        "--queue", f"sqs://us-east-1/{QUEUES[0]}", "--recipe", "demo", "--json", **env,
    )  # fmt: skip

    assert ran.code == 0, ran.err
    assert ran.json["tally"]["done"] == 1
    stored = cloud.client("worker", "s3").list_objects_v2(Bucket=BUCKET, Prefix="lectures/samples")
    assert stored["KeyCount"] >= 2  # the table's log and a file of rows


def test_the_policies_that_were_tried_name_just_what_terraform_would_make() -> None:
    every = [one for role in ROLES for one in statements(role)]

    assert all(one["Resource"] for one in every)
    assert not [one for one in every if any("*" in action for action in one["Action"])]
    assert not [one for one in every if "*" in one["Resource"]]
