"""Opens the queue that a URI names."""

from pathlib import Path
from urllib.parse import urlsplit

from medpipe.errors import ConfigError
from medpipe.queues.contract import WorkQueue
from medpipe.queues.ledger import LedgerStore
from medpipe.queues.sqlite import SqliteQueue
from medpipe.queues.sqs import SqsQueue
from medpipe.queues.wire import QueueConfig, SqsWire

_SQS = ("sqs", "https", "http")


def is_sqs(uri: str) -> bool:
    """Whether a URI names a queue on SQS, which needs a ledger."""
    return urlsplit(uri).scheme in _SQS


def open_queue(
    uri: str, *, ledger_store: LedgerStore | None = None, config: QueueConfig | None = None
) -> WorkQueue:
    """Open the queue that a URI names.

    Args:
        uri: A path, `sqlite:///absolute/path`, `sqs://region/name` or the URL of an SQS queue.
        ledger_store: For SQS: the dataset's store, beside whose tables the ledger lies.
        config: For SQS: how to reach it.

    Raises:
        ConfigError: The URI has another scheme, the file is no queue, the SQS queue does not
            exist, or it was given without a ledger store.
        Transient: SQS cannot be reached.
    """
    parts = urlsplit(uri)
    if is_sqs(uri):
        if ledger_store is None:
            raise ConfigError(
                f"the queue {uri!r} keeps its ledger beside the dataset; name it with --out"
            )
        return SqsQueue(SqsWire(uri, config or QueueConfig()), ledger_store)
    if parts.scheme == "sqlite":
        return SqliteQueue(Path(parts.netloc + parts.path))
    if "://" in uri:
        raise ConfigError(
            f"no queue of this kind: {uri!r}; use sqlite:///path/to/queue.sqlite or"
            " sqs://region/name"
        )
    return SqliteQueue(Path(uri))
