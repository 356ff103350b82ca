"""One Ray cluster a session, a clean environment, and no silent skips where none are allowed."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared: how long an example takes says nothing.
settings.register_profile("medpipe", deadline=None)
settings.load_profile("medpipe")

os.environ.update(
    # Workers inherit it from the session's cluster; while the file is not there nothing happens.
    MEDPIPE_FAULTS=str(Path(tempfile.gettempdir(), f"medpipe-faults-{os.getpid()}.json")),
    RAY_AUTH_MODE="disabled",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_SCHEDULER_EVENTS="0",
    RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
    RAY_agent_register_timeout_ms="240000",
    OMP_NUM_THREADS="1",
)

_OURS = ("MEDPIPE_FAULTS", "MEDPIPE_NO_SKIP", "MEDPIPE_SOAK")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the machine it runs on."""
    for name in list(os.environ):
        if name.startswith("MEDPIPE_") and name not in _OURS:
            monkeypatch.delenv(name)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local cluster for the whole session; started once, because a start takes long."""
    import ray

    for attempt in range(3):
        try:
            ray.init(
                address="local",
                num_cpus=4,
                include_dashboard=False,
                object_store_memory=256 << 20,
                log_to_driver=False,
                logging_level=logging.ERROR,
                namespace="medpipe",
            )
            break
        except Exception:
            ray.shutdown()
            if attempt == 2:
                raise
            time.sleep(2)
    yield
    ray.shutdown()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where MEDPIPE_NO_SKIP names a marker, a skipped test of that marker has failed."""
    report = yield
    wanted = os.environ.get("MEDPIPE_NO_SKIP", "").split(",")
    if report.skipped and any(item.get_closest_marker(name) for name in wanted if name):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where it must run: {report.longrepr}"
    return report
