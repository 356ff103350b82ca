"""The knobs of the clips room."""

from pydantic import Field, model_validator

from medpipe.records import Record


class ClipConfig(Record):
    """Which stretches of a video become clips, and how they are cut."""

    enabled: bool = Field(
        False, description="Cut clips? Files then stay on their workers until the rows are written."
    )
    pad_s: float = Field(1.0, ge=0, description="Shown before and after the phrases, seconds.")
    min_s: float = Field(3.0, gt=0, description="Shortest clip, seconds.")
    max_s: float = Field(20.0, gt=0, description="Longest clip before `slack_s`, seconds.")
    max_per_item: int = Field(50, ge=1, description="Most clips of a video; the surest are kept.")
    slack_s: float = Field(
        5.0,
        ge=0,
        description="A clip may start so much earlier to begin with a key frame: its packets are "
        "then copied, which costs nothing. 0: all are encoded, exact to the frame.",
    )
    crf: int = Field(23, ge=0, le=51, description="Quality of encoded clips, as x264 counts.")

    @model_validator(mode="after")
    def _lengths_are_in_order(self) -> "ClipConfig":
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s} is over max_s {self.max_s}")
        return self
