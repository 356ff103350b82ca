"""Work queues: who may work on which item until when."""

from medpipe.queues.contract import NOT_AN_ITEM, Lease, LeaseLost, QueueCounts, Tries, WorkQueue
from medpipe.queues.opening import is_sqs, open_queue
from medpipe.queues.sqlite import SqliteQueue
from medpipe.queues.sqs import SqsQueue
from medpipe.queues.wire import QueueConfig, SqsWire

__all__ = [
    "NOT_AN_ITEM",
    "Lease",
    "LeaseLost",
    "QueueConfig",
    "QueueCounts",
    "SqliteQueue",
    "SqsQueue",
    "SqsWire",
    "Tries",
    "WorkQueue",
    "is_sqs",
    "open_queue",
]
