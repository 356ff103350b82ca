"""medpipe's figures as Ray metrics: `ray_medpipe_...` on every node's Prometheus port."""

from ray.util.metrics import Counter, Gauge

_HELP = {
    "medpipe_items_total": "Items that came to an end, by state.",
    "medpipe_steps_total": "Steps of the walk that ended, by result.",
    "medpipe_media_seconds_total": "Seconds of media in items that are done.",
    "medpipe_items_in_flight": "Items leased and not yet at an end.",
    "medpipe_items_open": "Items of the queue that have not come to an end.",
    "medpipe_cost_usd": "What this run has cost so far.",
}


class RaySink:
    """A telemetry sink over `ray.util.metrics`; needs a connection to Ray."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter; an amount of 0 only makes it known."""
        counter = self._counters.get(name)
        if counter is None:
            counter = Counter(name, description=_HELP.get(name, ""), tag_keys=tuple(labels))
            self._counters[name] = counter
        if amount > 0:
            counter.inc(amount, tags=labels)

    def gauge(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Set a level."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = Gauge(name, description=_HELP.get(name, ""), tag_keys=tuple(labels))
            self._gauges[name] = gauge
        gauge.set(value, tags=labels)
