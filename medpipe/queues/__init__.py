"""Work queues: who may work on which item until when."""

from medpipe.queues.contract import Lease, LeaseLost, QueueCounts, Tries, WorkQueue
from medpipe.queues.sqlite import SqliteQueue, open_queue

__all__ = [
    "Lease",
    "LeaseLost",
    "QueueCounts",
    "SqliteQueue",
    "Tries",
    "WorkQueue",
    "open_queue",
]
