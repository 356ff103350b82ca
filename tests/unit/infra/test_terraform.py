"""What infra/terraform says, read by an HCL parser, against what medpipe and cluster/ need."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

from medpipe.config import load_config

ROOT = Path(__file__).parents[3]
TERRAFORM = ROOT / "infra/terraform"
FILES = sorted(TERRAFORM.glob("*.tf"))
# What cluster/fill.py is told by hand: images are no business of Terraform.
BY_HAND = {"image_cpu", "image_gpu"}
CHECKOV = "no checkov: pip install checkov, in an environment of its own (it pins an old boto3)"
Block = dict[str, Any]


def plain(node: Any) -> Any:
    """What the parser gives, without its quotes and marks."""
    if isinstance(node, dict):
        return {plain(k): plain(v) for k, v in node.items() if not str(k).startswith("__")}
    if isinstance(node, list):
        return [plain(part) for part in node]
    return node.strip('"') if isinstance(node, str) else node


@cache
def blocks(kind: str) -> tuple[Block, ...]:
    """All blocks of a kind: `variable`, `output`, `resource`, `data`."""
    found = []
    for path in FILES:
        with path.open(encoding="utf-8") as file:
            found += plain(hcl2.load(file)).get(kind, [])
    return tuple(found)


def named(kind: str, of: str) -> dict[str, Block]:
    """Resources or data of a type, by name."""
    return {n: b for block in blocks(kind) for t, own in block.items() if t == of
            for n, b in own.items()}  # fmt: skip


def resource(of: str, name: str = "this") -> Block:
    return named("resource", of)[name]


def allowed(policy: str) -> set[str]:
    """Actions of a policy and of those that it is built on."""
    document = named("data", "aws_iam_policy_document")[policy]
    found = {action for statement in document["statement"] for action in statement["actions"]}
    for source in document.get("source_policy_documents", []):
        match = re.search(r"aws_iam_policy_document\.(\w+)\.json", source)
        assert match is not None
        found |= allowed(match[1])
    return found


def test_every_variable_and_output_says_what_it_is() -> None:
    bare = [
        name
        for kind in ("variable", "output")
        for block in blocks(kind)
        for name, said in block.items()
        if len(said.get("description", "")) < 10
    ]

    assert bare == []


def test_every_value_of_the_cluster_file_is_an_output() -> None:
    outputs = {name for block in blocks("output") for name in block}
    lines = (ROOT / "cluster/aws.yaml").read_text("utf-8").splitlines()
    asked = {
        mark
        for line in lines
        if not line.lstrip().startswith("#")
        for mark in re.findall(r"\bSET_(\w+)", line)
    }

    assert asked - outputs == BY_HAND


def test_workers_neither_delete_nor_see_the_queue_nor_anything_but_their_bucket() -> None:
    worker, trainer = allowed("worker"), allowed("trainer")

    assert {action.split(":")[0] for action in worker | trainer} == {"s3", "kms"}
    assert not any("Delete" in action for action in worker)
    assert {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"} <= worker


def test_no_role_may_do_everything_or_change_roles_buckets_and_queues() -> None:
    everything = allowed("head") | allowed("driver") | allowed("worker") | allowed("trainer")

    assert not any("*" in action for action in everything)
    assert {action for action in everything if action.startswith("iam:")} == {"iam:PassRole"}
    assert not any("Policy" in action or "CreateBucket" in action for action in everything)


def test_the_driver_may_do_to_the_queue_just_what_medpipe_does() -> None:
    asked = {action for action in allowed("driver") if action.startswith("sqs:")}
    said = (ROOT / "docs/operate.md").read_text("utf-8")
    rights = re.search(r"Rights: (.*?)\. An item", said, re.S)

    assert rights is not None
    words = set(re.findall(r"[A-Z]\w+", rights[1]))
    assert {action.removeprefix("sqs:") for action in asked} == words


def test_queues_keep_messages_as_long_and_hide_them_as_the_driver_expects() -> None:
    queue = resource("aws_sqs_queue", "items")
    two_weeks_s = 14 * 24 * 3600

    assert queue["message_retention_seconds"] == two_weeks_s
    assert queue["visibility_timeout_seconds"] == load_config().runtime.lease_s
    assert re.search(r"maxReceiveCount = 1000\b", queue["redrive_policy"])
    assert resource("aws_sqs_queue", "dead")["message_retention_seconds"] == two_weeks_s


def test_the_bucket_is_private_encrypted_and_forgets() -> None:
    block = resource("aws_s3_bucket_public_access_block")
    rules = resource("aws_s3_bucket_lifecycle_configuration")["rule"]
    (secret,) = resource("aws_s3_bucket_server_side_encryption_configuration")["rule"]

    assert {value for key, value in block.items() if key != "bucket"} == {True}
    assert any("abort_incomplete_multipart_upload" in rule for rule in rules)
    assert secret["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"
    # Old versions of objects would outlive a takedown.
    assert named("resource", "aws_s3_bucket_versioning") == {}


def test_no_subnet_of_a_node_hands_out_public_addresses_and_ssh_comes_from_one_group() -> None:
    subnets = named("resource", "aws_subnet")
    rules = named("resource", "aws_vpc_security_group_ingress_rule")

    assert not any(subnet.get("map_public_ip_on_launch", False) for subnet in subnets.values())
    assert not any("cidr_ipv4" in rule for rule in rules.values())


def test_money_and_dead_messages_ring() -> None:
    notes = resource("aws_budgets_budget", "month")["notification"]

    assert {(note["notification_type"], note["threshold"]) for note in notes} == {
        ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100),
    }  # fmt: skip
    assert resource("aws_cloudwatch_metric_alarm", "dead")["threshold"] == 0


@pytest.mark.tools
def test_terraform_would_format_nothing() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("no terraform: it is in no package registry, see its makers' page")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", str(TERRAFORM)],
        env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout


@pytest.mark.tools
def test_checkov_has_nothing_to_say() -> None:
    program = shutil.which("checkov")
    if program is None:
        pytest.skip(CHECKOV)
    done = subprocess.run(
        [program, "-d", str(TERRAFORM), "--framework", "terraform", "--quiet", "--compact",
         "--skip-download"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:]
