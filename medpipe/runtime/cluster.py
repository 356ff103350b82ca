"""Connects to a Ray cluster, or starts a local one; sets what Ray would else guess from $HOME."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

import medpipe
from medpipe.config import RuntimeConfig
from medpipe.errors import ConfigError
from medpipe.runtime.head import watched_head

logger = logging.getLogger(__name__)

_START_TRIES = 3

# A local cluster is for this process alone: no token, no usage report, no `uv run` wrapper.
_LOCAL_ENV = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_metric_cardinality_level": "low",  # else Ray's own metrics name each item
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "240000",
    # The head keeps about 4 KB for each of the last so many calls, by default of 100,000.
    "RAY_task_events_max_num_task_in_gcs": "5000",
    "RAY_task_events_max_dropped_task_attempts_tracked_per_job_in_gcs": "5000",
}


@contextmanager
def connected(
    config: RuntimeConfig, exit_code: int, job: str = "medpipe"
) -> Iterator[Callable[[], None]]:
    """Be connected to Ray inside the block, under a watch over its head.

    A cluster given by `runtime.address` or RAY_ADDRESS is joined; a connection that stands already
    is used and left alone; otherwise a local cluster is started and ended.

    Args:
        config: Where Ray is.
        exit_code: Of this process, if it waits in vain for an answer of a lost head.
        job: What the dashboard calls it, unless who submitted it gave it a name.

    Yields:
        Returns at once, and raises `HeadLost` when the head or this process's node has gone.

    Raises:
        ConfigError: The cluster cannot be reached, or a local one does not start.
    """
    stood = ray.is_initialized()
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # told once, and masked, by blame
    address = config.address or os.environ.get("RAY_ADDRESS")
    with _interruptible() as take_over:
        if not stood and address:
            _join(address, job)
        elif not stood:
            _start(config)
        take_over()
        with watched_head(config.head_lost_s, exit_code) as check_head:
            try:
                yield check_head
            finally:
                if not stood:
                    ray.shutdown()


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM interrupt like Ctrl-C, where no handler of a job's own is in place.

    Yields:
        To be called once Ray is up: its handler, set by then, exits with the signal's number.
    """

    def take_over() -> None:
        if ours:
            signal.signal(signal.SIGTERM, signal.default_int_handler)

    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield take_over
    finally:
        if ours:
            signal.signal(signal.SIGTERM, before)


def _join(address: str, job: str) -> None:
    told = {"job_name": job, "medpipe_version": medpipe.__version__}
    try:
        ray.init(
            address=address,
            namespace="medpipe",
            log_to_driver=False,
            job_config=ray.job_config.JobConfig(metadata=told),
        )
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise ConfigError(f"no Ray cluster at {address}: {error}") from error


def _start(config: RuntimeConfig) -> None:
    for name, value in _LOCAL_ENV.items():
        os.environ.setdefault(name, value)
    cores = os.cpu_count() or 1
    for attempt in range(1, _START_TRIES + 1):
        try:
            ray.init(
                address="local",
                num_cpus=max(3, cores + 1),  # one worker of each pool must fit
                include_dashboard=False,
                object_store_memory=config.object_store_bytes,
                namespace="medpipe",
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:
            ray.shutdown()
            if attempt == _START_TRIES:
                raise ConfigError(f"Ray did not start on this machine: {error}") from error
            logger.warning("Ray did not start (%s), try %d", error, attempt + 1)
            time.sleep(2)
        else:
            return
