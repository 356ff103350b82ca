"""Whose fault a failed Ray call was, over exceptions as Ray builds them; needs no cluster."""

import errno
import pickle

import pytest
from ray import exceptions as rx
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo

from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.runtime.blame import Undecided, blame
from medpipe.runtime.watchdog import WorkerMemoryError
from medpipe.scheduling import FailureKind

PROCESS_DIED = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
    "Worker exit detail: Worker unexpectedly exits with a connection error code 2."
)
NODE_DIED = (
    "The actor died because its node has died. Node Id: ab12\n"
    "\tthe actor's node was terminated unexpectedly: health check failed"
)
SIGTERM = "The actor died because its node has died. Node received SIGTERM"


def died(text: str, *, reason: int | None = None) -> rx.ActorDiedError:
    info = None if reason is None else NodeDeathInfo(reason=reason)
    return rx.ActorDiedError(
        ActorDiedErrorContext(error_message=text, actor_id=bytes(16), node_death_info=info)
    )


def raised(cause: BaseException) -> rx.RayTaskError:
    """What `ray.get` raises when a method raised: an instance of the cause's class as well."""
    error = rx.RayTaskError(
        "extract", f"Traceback ...\n{cause!r}", cause, proctitle="w", pid=1, ip="::1"
    )
    dual: rx.RayTaskError = error.as_instanceof_cause()
    return dual


PREEMPTED = died(SIGTERM, reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED)
UNAVAILABLE = rx.ActorUnavailableError("Socket closed", bytes(16))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        pytest.param(died(PROCESS_DIED), FailureKind.DEATH, "worker_died", id="process died"),
        pytest.param(died(NODE_DIED), FailureKind.LOST, "node_lost", id="node died"),
        pytest.param(PREEMPTED, FailureKind.LOST, "node_lost", id="node preempted"),
        pytest.param(
            died(PROCESS_DIED, reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED),
            FailureKind.LOST,
            "node_lost",
            id="process ended by a preemption",
        ),
        pytest.param(rx.ActorDiedError(), FailureKind.DEATH, "worker_died", id="no context"),
        pytest.param(
            rx.OutOfMemoryError("memory on the node was 15.1GB / 16GB"),
            FailureKind.DEATH,
            "out_of_memory",
            id="killed by the memory monitor",
        ),
        pytest.param(
            rx.WorkerCrashedError(), FailureKind.DEATH, "worker_died", id="worker crashed"
        ),
    ],
)
def test_a_worker_that_is_gone_is_a_suspect_unless_its_node_went(
    error: Exception, kind: FailureKind, code: str
) -> None:
    failure, gone = blame(error)

    assert (failure.kind, failure.code, gone) == (kind, code, True)
    assert failure.detail


@pytest.mark.parametrize(
    "error",
    [rx.RuntimeEnvSetupError("no such conda environment"), rx.ActorUnschedulableError("no node")],
)
def test_a_worker_that_could_never_start_is_no_loss_that_is_free_to_try_again(
    error: Exception,
) -> None:
    failure, gone = blame(error)

    assert (failure.kind, failure.code, gone) == (FailureKind.BUG, "worker_cannot_start", True)


@pytest.mark.parametrize(
    ("cause", "kind", "code"),
    [
        (Rejected("not_a_video", "it is a page"), FailureKind.REJECTED, "not_a_video"),
        (Transient("throttled", "429"), FailureKind.TRANSIENT, "throttled"),
        (ConfigError("no such model"), FailureKind.BUG, "config_error"),
        (MemoryError(), FailureKind.DEATH, "out_of_memory"),
        (WorkerMemoryError("5 of 4 GiB"), FailureKind.DEATH, "memory_limit"),
        (OSError(errno.ENOSPC, "no space left"), FailureKind.TRANSIENT, "disk_full"),
        (OSError(errno.EIO, "input/output error"), FailureKind.BUG, "bug"),
        (ValueError("a bug of ours"), FailureKind.BUG, "bug"),
        (died(PROCESS_DIED), FailureKind.DEATH, "worker_died"),
        (died(NODE_DIED), FailureKind.LOST, "node_lost"),
        (PREEMPTED, FailureKind.LOST, "node_lost"),
        (UNAVAILABLE, FailureKind.LOST, "source_lost"),
        (rx.ObjectLostError("ab", None, ""), FailureKind.LOST, "source_lost"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_a_method_raised_is_judged_by_its_type_and_its_worker_lives(
    cause: BaseException, kind: FailureKind, code: str
) -> None:
    failure, gone = blame(raised(cause))

    assert (failure.kind, failure.code, gone) == (kind, code, False)


def test_the_reason_of_a_reject_is_kept_word_for_word() -> None:
    failure, _ = blame(raised(Rejected("too_short", "0.4 s of sound")))

    assert failure.detail == "0.4 s of sound"


def test_a_bug_keeps_the_end_of_its_traceback() -> None:
    error = rx.RayTaskError("f", "x" * 9000 + "\nValueError: here", ValueError("here"), ip="::1")

    failure, _ = blame(error)

    assert failure.detail.endswith("ValueError: here")
    assert len(failure.detail) <= 4000


def test_an_unreachable_worker_is_not_judged_yet() -> None:
    with pytest.raises(Undecided):
        blame(UNAVAILABLE)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (rx.TaskCancelledError(), FailureKind.LOST),
        (rx.ObjectLostError("ab", None, ""), FailureKind.LOST),
        (rx.NodeDiedError("node died"), FailureKind.LOST),
        (ValueError("raised in the driver"), FailureKind.BUG),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_went_wrong_around_a_worker_does_not_condemn_it(
    error: Exception, kind: FailureKind
) -> None:
    failure, gone = blame(error)

    assert (failure.kind, gone) == (kind, False)


@pytest.mark.parametrize("kind", [Rejected, Transient])
def test_an_items_error_comes_through_pickle_whole(kind: type[Rejected] | type[Transient]) -> None:
    error = kind("not_a_video", "it is a page")

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert (again.code, again.detail, str(again)) == (error.code, error.detail, str(error))


@pytest.mark.parametrize("code", ["", "Not_a_video", "not a video", "x" * 49, "9lives"])
def test_a_reason_code_is_snake_case(code: str) -> None:
    with pytest.raises(ValueError, match="snake_case"):
        Rejected(code, "why")
