"""Says what a job waits for, and says so unasked when nothing has happened for long."""

from medpipe.scheduling.breaker import Breakers
from medpipe.scheduling.crew import Crew
from medpipe.scheduling.events import Warn
from medpipe.scheduling.jobs import Jobs


class StallWatch:
    """Notes when something last happened.

    Args:
        stall_s: Silence after which people are told, and told again.
        crew: The workers.
        jobs: The items in flight.
        breakers: Of hosts and the store.
    """

    def __init__(self, stall_s: float, crew: Crew, jobs: Jobs, breakers: Breakers) -> None:
        self._stall_s = stall_s
        self._crew = crew
        self._jobs = jobs
        self._breakers = breakers
        self._moved_at_s: float | None = None

    def moved(self, now_s: float) -> None:
        """Something happened."""
        self._moved_at_s = now_s

    def warning(self, now_s: float) -> Warn | None:
        """What to tell people, once every `stall_s` of silence."""
        if self._moved_at_s is None:
            self._moved_at_s = now_s
        if now_s - self._moved_at_s <= self._stall_s:
            return None
        self._moved_at_s = now_s
        down = ", ".join(self._breakers.open_places(now_s))
        text = f"nothing happened for {self._stall_s / 60:.0f} minutes;"
        text += f" waiting for {self.waiting_for}"
        return Warn(text + (f"; down: {down}" if down else ""))

    @property
    def waiting_for(self) -> str:
        """One line for people: what the job waits for right now."""
        busy = sum(len(worker.runs) for _, worker in self._crew)
        starting = sum(not worker.up for _, worker in self._crew)
        parts = [f"{busy} steps at work"] if busy else []
        parts += [f"{starting} workers to start"] if starting else []
        if any(job.committing for job in self._jobs):
            parts.append("a commit")
        if any(job.store_failures for job in self._jobs):
            parts.append("the store to answer")
        if not parts:
            parts.append("workers" if self._jobs else "items that wait for their next try")
        return ", ".join(parts)
