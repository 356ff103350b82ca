"""Every kind of clip that a lecture may be, each drawn by lot within what its kind allows."""

from collections.abc import Callable

import numpy as np

from benchmarks.tracing.spec import ClipSpec, Form, Pointer

# The extractor may be looked at and tuned on the first; figures are taken on the second.
DEV_SEEDS = tuple(range(1, 100))
HELD_SEEDS = tuple(range(900, 1000))

_STILL = ("fundus", "histology", "head_ct", "mr_abdomen", "cell", "fundus_disc", "stroma", "node")
_GREY = ("head_ct", "mr_abdomen", "cell")
_COMMON = ((1280, 720), (1280, 720), (854, 480), (640, 360), (1920, 1080))

Lot = np.random.Generator


def _some(rng: Lot, names: tuple[str, ...] = _STILL, count: int = 3) -> tuple[str, ...]:
    return tuple(str(n) for n in rng.permutation(names)[:count])


def _form(rng: Lot, **given: object) -> Form:
    """A common form: H.264 at a usual size; often recorded larger and scaled."""
    wide, tall = _COMMON[int(rng.integers(len(_COMMON)))]
    values: dict[str, object] = {
        "width_px": wide,
        "height_px": tall,
        "fps": int(rng.choice([15, 25, 25, 30, 30])),
        "crf": int(rng.integers(23, 35)),
    }
    if tall < 720:
        values["recorded_px"] = (1280, 720)
    return Form(**{**values, **given})  # type: ignore[arg-type]


def _pointer(rng: Lot, shape: str = "arrow", **given: object) -> Pointer:
    """A pointer as some system draws it."""
    fills = {"cross": ("white", "black", "yellow"), "ibeam": ("black", "white")}
    values: dict[str, object] = {
        "shape": shape,
        "fill": str(rng.choice(fills.get(shape, ("white", "white", "black", "black", "yellow")))),
        "size_px": round(float(rng.uniform(18, 44)), 1),
        "make": int(rng.integers(1000)),
    }
    if shape == "ibeam":
        values["size_px"] = round(float(rng.uniform(16, 28)), 1)
    if shape in {"laser", "pen"}:
        values["fill"] = str(
            rng.choice(["red", "red", "green"] if shape == "laser" else ["red", "yellow", "blue"])
        )
        values["size_px"] = round(
            float(rng.uniform(9, 22) if shape == "laser" else rng.uniform(5, 12)), 1
        )
    if shape in {"halo", "spotlight", "magnifier"}:
        values["fill"] = "yellow"
        low, high = {"halo": (50, 100), "spotlight": (150, 320), "magnifier": (110, 220)}[shape]
        values["size_px"] = round(float(rng.uniform(low, high)), 1)
    return Pointer(**{**values, **given})  # type: ignore[arg-type]


def _plain(
    scene: str, shape: str = "arrow", **given: object
) -> Callable[[str, int, Lot], ClipSpec]:
    """A kind that is a scene and a pointer in a common form."""

    def draw(kind: str, seed: int, rng: Lot) -> ClipSpec:
        names = _some(rng, _GREY if scene == "mr_stack" else _STILL)
        values: dict[str, object] = {
            "pointer": _pointer(rng, shape),
            "form": _form(rng),
            "pictures": names,
            **given,
        }
        return ClipSpec(kind, seed, scene, **values)  # type: ignore[arg-type]

    return draw


def _sized(
    pointer: dict[str, object], form: dict[str, object], scene: str = "cuts", **given: object
) -> Callable[[str, int, Lot], ClipSpec]:
    """A kind whose pointer or form is fixed in part."""

    def draw(kind: str, seed: int, rng: Lot) -> ClipSpec:
        return ClipSpec(
            kind,
            seed,
            scene,
            pointer=_pointer(rng, **pointer),  # type: ignore[arg-type]
            form=_form(rng, **form),
            pictures=_some(rng),
            **given,  # type: ignore[arg-type]
        )

    return draw


def _two(kind: str, seed: int, rng: Lot) -> ClipSpec:
    return ClipSpec(
        kind,
        seed,
        "cuts",
        pointer=_pointer(rng, str(rng.choice(["laser", "arrow"]))),
        form=_form(rng),
        pictures=_some(rng),
        second=_pointer(rng, "arrow"),
    )


def _typing(kind: str, seed: int, rng: Lot) -> ClipSpec:
    fill = str(rng.choice(["invert", "black"]))
    pointer = _pointer(rng, "ibeam", fill=fill)
    return ClipSpec(
        kind, seed, "typing", pointer, "typing", _form(rng), seconds=15.0, pictures=_some(rng)
    )


def _radiographs(scene: str) -> Callable[[str, int, Lot], ClipSpec]:
    """A kind with radiographs of the shared data: `pages.available` says whether they are there."""

    def draw(kind: str, seed: int, rng: Lot) -> ClipSpec:
        names = tuple(f"vqa:{n}" for n in rng.integers(200, size=3))
        return ClipSpec(kind, seed, scene, _pointer(rng), "lecture", _form(rng), pictures=names)

    return draw


_HD = {"width_px": 1280, "height_px": 720, "recorded_px": None}

