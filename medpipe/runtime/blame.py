"""Whose fault a failed Ray call was: one pure function over the exception.

Ray's tree as it matters here (2.60, owner-managed actors, no restarts, no retries):

RayError
├── RayTaskError            the method raised; `.cause` is what it raised
├── RayActorError
│   ├── ActorDiedError      gone for good: preempted, its node lost, or its process died
│   └── ActorUnavailableError   not reachable now; ask again before judging
├── RuntimeEnvSetupError    the worker's process cannot be made as asked for, nor the next one's
├── OutOfMemoryError        the node's memory monitor killed the worker
├── ObjectLostError ...     an argument lay on a node that is gone
└── TaskCancelledError      we cancelled
"""

import errno
import traceback

from ray import exceptions as rx

from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.runtime.watchdog import WorkerMemoryError
from medpipe.scheduling import Failure, FailureKind
from medpipe.secrets import mask

# What Ray writes when the node went, not the process (tried: SIGKILL to a raylet).
_NODE_GONE = (
    "node has died",
    "node was terminated",
    "node was preempted",
    "owner has died",
    "node is dead",
)

_DETAIL_CHARACTERS = 4000


class Undecided(Exception):
    """The worker cannot be reached now; ask again before anybody pays."""


def blame(error: BaseException) -> tuple[Failure, bool]:
    """Say whose fault a failed call was.

    Args:
        error: What `ray.get` raised.

    Returns:
        The failure, and whether the worker that ran the call is gone.

    Raises:
        Undecided: The worker is unreachable but may live.
    """
    match error:
        case rx.RayTaskError():  # first: Ray makes it an instance of its cause's class, too
            return _raised(error), False
        case rx.ActorUnavailableError():
            raise Undecided
        case rx.ActorDiedError():
            return _death(error), True
        case rx.OutOfMemoryError():
            return _killed("out_of_memory", error), True  # by the node's monitor, which may err
        case rx.TaskCancelledError():
            return Failure(FailureKind.LOST, "cancelled", _short(error)), False
        case rx.WorkerCrashedError():
            return _killed("worker_died", error), True
        case rx.RuntimeEnvSetupError() | rx.ActorUnschedulableError():
            # The next one would not start either: no loss that is free to try again.
            return Failure(FailureKind.BUG, "worker_cannot_start", _short(error)), True
        case rx.RayError():
            return Failure(FailureKind.LOST, "ray_lost_it", _short(error)), False
        case _:
            return Failure(FailureKind.BUG, "bug", _short(error)), False


def _death(error: rx.RayError) -> Failure:
    text = str(error)
    if getattr(error, "preempted", False) or any(sign in text for sign in _NODE_GONE):
        return Failure(FailureKind.LOST, "node_lost", _short(error))
    return _killed("worker_died", error)


def _killed(code: str, error: rx.RayError) -> Failure:
    """A death that may have come from outside.

    Ray's text is the same for SIGKILL, SIGSEGV, SIGABRT, SIGBUS and `os._exit` (2.60, tried).
    """
    return Failure(FailureKind.DEATH, code, _short(error), unexplained=True)


def _raised(error: rx.RayTaskError) -> Failure:
    cause = error.cause
    match cause:
        case Rejected():
            return Failure(FailureKind.REJECTED, cause.code, cause.detail)
        case Transient():
            return Failure(FailureKind.TRANSIENT, cause.code, cause.detail)
        case ConfigError():
            return Failure(FailureKind.BUG, "config_error", str(cause))
        case WorkerMemoryError():
            return Failure(FailureKind.DEATH, "memory_limit", str(cause))
        case MemoryError():
            return Failure(FailureKind.DEATH, "out_of_memory", _short(error))
        case OSError(errno=errno.ENOSPC):
            return Failure(FailureKind.TRANSIENT, "disk_full", str(cause))
        case rx.RayError():
            if "ActorDiedError" in f"{type(cause).__name__} {cause}":
                # The worker that held the file died under a call from this one. Ray cannot pickle
                # that error and puts a plain RayError with its text in its place (2.60).
                return _death(cause)
            return Failure(FailureKind.LOST, "source_lost", _short(cause))
        case _:
            return Failure(FailureKind.BUG, "bug", _short(error))


def _short(error: BaseException) -> str:
    text = str(error) or "".join(traceback.format_exception_only(error))
    return mask(text)[-_DETAIL_CHARACTERS:]
