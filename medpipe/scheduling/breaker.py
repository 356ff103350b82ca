"""Circuit breakers: a place of the world that keeps failing is left alone for a while."""

from dataclasses import dataclass

from pydantic import Field, model_validator

from medpipe.records import Record


class BreakerConfig(Record):
    """When a place counts as down and how long it is left alone."""

    failures: int = Field(5, ge=1, description="Failures in a row that open a breaker.")
    cool_down_s: float = Field(60, gt=0, description="First rest; doubles with each relapse.")
    cool_down_max_s: float = Field(3_600, gt=0, description="Longest rest.")

    @model_validator(mode="after")
    def _related(self) -> "BreakerConfig":
        if self.cool_down_max_s < self.cool_down_s:
            raise ValueError("cool_down_max_s must be at least cool_down_s")
        return self


@dataclass(slots=True)
class _Breaker:
    in_a_row: int = 0
    rests: int = 0
    until_s: float = 0.0
    probing: bool = False


class Breakers:
    """One breaker a place (a host, the store); closed until it has failed often enough.

    After its rest one step is let through; if that fails the rest doubles, if it succeeds the
    breaker closes. What has no place (a file on disk) is called "" and never rests.
    """

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self._by_place: dict[str, _Breaker] = {}

    def blocked_s(self, place: str, now_s: float) -> float:
        """Seconds that nothing may be tried at this place; 0 if something may."""
        breaker = self._by_place.get(place)
        if breaker is None or breaker.in_a_row < self._config.failures:
            return 0.0
        if breaker.probing:
            return self._config.cool_down_s
        return max(0.0, breaker.until_s - now_s)

    def started(self, place: str) -> None:
        """A step was started at a place; behind an open breaker it is the probe."""
        breaker = self._by_place.get(place)
        if breaker is not None and breaker.in_a_row >= self._config.failures:
            breaker.probing = True

    def succeeded(self, place: str) -> bool:
        """A step went well at this place; tells whether its breaker was open."""
        breaker = self._by_place.pop(place, None)
        return breaker is not None and breaker.in_a_row >= self._config.failures

    def failed(self, place: str, now_s: float) -> None:
        """A step failed there through the world's fault."""
        if not place:
            return
        breaker = self._by_place.setdefault(place, _Breaker())
        was_open = breaker.in_a_row >= self._config.failures
        breaker.in_a_row += 1
        if was_open and not breaker.probing:
            return  # started before the breaker opened
        breaker.probing = False
        if breaker.in_a_row >= self._config.failures:
            rest_s = self._config.cool_down_s * 2.0 ** min(breaker.rests, 60)
            breaker.until_s = now_s + min(self._config.cool_down_max_s, rest_s)
            breaker.rests += 1

    def gave_up(self, place: str) -> None:
        """A step ended without saying anything about the place; another one may probe."""
        breaker = self._by_place.get(place)
        if breaker is not None:
            breaker.probing = False

    def open_places(self, now_s: float) -> list[str]:
        """Places that are left alone right now."""
        return sorted(p for p in self._by_place if self.blocked_s(p, now_s) > 0)