KINDS: dict[str, Callable[[str, int, Lot], ClipSpec]] = {
    # Pointers
    "arrow_white": _sized({"fill": "white"}, {}),
    "arrow_black": _sized({"fill": "black"}, {}),
    "arrow_small": _sized({"size_px": 16.0}, _HD),
    "arrow_large": _sized({"size_px": 72.0}, _HD),
    "arrow_clear": _sized({"fill": "clear", "size_px": 21.0}, {}),
    "hand": _plain("cuts", "hand"),
    "grab": _plain("zoom", "grab"),
    "ring": _sized({"shape": "ring", "fill": "white", "size_px": 26.0}, {}),
    "cross": _plain("cuts", "cross"),
    "ibeam": _plain("cuts", "ibeam"),
    "laser": _plain("cuts", "laser"),
    "halo": _plain("cuts", "halo"),
    "spotlight": _plain("cuts", "spotlight"),
    "magnifier": _plain("cuts", "magnifier"),
    "pen": _plain("slide", "pen", manner="draw", seconds=14.0),
    "two_pointers": _two,
    # Manners
    "parked": _plain("slide", manner="park", seconds=14.0),
    "parked_minute": _plain("slide", manner="park", seconds=66.0),
    "never_moves": _plain("cuts", manner="never_moves"),
    "leaving": _plain("cuts", manner="leave", seconds=14.0),
    "typing": _typing,
    "flick": _plain("slide", manner="flick"),
    "no_pointer": _plain("fades", pointer=None),
    # Scenes
    "fades": _plain("fades"),
    "bullets": _plain("bullets", seconds=14.0),
    "scrolling": _plain("scrolling", seconds=14.0),
    "ct_stack": _plain("ct_stack", seconds=14.0),
    "mr_stack": _plain("mr_stack", seconds=14.0),
    "zoom": _plain("zoom", seconds=14.0),
    "ultrasound": _plain("ultrasound"),
    "endoscopy": _plain("endoscopy"),
    "endoscopy_no_pointer": _plain("endoscopy", pointer=None),
    "webcam": _plain("cuts", extras=("webcam",)),
    "webcam_still": _plain("fades", extras=("webcam_still",)),
    "webcam_no_pointer": _plain("cuts", pointer=None, extras=("webcam", "clock")),
    "camera": _plain("slide", extras=("camera",), manner="calm", seconds=14.0),
    "watermark": _plain("cuts", extras=("watermark", "clock")),
    "hover": _plain("cuts", extras=("hover", "clock")),
    "radiographs": _radiographs("cuts"),
    "radiograph_zoom": _radiographs("zoom"),
    # Forms
    "letterbox": _sized({}, {**_HD, "bar_px": 60}),
    "p144": _sized({}, {"width_px": 256, "height_px": 144, "recorded_px": (1280, 720)}),
    "p360": _sized({}, {"width_px": 640, "height_px": 360, "recorded_px": (1280, 720)}),
    "p1080": _sized({}, {"width_px": 1920, "height_px": 1080, "recorded_px": None}),
    "p2160": _sized(
        {"size_px": 64.0},
        {"width_px": 3840, "height_px": 2160, "recorded_px": None, "fps": 24},
        seconds=6.0,
    ),
    "fps5": _sized({}, {**_HD, "fps": 5}, seconds=16.0),
    "fps60": _sized({}, {**_HD, "fps": 60}, seconds=8.0),
    "variable_rate": _sized({}, {**_HD, "variable": True, "container": "mkv"}),
    "vp9": _sized({}, {**_HD, "codec": "vp9", "crf": 36, "container": "webm"}),
    "av1": _sized({}, {**_HD, "codec": "av1", "crf": 38, "container": "mkv"}),
    "hevc": _sized({}, {**_HD, "codec": "hevc", "crf": 28}),
    "crf40": _sized({}, {**_HD, "crf": 40}),
    "rotated": _sized({}, {**_HD, "rotation_deg": 90}),
    "anamorphic": _sized({}, {**_HD, "width_px": 960, "pixel_aspect": (4, 3)}),
    "interlaced": _sized({}, {**_HD, "interlaced": True, "fps": 25}),
    "interlaced_mpeg2": _sized(
        {},
        {"width_px": 720, "height_px": 576, "recorded_px": None, "pixel_aspect": (16, 15),
         "interlaced": True, "fps": 25, "codec": "mpeg2", "crf": 5, "container": "ts"},
    ),
    "ten_bit": _sized({}, {**_HD, "ten_bit": True}),
    "alpha": _sized({}, {**_HD, "codec": "vp9", "crf": 34, "container": "webm", "alpha": True}),
    "broken_stamps": _sized({}, {**_HD, "stamps": "broken", "container": "mkv"}),
    "late_start": _sized({}, {**_HD, "start_s": 7.3, "container": "ts"}),
}  # fmt: skip


def clip(kind: str, seed: int, **changed: object) -> ClipSpec:
    """Return a clip of a kind.

    Args:
        kind: Key of `KINDS`.
        seed: Of `DEV_SEEDS` while one tunes, of `HELD_SEEDS` when figures are taken.
        changed: Fields of `ClipSpec` to set otherwise, as `seconds`.
    """
    number = sum(ord(c) * (k + 1) for k, c in enumerate(kind))
    drawn = KINDS[kind](kind, seed, np.random.default_rng([seed, number]))
    return ClipSpec(**{**vars(drawn), **changed})  # type: ignore[arg-type]
