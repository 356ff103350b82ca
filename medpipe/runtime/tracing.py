"""An item's walk as one OpenTelemetry trace, put together from the driver and the workers.

Trace and root span of an attempt have ids that follow from its `Trip`, so each process sends its
own spans and nobody hands a context around. Workers tell the steps that they ended; the driver
tells those whose worker was lost, and the attempt as a whole. Nothing of OpenTelemetry is loaded
unless `tracing.endpoint` is set.
"""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from medpipe.errors import ConfigError
from medpipe.telemetry import TracingConfig, Trip

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Value = str | float | int

# Ended processes must not wait long for a collector that is away.
_DELAY_MS, _FLUSH_MS, _TIMEOUT_S = 1000, 1500, 5


class Spans(Protocol):
    """Where spans go once they have ended; times are Unix seconds."""

    def step(
        self,
        trip: Trip,
        name: str,
        start_s: float,
        end_s: float,
        attributes: Mapping[str, Value],
        error: str | None = None,
    ) -> None:
        """A step of an attempt ended; `error` says how it failed."""

    def attempt(
        self,
        trip: Trip,
        start_s: float,
        end_s: float,
        attributes: Mapping[str, Value],
        error: str | None = None,
    ) -> None:
        """An attempt ended."""

    def close(self) -> None:
        """Send what was not sent yet, within a second or two."""


class _None:
    def step(self, *told: object, **more: object) -> None:
        """Drop it."""

    def attempt(self, *told: object, **more: object) -> None:
        """Drop it."""

    def close(self) -> None:
        """Nothing is left to send."""


NO_SPANS: Spans = _None()


class _OtlpSpans:
    """Sends spans to a collector in batches, from a thread of its own."""

    def __init__(self, processor: "SpanProcessor", service: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._processor = processor
        self._resource = Resource.create({"service.name": service})
        self._scope = InstrumentationScope("medpipe")

    def step(
        self,
        trip: Trip,
        name: str,
        start_s: float,
        end_s: float,
        attributes: Mapping[str, Value],
        error: str | None = None,
    ) -> None:
        """See `Spans`."""
        # Children need no id that others know.
        self._end(trip, random.getrandbits(64) or 1, name, (start_s, end_s), attributes, error)

    def attempt(
        self,
        trip: Trip,
        start_s: float,
        end_s: float,
        attributes: Mapping[str, Value],
        error: str | None = None,
    ) -> None:
        """See `Spans`."""
        self._end(trip, trip.root_id, "item", (start_s, end_s), attributes, error)

    def close(self) -> None:
        """See `Spans`."""
        self._processor.force_flush(_FLUSH_MS)

    def _end(
        self,
        trip: Trip,
        span_id: int,
        name: str,
        times_s: tuple[float, float],
        attributes: Mapping[str, Value],
        error: str | None,
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

        def context(of: int) -> SpanContext:
            flags = TraceFlags(TraceFlags.SAMPLED)
            return SpanContext(trip.trace_id, of, is_remote=False, trace_flags=flags)

        named = {
            "medpipe.run": trip.run,
            "medpipe.item_id": trip.item_id,
            "medpipe.attempt": trip.number,
            **{f"medpipe.{key}": value for key, value in attributes.items()},
        }
        status = Status(StatusCode.OK) if error is None else Status(StatusCode.ERROR, error)
        span = ReadableSpan(
            name=name,
            context=context(span_id),
            parent=None if span_id == trip.root_id else context(trip.root_id),
            resource=self._resource,
            attributes=named,
            status=status,
            start_time=int(times_s[0] * 1e9),
            end_time=int(times_s[1] * 1e9),
            instrumentation_scope=self._scope,
        )
        self._processor.on_end(span)


def open_spans(config: TracingConfig) -> Spans:
    """Where this process's spans go: nowhere unless an endpoint is configured.

    Raises:
        ConfigError: One is, and the exporter is not installed.
    """
    if config.endpoint is None:
        return NO_SPANS
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(f"tracing.endpoint needs pip install 'medpipe[otel]': {error}") from error
    exporter = OTLPSpanExporter(
        endpoint=f"{config.endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S
    )
    return _OtlpSpans(BatchSpanProcessor(exporter, schedule_delay_millis=_DELAY_MS), config.service)
