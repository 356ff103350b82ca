"""When to ask the queue for more items, and when there is nothing left to wait for."""

from medpipe.scheduling.events import QueueSeen
from medpipe.scheduling.jobs import Jobs
from medpipe.scheduling.policy import SchedulingConfig

_POLL_S = 1.0


class Leasing:
    """What is known of the queue, and how much of it may be taken on.

    Args:
        config: Bounds of what is in flight.
        jobs: The items in flight.
    """

    def __init__(self, config: SchedulingConfig, jobs: Jobs) -> None:
        self._config = config
        self._jobs = jobs
        self._asked = False
        self._poll_at_s = 0.0
        self._empty = False
        self._draining = False

    def drain(self) -> None:
        """Ask for nothing any more."""
        self._draining = True

    def got(self) -> None:
        """The queue gave an item."""
        self._asked = self._empty = False

    def got_none(self, seen: QueueSeen, now_s: float) -> None:
        """The queue had nothing to give; it is asked again in a second."""
        self._asked = False
        self._poll_at_s = now_s + _POLL_S
        self._empty = seen.ready == 0 and seen.open_elsewhere == 0

    def more_may_come(self) -> None:
        """An item went back to the queue, or may come back to it."""
        self._empty = False

    @property
    def over(self) -> bool:
        """Whether nothing is in flight and nothing more will come."""
        return not self._jobs and (self._draining or (self._empty and not self._asked))

    def ask(self, now_s: float, store_down_s: float) -> int:
        """How many items to ask for now; 0 if an answer is due or there is no room.

        Args:
            now_s: Unix time.
            store_down_s: Seconds for which the store is left alone.
        """
        room = self._config.items_in_flight - len(self._jobs) + self._jobs.written
        if room <= 0 or self._draining or self._asked or now_s < self._poll_at_s or store_down_s:
            return 0
        if self._jobs and not self._has_room_for_media():
            return 0
        self._asked = True
        return room

    def _has_room_for_media(self) -> bool:
        return (
            self._jobs.media_s < self._config.media_in_flight_s
            and self._jobs.media_bytes < self._config.bytes_in_flight
        )
