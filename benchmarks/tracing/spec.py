"""What a clip is made of: a scene, a pointer, how the hand moves it, how it is coded."""

from dataclasses import dataclass, field

Xy = tuple[float, float]


@dataclass(frozen=True)
class Pointer:
    """What a pointer looks like.

    Attributes:
        shape: arrow, hand, grab (an open hand; its middle points), cross, ibeam, ring (a brush's
            circle), laser, halo (an arrow in a coloured disc), spotlight (all but a disc is
            darkened), magnifier or pen (leaves ink while it is down).
        fill: white, black, yellow, red, green or blue; `clear` lets half of what is below through
            inside a white rim; `invert` for cross and ibeam.
        size_px: Height of the shape in the recording; of halo, spotlight and magnifier the
            diameter of the disc.
        make: Which outline, rim, shadow and smoothing: as different systems draw them.
        strength: Share of its opacity; below 1 it is fainter than any system draws it.
    """

    shape: str = "arrow"
    fill: str = "white"
    size_px: float = 24.0
    make: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class Form:
    """How a clip is coded.

    Attributes:
        width_px: Of the coded frame, even.
        height_px: Of the coded frame, even.
        fps: Frames a second (of a variable rate: the highest).
        codec: h264, hevc, vp9, av1 or mpeg2.
        crf: Rate factor on the codec's own scale; of mpeg2 the quantiser.
        recorded_px: Width and height of the recorded screen, scaled to the frame afterwards;
            None for the frame's own.
        container: mp4, webm, mkv or ts.
        variable: Frames that change little are left out and the stamps jitter.
        rotation_deg: 0, 90, 180 or 270: how a player turns the coded frame, clockwise.
        pixel_aspect: Width of a pixel over its height.
        interlaced: Two fields a frame, the lower one half a frame later.
        ten_bit: Ten bits a sample.
        alpha: With a plane of opacity (vp9 only).
        stamps: clean, or broken: some frames carry stamps that are wrong or run backwards.
        start_s: Stamp of the first frame.
        bar_px: Height of a black bar above and below, in the coded frame.
    """

    width_px: int = 1280
    height_px: int = 720
    fps: int = 25
    codec: str = "h264"
    crf: int = 28
    recorded_px: tuple[int, int] | None = None
    container: str = "mp4"
    variable: bool = False
    rotation_deg: int = 0
    pixel_aspect: tuple[int, int] = (1, 1)
    interlaced: bool = False
    ten_bit: bool = False
    alpha: bool = False
    stamps: str = "clean"
    start_s: float = 0.0
    bar_px: int = 0


@dataclass(frozen=True)
class ClipSpec:
    """A clip, fully determined.

    Attributes:
        kind: Key in the catalogue.
        seed: Source of all that is drawn by lot.
        scene: Name of what is shown (see `scenes`).
        pointer: What points, None for nothing.
        manner: How the hand moves it (see `hand`).
        form: How it is coded.
        seconds: Length.
        pictures: Names of pictures, used in turn.
        second: Another pointer, parked or moving on its own.
        extras: Of webcam, webcam_still, watermark, clock, hover, camera.
    """

    kind: str
    seed: int
    scene: str
    pointer: Pointer | None = field(default_factory=Pointer)
    manner: str = "lecture"
    form: Form = field(default_factory=Form)
    seconds: float = 10.0
    pictures: tuple[str, ...] = ("fundus",)
    second: Pointer | None = None
    extras: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name without ending."""
        return f"{self.kind}-{self.seed}"

    @property
    def lot(self) -> int:
        """Seed of all that is drawn within the clip; another one for another kind."""
        return self.seed + 1000 * sum(ord(c) * (k + 1) for k, c in enumerate(self.kind))

    @property
    def screen_px(self) -> tuple[int, int]:
        """Width and height of the recorded screen, upright and with square pixels."""
        if self.form.recorded_px is not None:
            return self.form.recorded_px
        wide, tall = self.form.width_px, self.form.height_px - 2 * self.form.bar_px
        wide = round(wide * self.form.pixel_aspect[0] / self.form.pixel_aspect[1]) & ~1
        return (tall, wide) if self.form.rotation_deg % 180 else (wide, tall)
