"""The knobs of the refine room."""

from pydantic import Field

from medpipe.records import Record


class RefineConfig(Record):
    """How words become sentences and phrases."""

    pause_s: float = Field(
        1.2, gt=0, description="A longer silence ends a sentence without punctuation, seconds."
    )
    max_words: int = Field(
        60, ge=8, description="A longer run is cut at its longest pause: speech without stops."
    )
    max_phrase_words: int = Field(9, ge=1, description="A longer noun phrase is cut to its head.")
    drop_chatter: bool = Field(
        True, description="Leave out small talk, advertising, quiz questions and housekeeping?"
    )
