"""Tell the time of frames whose stamps may be missing, far off or begin anew."""

_SHORTEST_STEP_S = 1e-3
_JUMP_S = 1.0
_LONGEST_STEP_S = 0.2


class Clock:
    """Turns a video's stamps into times that strictly rise.

    A stamp is believed if it rises. One that leaps ahead while the next one does not is bridged;
    stamps that begin anew go on from where the video was.

    Attributes:
        step_s: From the frame before to the last one, where that was no pause.
    """

    def __init__(self, step_s: float) -> None:
        """Begin before the first frame.

        Args:
            step_s: Usual time between two frames.
        """
        self.step_s = step_s
        self._usual_s = step_s
        self._last_s = -1.0
        self._shift_s = 0.0

    def tell(self, stamp_s: float | None, next_s: float | None) -> float:
        """When a frame is shown.

        Args:
            stamp_s: Its own stamp; None where it has none.
            next_s: The stamp of the frame after it; None where there is none.

        Returns:
            Seconds, more than for the frame before.
        """
        time_s = self._told(stamp_s, next_s)
        if self._last_s >= 0 and time_s - self._last_s <= _LONGEST_STEP_S:
            self.step_s = time_s - self._last_s
        self._last_s = time_s
        return time_s

    def _told(self, stamp_s: float | None, next_s: float | None) -> float:
        last_s, due_s = self._last_s, self._last_s + self._usual_s
        if stamp_s is None:
            return max(due_s, 0.0)
        time_s = stamp_s + self._shift_s
        after_s = None if next_s is None else next_s + self._shift_s
        if last_s < 0:
            if after_s is None or after_s >= time_s:
                return time_s
            return max(after_s - self._usual_s, 0.0)
        if time_s > last_s + _JUMP_S and after_s is not None and after_s < time_s:
            return due_s
        if time_s > last_s:
            return time_s
        if after_s is not None and time_s < after_s <= last_s - self._usual_s:
            self._shift_s += due_s - time_s
            return due_s
        free = after_s is None or after_s > due_s + _SHORTEST_STEP_S
        return due_s if free else last_s + _SHORTEST_STEP_S
