"""Chooses the stretches of a video in which something was pointed at. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from medpipe.records import Narration
from medpipe.stages.clips.config import ClipConfig


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A stretch of one scene with the phrases that were pointed at in it.

    Attributes:
        start_s: Seconds from the video's start.
        end_s: Same clock.
        phrases: In order of time, at least one.
    """

    start_s: float
    end_s: float
    phrases: tuple[Narration, ...]

    @property
    def scene(self) -> int:
        """Index of the scene."""
        return self.phrases[0].scene

    @property
    def worth(self) -> float:
        """The sum of its phrases' best scores."""
        return sum(phrase.boxes[0].score for phrase in self.phrases)


def events_of(
    narrations: Sequence[Narration], duration_s: float, config: ClipConfig
) -> list[Event]:
    """Find what clips are to show.

    Args:
        narrations: Of the video, in any order.
        duration_s: Of the video.
        config: Lengths and numbers.

    Returns:
        Events in order of time; none for what is said not to be there. Phrases of one scene share
        an event as long as their paddings meet and it does not grow too long; of too many events
        those that are worth most are kept.
    """
    pointed = [n for n in narrations if n.kind == "roi" and n.boxes and not n.negated]
    groups: list[list[Narration]] = []
    for phrase in sorted(pointed, key=lambda n: (n.start_s, n.end_s)):
        if groups and _joins(groups[-1], phrase, config):
            groups[-1].append(phrase)
        else:
            groups.append([phrase])
    events = [_event(group, duration_s, config) for group in groups]
    kept = sorted(events, key=lambda event: -event.worth)[: config.max_per_item]
    return sorted(kept, key=lambda event: event.start_s)


def _joins(group: Sequence[Narration], phrase: Narration, config: ClipConfig) -> bool:
    end_s = max(n.end_s for n in group)
    length_s = max(end_s, phrase.end_s) - group[0].start_s + 2 * config.pad_s
    near = phrase.start_s - end_s <= 2 * config.pad_s
    return near and length_s <= config.max_s and phrase.scene == group[0].scene


def _event(group: Sequence[Narration], duration_s: float, config: ClipConfig) -> Event:
    start_s = group[0].start_s - config.pad_s
    end_s = max(n.end_s for n in group) + config.pad_s
    length_s = min(max(end_s - start_s, config.min_s), config.max_s)
    middle_s = (start_s + end_s) / 2
    start_s = min(max(middle_s - length_s / 2, 0.0), max(duration_s - length_s, 0.0))
    return Event(start_s, min(start_s + length_s, duration_s), tuple(group))


def said_between(narrations: Sequence[Narration], start_s: float, end_s: float) -> str:
    """The words of the sentences that are said in a stretch, as heard.

    Args:
        narrations: Of the video.
        start_s: Seconds from the video's start.
        end_s: Same clock.
    """
    words = {
        (word.start_s, word.end_s, word.text)
        for narration in narrations
        if narration.kind == "medical"
        for word in narration.words
        if start_s <= (word.start_s + word.end_s) / 2 < end_s
    }
    return " ".join(text for _, _, text in sorted(words))
