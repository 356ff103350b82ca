"""How often workers die for no known reason, so that an item's deaths can be weighed against it."""

import math
from collections import Counter, deque
from dataclasses import dataclass

_WINDOWS_S = (60.0, 600.0, 6000.0)
_KEPT = 1000
_LOOK_S = 1.0
_FORGOTTEN_S = 10 * max(_WINDOWS_S)


@dataclass(slots=True)
class _Death:
    """A worker's death without a known cause, and the items that may have caused it."""

    at_s: float
    suspects: set[str]


class Background:
    """The rate of deaths that an item cannot explain.

    What counts: deaths of idle workers, deaths under items that later came to an end without dying,
    and those of all other items under which one worker died so far (if more did, it may well be
    their own doing). Rates are taken over a minute, ten minutes and more, each forgetting
    exponentially; the highest one stands, so that neither a short storm nor a long one is missed.
    One death alone makes no storm: it counts in the longest of them only.
    """

    def __init__(self) -> None:
        self._deaths: deque[_Death] = deque(maxlen=_KEPT)
        self._worker_s = [0.0] * len(_WINDOWS_S)
        self._seen_at_s: float | None = None

    def passes(self, now_s: float, workers: int) -> None:
        """Note that so many workers have been up since the last call; looks once a second."""
        if self._seen_at_s is not None and abs(now_s - self._seen_at_s) < _LOOK_S:
            return
        if self._seen_at_s is not None and now_s > self._seen_at_s:
            for n, window_s in enumerate(_WINDOWS_S):
                kept = math.exp((self._seen_at_s - now_s) / window_s)
                self._worker_s[n] = self._worker_s[n] * kept + workers * window_s * (1 - kept)
        self._seen_at_s = now_s if self._seen_at_s is None else max(now_s, self._seen_at_s)

    def died(self, at_s: float, suspects: set[str]) -> None:
        """Note a worker's death without a known cause, and whose doing it may be."""
        self._deaths.append(_Death(at_s, set(suspects)))

    def knows(self, item_id: str) -> bool:
        """Whether a death is noted that may be an item's doing."""
        return any(item_id in death.suspects for death in self._deaths)

    def cleared(self, item_id: str) -> None:
        """An item came to an end without dying: the deaths beside it were not its doing."""
        for death in self._deaths:
            death.suspects.discard(item_id)

    def condemned(self, item_id: str) -> None:
        """An item was quarantined: its deaths are explained."""
        kept = [death for death in self._deaths if item_id not in death.suspects]
        self._deaths = deque(kept, maxlen=_KEPT)

    def rate_per_s(self, now_s: float, *, besides: str = "", sure: bool = False) -> float:
        """Deaths a worker-second that an item cannot explain; 0 if none was seen.

        Args:
            now_s: Unix time.
            besides: The item.
            sure: Count only those that no item in flight may have caused.
        """
        while self._deaths and now_s - self._deaths[0].at_s > _FORGOTTEN_S:
            self._deaths.popleft()
        under = Counter(item_id for death in self._deaths for item_id in death.suspects)
        ages_s = [
            max(0.0, now_s - death.at_s)
            for death in self._deaths
            if not death.suspects
            or (
                not sure
                and besides not in death.suspects
                and any(under[item_id] == 1 for item_id in death.suspects)
            )
        ]
        return max(
            sum(math.exp(-age_s / window_s) for age_s in ages_s) / max(1.0, worker_s)
            for window_s, worker_s in zip(_WINDOWS_S, self._worker_s, strict=True)
            if window_s == _WINDOWS_S[-1] or sum(age_s < window_s for age_s in ages_s) > 1
        )

    @property
    def watched_s(self) -> float:
        """Worker-seconds that were watched, as far as they are not forgotten."""
        return self._worker_s[-1]


def chance_of(deaths: int, expected: float) -> float:
    """Chance that so many deaths or more come about where so many are expected (Poisson)."""
    if deaths <= 0:
        return 1.0
    term, total = math.exp(-expected), 0.0
    for n in range(deaths):
        total += term
        term *= expected / (n + 1)
    return max(0.0, 1.0 - total)
