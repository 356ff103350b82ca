"""The knobs of the align room. Lengths are shares of the image's width unless named otherwise."""

from typing import Literal

from pydantic import Field

from medpipe.records import Record


class GestureConfig(Record):
    """How a path is cut into stays (one place pointed at) and the strokes between them."""

    gap_s: float = Field(0.6, gt=0, description="A pointer unseen for longer ends a stay, seconds.")
    reach_s: float = Field(
        4.0, gt=0, description="How far before and after a phrase its stay may go on, seconds."
    )
    correlation_s: float = Field(
        0.5, gt=0, description="Points closer in time than this say the same thing, seconds."
    )
    stay_cost: float = Field(
        3.5, gt=0, description="Evidence (nats) that a further stay must bring to be cut off."
    )
    blur: float = Field(0.03, gt=0, lt=1, description="Smallest extent that tells places apart.")
    stroke_area: float = Field(
        1.4,
        gt=0,
        le=4,
        description="Area, as a share of the image, over which a stay is no better than being on "
        "the way; above 1 so that a circle round most of the image is still a stay.",
    )
    same_iou: float = Field(
        0.35, ge=0, le=1, description="Neighbouring stays that overlap so much are one."
    )


class BoxConfig(Record):
    """How a stay becomes a box."""

    coverage: float = Field(
        0.9, gt=0, le=1, description="Share of the stay's time inside the box, per axis."
    )
    pad: float = Field(0.01, ge=0, lt=0.5, description="Added on each side of a dwell's box.")
    point_size: float = Field(
        0.05, gt=0, le=1, description="Side of the box round a parked pointer."
    )
    loop_turn: float = Field(
        0.8, gt=0, description="Turns round its own centre that make a stay a loop."
    )
    max_area: float = Field(
        0.8, gt=0, le=1, description="A larger box (share of the image) says nothing: left out."
    )
    second_share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Share of a phrase's seen time that another place needs for a box of its own.",
    )
    max_boxes: int = Field(3, ge=1, description="Most boxes of one phrase.")


class KMeansConfig(Record):
    """The lineage's boxes, with the defaults of its code."""

    decay_per_s: float = Field(0.2, ge=0, description="Places shrink so fast towards the origin.")
    outlier_iqr: float = Field(1.5, gt=0, description="Quartile ranges that make an outlier.")
    min_area: float = Field(0.02, ge=0, le=1, description="Smaller boxes (share) are left out.")
    max_area: float = Field(0.7, gt=0, le=1, description="Larger ones are, too.")


class AlignConfig(Record):
    """How narrations are made."""

    lead_s: float = Field(
        0.4, ge=0, description="The pointer comes before its words by up to so much, seconds."
    )
    lag_s: float = Field(0.2, ge=0, description="And stays after them, seconds.")
    list_lag_s: float = Field(
        1.0,
        ge=0,
        description="The same for a sentence of several phrases, where a hand falls behind.",
    )
    list_step: float = Field(
        0.6, ge=0, description="Share of its time that a phrase gives up for a place of its own."
    )
    min_words: int = Field(
        3, ge=1, description="Words of a sentence that a second scene needs to get its own part."
    )
    min_share: float = Field(
        0.2, ge=0, le=1, description="And share of the sentence's words that it needs."
    )
    max_gap_s: float = Field(
        2.0, ge=0, description="Words so close before or after a scene still belong to it, seconds."
    )
    gesture: GestureConfig = GestureConfig()
    boxes: Literal["dwell", "kmeans"] = Field(
        "dwell",
        description="How a phrase's boxes are found: by where the pointer stayed, or, to compare "
        "with, by the clusters of Quilt-LLaVA.",
    )
    box: BoxConfig = BoxConfig()
    kmeans: KMeansConfig = KMeansConfig()
    estimate_shift: bool = Field(
        True, description="Look for one constant error of the word times and correct it?"
    )
    max_shift_s: float = Field(1.5, gt=0, le=10, description="Largest error looked for, seconds.")
