"""The knobs of the classify room."""

from typing import Literal

from pydantic import Field

from medpipe.records import Record, Share


class ClassifyConfig(Record):
    """When an image is no image, when two are one, and what may not be seen in it."""

    min_contrast: float = Field(
        4.0, ge=0, description="Standard deviation of luma below which an image is blank, 0..255."
    )
    same_hash_bits: int = Field(
        3, ge=0, le=64, description="Most perceptual-hash bits in which equal images may differ."
    )
    same_mean_difference: float = Field(
        2.0, ge=0, description="And their mean luma difference on a 64 x 64 thumbnail, 0..255."
    )
    parts: bool = Field(
        True,
        description="Cut pictures out of slides, windows and compound figures: samples of their "
        "own beside the whole image.",
    )
    min_part_px: int = Field(96, ge=16, description="Shortest side of a part, pixels.")
    max_parts: int = Field(24, ge=1, description="Most parts of an image, in reading order.")
    whole_share: float = Field(
        0.92,
        gt=0,
        le=1,
        description="A single picture that fills more of the image than this is the image.",
    )
    identifiers: Literal["mask", "blur", "reject", "keep"] = Field(
        "mask",
        description="What to do with names, numbers, dates and addresses of people burned into an "
        "image: fill them, blur them, drop the image, or keep it unread.",
    )
    text_long_sides_px: tuple[int, ...] = Field(
        (1280, 640),
        min_length=1,
        description="Sizes at which an image is read; larger finds smaller letters, at more CPU.",
    )
    min_text_score: Share = Field(0.5, description="Least score of a line that is read.")
