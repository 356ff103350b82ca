"""The knobs of the extract room."""

from pydantic import Field

from medpipe.records import Record


class ExtractConfig(Record):
    """How frames become scenes, clean images and a pointer trace."""

    threads: int = Field(1, ge=1, le=64, description="Decoder threads.")
    work_width_px: int = Field(
        640, ge=160, le=1920, description="Widest luma, pixels, on which pointers are looked for."
    )
    samples_per_s: float = Field(
        12.5,
        ge=10,
        le=60,
        description="Most frames looked at in a second; the rest is decoded only.",
    )
    min_scene_s: float = Field(
        1.0, gt=0, le=60, description="Seconds a picture must rest to become a scene."
    )
    max_chunk_s: float = Field(
        45.0, ge=5, le=600, description="Seconds that are kept to look back over."
    )
    max_chunk_mb: int = Field(
        96,
        ge=16,
        le=4096,
        description="Megabytes of changed pixels that are kept to look back over.",
    )
    max_keeper_mb: int = Field(
        112,
        ge=32,
        le=8192,
        description="Megabytes of whole frames that are held to become clean images.",
    )
    keepers_per_scene: int = Field(
        6, ge=2, le=32, description="Most whole frames kept of a scene to build its clean image."
    )
    change_level: int = Field(
        16, ge=4, le=128, description="Grey levels by which a quiet pixel must change to count."
    )
    min_confidence: float = Field(
        0.2, ge=0, le=1, description="Points below this confidence are left out."
    )
