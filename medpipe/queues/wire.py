"""The calls on Amazon SQS that a queue needs; what SQS does to us becomes our errors.

A queue is two SQS queues, one a class of priority: `<name>` and `<name>-high`, the latter optional.
"""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from medpipe.errors import ConfigError, Transient
from medpipe.records import Record

logger = logging.getLogger(__name__)

MAX_HIDDEN_S = 43_200  # SQS hides a message 12 hours at most, counted from its receipt

_BATCH = 10  # what SQS takes in one call
_SENDERS = 8
_SEND_TRIES = 5
_RETENTION_S = 14 * 86_400
_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_SIZES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class QueueConfig(Record):
    """How to reach Amazon SQS; credentials come from the usual AWS chain."""

    endpoint_url: str | None = Field(None, description="Server other than AWS, for SQS only.")
    region: str = Field("us-east-1", description="AWS region, where the queue's URI names none.")
    create: bool = Field(False, description="Create SQS queues that do not exist.")
    attempts: int = Field(6, ge=1, description="Most tries of one call to SQS.")


@dataclass(frozen=True, slots=True)
class Handle:
    """Names one delivery of one message, to hide or delete it."""

    url: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message; `id` is SQS's own."""

    id: str
    body: str
    high: bool
    handle: Handle


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    region: str
    endpoint_url: str | None
    account: str | None


class SqsWire:
    """The SQS queues behind one URI; safe for several threads.

    Args:
        uri: `sqs://<region>/<name>` or the queue's http(s) URL.
        config: Endpoint, region, whether to create.

    Raises:
        ConfigError: The URI is wrong, the queue does not exist or may not be used.
        Transient: SQS cannot be reached.
    """

    def __init__(self, uri: str, config: QueueConfig) -> None:
        import boto3
        from botocore.config import Config

        place = _place(uri, config)
        self.name = place.name
        self._account = place.account
        self._client: Any = boto3.Session().client(  # the shared default session is for one thread
            "sqs",
            region_name=place.region,
            endpoint_url=place.endpoint_url,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                connect_timeout=5,
                read_timeout=30,
                max_pool_connections=2 * _SENDERS,
            ),
        )
        if config.create:
            self.create()
        normal, high = self._find(self.name), self._find(f"{self.name}-high")
        if normal is None:
            raise ConfigError(
                f"there is no SQS queue {self.name!r} in {place.region}; create it (infra/ does)"
                " or set queue.create=true"
            )
        self._urls = {False: normal} if high is None else {True: high, False: normal}

    @property
    def classes(self) -> tuple[bool, ...]:
        """The classes of priority that there are, high before normal."""
        return tuple(self._urls)

    def create(self) -> None:
        """Create both queues where they do not exist; messages are kept 14 days."""
        for name in (self.name, f"{self.name}-high"):
            if self._find(name) is None:
                with _sqs(name):
                    self._client.create_queue(
                        QueueName=name, Attributes={"MessageRetentionPeriod": str(_RETENTION_S)}
                    )

    def require(self, *, high: bool) -> None:
        """Check that there is a queue for a class.

        Raises:
            ConfigError: There is none.
        """
        if high not in self._urls:
            raise ConfigError(
                f"priorities over 0 need an SQS queue {self.name + '-high'!r}; create it or set"
                " queue.create=true"
            )

    def send(self, bodies: Sequence[str], *, high: bool) -> None:
        """Send messages, ten a call and several calls at a time.

        Raises:
            ConfigError: There is no queue for this class.
            Transient: SQS did not take all of them; some may have been sent.
        """
        self.require(high=high)
        batches = [bodies[i : i + _BATCH] for i in range(0, len(bodies), _BATCH)]
        with ThreadPoolExecutor(_SENDERS) as pool:
            list(pool.map(partial(self._send, self._urls[high]), batches))

    def receive(self, n: int, *, high: bool, hidden_s: int, wait_s: int) -> list[Message]:
        """Take up to n (at most 10) deliveries, hidden from others for a while.

        Args:
            n: Most.
            high: Of which class.
            hidden_s: How long SQS keeps them from being delivered again.
            wait_s: How long to wait for the first one; 0 may miss some that are there.
        """
        url = self._urls[high]
        with _sqs(self.name):
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(n, _BATCH),
                VisibilityTimeout=hidden_s,
                WaitTimeSeconds=wait_s,
            )
        return [
            Message(m["MessageId"], m["Body"], high, Handle(url, m["ReceiptHandle"]))
            for m in answer.get("Messages", ())
        ]

    def hide(self, handles: Sequence[tuple[Handle, int]]) -> None:
        """Keep messages hidden for so many seconds from now; those that SQS refuses are logged."""
        for url, batch in _batches(handles, lambda pair: pair[0].url):
            entries = [
                {"Id": str(i), "ReceiptHandle": handle.receipt, "VisibilityTimeout": hidden_s}
                for i, (handle, hidden_s) in enumerate(batch)
            ]
            with _sqs(self.name):
                answer = self._client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
            _log_refused("hide", answer)

    def delete(self, handles: Sequence[Handle]) -> None:
        """Remove messages; those that SQS refuses are logged and will be delivered again."""
        for url, batch in _batches(handles, lambda handle: handle.url):
            entries = [{"Id": str(i), "ReceiptHandle": h.receipt} for i, h in enumerate(batch)]
            with _sqs(self.name):
                answer = self._client.delete_message_batch(QueueUrl=url, Entries=entries)
            _log_refused("delete", answer)

    def sizes(self) -> tuple[int, int]:
        """About how many messages can be received now, and how many are hidden."""
        visible = hidden = 0
        for url in self._urls.values():
            with _sqs(self.name):
                answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=_SIZES)
            visible += int(answer["Attributes"][_SIZES[0]])
            hidden += int(answer["Attributes"][_SIZES[1]])
        return visible, hidden

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, url: str, bodies: Sequence[str]) -> None:
        left = {str(i): body for i, body in enumerate(bodies)}
        for attempt in range(_SEND_TRIES):
            entries = [{"Id": i, "MessageBody": body} for i, body in left.items()]
            with _sqs(self.name):
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
            failed = answer.get("Failed", ())
            left = {entry["Id"]: left[entry["Id"]] for entry in failed}
            if not left:
                return
            if any(entry["SenderFault"] for entry in failed):
                break
            time.sleep(0.1 * 2**attempt)
        why = failed[0].get("Message") or failed[0]["Code"]
        raise Transient("queue_unavailable", f"SQS took not all of a batch: {why}")

    def _find(self, name: str) -> str | None:
        from botocore.exceptions import ClientError

        owner = {} if self._account is None else {"QueueOwnerAWSAccountId": self._account}
        with _sqs(name):
            try:
                return str(self._client.get_queue_url(QueueName=name, **owner)["QueueUrl"])
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise


