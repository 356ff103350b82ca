"""What a worker tells of the steps that it runs: lines of its log, and spans of a trace."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from medpipe import logs
from medpipe.errors import Rejected, Transient
from medpipe.runtime.tracing import Spans, Value
from medpipe.secrets import mask
from medpipe.telemetry import Trip

logger = logging.getLogger(__name__)


@contextmanager
def no_exit() -> Iterator[None]:
    """Turn `sys.exit` in the block into an error of ours; every step of a worker runs in one.

    Ray would wait for the worker's other calls before it lets the process go, and `life` never
    ends (2.60).

    Raises:
        RuntimeError: Something in the block called `sys.exit`.
    """
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(f"the step called sys.exit({error.code!r})") from error


class Reporter:
    """Tells of every step of one worker.

    Args:
        worker: Its name.
        node: Id of the node that it runs on.
        spans: Where spans go.
    """

    def __init__(self, worker: str, node: str, spans: Spans) -> None:
        self._named: dict[str, Value] = {"worker": worker, "node": node}
        self._spans = spans

    @contextmanager
    def step(self, trip: Trip, name: str) -> Iterator[dict[str, Value]]:
        """Run a step of an attempt inside the block, which must not call `sys.exit`.

        Yields:
            Attributes of its span, to add to.
        """
        began_s, outcome = time.time(), _Outcome()
        told = {"step": name, **self._named}
        with logs.bound(item_id=trip.item_id, attempt=trip.number, stage=name):
            logger.info("%s begins", name)
            try:
                with no_exit(), outcome:
                    yield told
            finally:
                ended_s = time.time()
                told |= {"result": outcome.result, "reason": outcome.reason}
                self._spans.step(trip, name, began_s, ended_s, told, outcome.error)
                logger.info("%s: %s after %.2f s", name, outcome.said, ended_s - began_s)

    def close(self) -> None:
        """Send what was not sent yet."""
        self._spans.close()


class _Outcome:
    """Looks at what leaves a block, and lets it pass."""

    def __init__(self) -> None:
        self.result, self.reason = "done", "none"
        self.error: str | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        match error:
            case None:
                return
            case Rejected():
                self.result, self.reason = "rejected", error.code
            case Transient():
                self.result, self.reason = "transient", error.code
            case _:
                self.result, self.reason = "bug", "bug"
        self.error = mask(f"{type(error).__name__}: {error}")

    @property
    def said(self) -> str:
        """For a line of the log."""
        return self.result if self.error is None else f"{self.result}, {self.error}"
