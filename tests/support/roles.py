"""The policies of infra/terraform, put on users of an AWS server that enforces them."""

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import hcl2

from tests.support.s3 import KEYS, s3_server

TERRAFORM = Path(__file__).parents[2] / "infra" / "terraform"
BUCKET, PREFIX = "medpipe-data", "training"
QUEUES = ("medpipe-items", "medpipe-items-high")
_ACCOUNT, _REGION = "123456789012", "us-east-1"

_VALUES = {
    "local.here": f"arn:aws:s3:::{BUCKET}",
    "var.training_prefix": PREFIX,
    "aws_kms_key.this.arn": f"arn:aws:kms:{_REGION}:{_ACCOUNT}:key/1",
}
_QUEUE_ARNS = [f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{name}" for name in QUEUES]


def statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy document, those that it is built on first, as IAM takes them."""
    with (TERRAFORM / "roles.tf").open(encoding="utf-8") as file:
        blocks = hcl2.load(file)["data"]
    documents = {
        name.strip('"'): body
        for block in blocks
        for kind, named in block.items()
        if kind.strip('"') == "aws_iam_policy_document"
        for name, body in named.items()
    }
    document = documents[policy]
    found: list[dict[str, Any]] = []
    for source in document.get("source_policy_documents", []):
        match = re.search(r"aws_iam_policy_document\.(\w+)\.json", source)
        assert match is not None
        found += statements(match[1])
    for statement in document["statement"]:
        resources = [one for text in _texts(statement["resources"]) for one in _arns(text)]
        found.append(
            {
                "Effect": "Allow",
                "Action": [action.strip('"') for action in statement["actions"]],
                "Resource": resources,
            }
        )
    return found


def _texts(resources: Any) -> list[str]:
    return resources if isinstance(resources, list) else [resources]


def _arns(text: str) -> list[str]:
    """What an expression stands for.

    Raises:
        AssertionError: It is one that nobody has told the value of.
    """
    if "aws_sqs_queue.items" in text:
        return _QUEUE_ARNS
    plain = text.strip('"')
    bare = plain.removeprefix("${").removesuffix("}")
    if bare in _VALUES:
        return [_VALUES[bare]]
    for name, value in _VALUES.items():
        plain = plain.replace(f"${{{name}}}", value)
    assert plain == "*" or (plain.startswith("arn:") and "${" not in plain), text
    return [plain]


def _as_the_server_reads_it(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what moto asks for and AWS does not, where the queue may be used at all.

    AWS knows no `sqs:SendMessageBatch`: the right to send is the right to send ten. And moto asks
    for the queue's URL in the name of no queue.
    """
    batches = [f"sqs:{what}Batch" for what in ("SendMessage", "DeleteMessage")]
    batches.append("sqs:ChangeMessageVisibilityBatch")
    more = [
        {"Effect": "Allow", "Action": batches, "Resource": _QUEUE_ARNS},
        {"Effect": "Allow", "Action": "sqs:GetQueueUrl", "Resource": "*"},
    ]
    queues = any(action.startswith("sqs:") for one in told for action in one["Action"])
    return told + more if queues else told


@dataclass(frozen=True)
class Cloud:
    """A server that knows these roles' users and asks for a policy at every call."""

    url: str
    keys: dict[str, dict[str, str]]

    def client(self, role: str, service: str) -> Any:
        """A client with a role's keys."""
        keys = self.keys[role]
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )

    def environment(self, role: str) -> dict[str, str]:
        """What a process of this role finds in its environment."""
        return {
            **KEYS,
            **self.keys[role],
            "MEDPIPE_STORAGE__ENDPOINT_URL": self.url,
            "MEDPIPE_QUEUE__ENDPOINT_URL": self.url,
        }


@contextmanager
def enforced_cloud(log: Path, *roles: str) -> Iterator[Cloud]:
    """Run a server with the bucket, the queues, another's bucket and queue, and these roles."""
    os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000"
    try:
        with s3_server(log) as url:
            yield _furnished(url, roles)
    finally:
        del os.environ["INITIAL_NO_AUTH_ACTION_COUNT"]


def _furnished(url: str, roles: tuple[str, ...]) -> Cloud:
    admin = {
        service: boto3.client(
            service,
            endpoint_url=url,
            region_name=_REGION,
            aws_access_key_id="admin",
            aws_secret_access_key="admin",
        )
        for service in ("s3", "sqs", "iam")
    }
    for bucket in (BUCKET, "somebody-elses"):
        admin["s3"].create_bucket(Bucket=bucket)
        admin["s3"].put_object(Bucket=bucket, Key="before/one", Body=b"1")
    for queue in (*QUEUES, "somebody-elses"):
        admin["sqs"].create_queue(QueueName=queue)
    keys = {}
    for role in roles:
        admin["iam"].create_user(UserName=role)
        told = _as_the_server_reads_it(statements(role))
        document = json.dumps({"Version": "2012-10-17", "Statement": told})
        admin["iam"].put_user_policy(UserName=role, PolicyName="medpipe", PolicyDocument=document)
        made = admin["iam"].create_access_key(UserName=role)["AccessKey"]
        keys[role] = {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        }
    # Otherwise urllib calls the body a form, which the server then has eaten.
    reset = urllib.request.Request(
        f"{url}/moto-api/reset-auth",
        data=b"0",
        method="POST",
        headers={"Content-Type": "text/plain"},
    )
    urllib.request.urlopen(reset, timeout=10)
    return Cloud(url, keys)