def _place(uri: str, config: QueueConfig) -> _Place:
    """Take a URI apart.

    Raises:
        ConfigError: It names no standard queue.
    """
    parts = urlsplit(uri)
    account, _, name = parts.path.strip("/").rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,75}", name):
        fifo = " (FIFO queues are not of use here)" if name.endswith(".fifo") else ""
        raise ConfigError(f"{uri!r} names no standard SQS queue{fifo}; write sqs://region/name")
    if parts.scheme == "sqs":
        if account:
            raise ConfigError(f"{uri!r} has one part too many; write sqs://region/name")
        return _Place(name, parts.netloc or config.region, config.endpoint_url, None)
    amazon = re.fullmatch(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?", parts.netloc)
    if amazon:
        return _Place(name, amazon[1], config.endpoint_url, account or None)
    endpoint_url = config.endpoint_url or f"{parts.scheme}://{parts.netloc}"
    return _Place(name, config.region, endpoint_url, account or None)


def _batches(handles: Sequence[Any], url_of: Any) -> Iterator[tuple[str, list[Any]]]:
    for url, group in groupby(sorted(handles, key=url_of), key=url_of):
        all_of_url = list(group)
        for first in range(0, len(all_of_url), _BATCH):
            yield url, all_of_url[first : first + _BATCH]


def _log_refused(what: str, answer: dict[str, Any]) -> None:
    for entry in answer.get("Failed", ()):
        logger.info("SQS would not %s a message: %s", what, entry.get("Message", entry["Code"]))


@contextmanager
def _sqs(name: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise ConfigError(f"no AWS credentials for the SQS queue {name!r}: {error}") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise ConfigError(f"there is no SQS queue {name!r}: {error}") from error
        if code in _DENIED:
            raise ConfigError(f"the SQS queue {name!r} may not be used: {error}") from error
        raise Transient("queue_unavailable", f"SQS failed: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise Transient("queue_unavailable", f"SQS cannot be reached: {error}") from error
