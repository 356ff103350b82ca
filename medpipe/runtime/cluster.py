"""Connects to a Ray cluster, or starts a local one; sets what Ray would else guess from $HOME."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

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
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "240000",
}


@contextmanager
def connected(config: RuntimeConfig, exit_code: int) -> Iterator[Callable[[], None]]:
    """Be connected to Ray inside the block, under a watch over its head.

    A cluster given by `runtime.address` or RAY_ADDRESS is joined; a connection that stands already
    is used and left alone; otherwise a local cluster is started and ended.

    Args:
        config: Where Ray is.
        exit_code: Of this process, if it waits in vain for an answer of a lost head.

    Yields:
        Returns at once, and raises `HeadLost` when the head or this process's node has gone.

    Raises:
        ConfigError: The cluster cannot be reached, or a local one does not start.
    """
    stood = ray.is_initialized()
    address = config.address or os.environ.get("RAY_ADDRESS")
    if not stood and address:
        _join(address)
    elif not stood:
        _start(config)
    with watched_head(config.head_lost_s, exit_code) as check_head:
        try:
            yield check_head
        finally:
            if not stood:
                ray.shutdown()


def _join(address: str) -> None:
    try:
        ray.init(address=address, namespace="medpipe", log_to_driver=False)
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
