"""medpipe's figures as Ray metrics: `ray_medpipe_...` on every node's Prometheus port."""

from ray.util.metrics import Counter, Gauge, Histogram

_HELP = {
    "medpipe_items_total": "Items that came to an end, by state, step and reason.",
    "medpipe_items_in_flight": "Items leased and not yet at an end.",
    "medpipe_items_open": "Items of the queue that have not come to an end, by state.",
    "medpipe_items_oldest_age_seconds": "How long the oldest has been ready, or in flight here.",
    "medpipe_steps_total": "Steps of the walk that ended, by result.",
    "medpipe_step_seconds": "Wall seconds of the steps that ended well.",
    "medpipe_step_media_seconds_total": "Seconds of media that steps were through with.",
    "medpipe_media_seconds_total": "Seconds of media in items that are done.",
    "medpipe_fetched_bytes_total": "Bytes of media that were fetched, by source.",
    "medpipe_retries_total": "Attempts that ended with another one to come, by step and reason.",
    "medpipe_worker_deaths_total": "Workers that went without being let go, by reason.",
    "medpipe_workers": "Workers by pool and state.",
    "medpipe_worker_seconds_total": "Seconds of workers by pool and state.",
    "medpipe_gpu_seconds_total": "Seconds of GPUs that workers held.",
    "medpipe_cost_usd": "What this run has cost so far.",
}

_BOUNDARIES_S = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800]


class RaySink:
    """A telemetry sink over `ray.util.metrics`; needs a connection to Ray."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}

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

    def observe(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Add to a histogram of seconds."""
        histogram = self._histograms.get(name)
        if histogram is None:
            histogram = Histogram(
                name,
                description=_HELP.get(name, ""),
                boundaries=_BOUNDARIES_S,
                tag_keys=tuple(labels),
            )
            self._histograms[name] = histogram
        histogram.observe(value, tags=labels)
