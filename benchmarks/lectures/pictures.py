"""Real pictures that installed packages ship, with named regions and where they come from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.spec import Box

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One picture, or a stack of slices.

    Attributes:
        name: Key in the registry.
        package: The package whose wheel holds the file, and the file.
        licence: Licence of the picture.
        load: Slice number -> (h, w, 3) uint8.
        slices: How many slices; 1 for a still picture.
        regions: Name -> box in shares of the picture (of the middle slice of a stack).
        where: Slice number and point in shares -> where the slice shows that point, and its zoom.
    """

    name: str
    package: str
    licence: str
    load: Callable[[int], Rgb]
    slices: int = 1
    regions: dict[str, Box] = field(default_factory=dict)
    where: Callable[[int, float, float], tuple[float, float, float]] = lambda _k, x, y: (x, y, 1.0)

    def region(self, name: str, at_slice: int) -> Box:
        """Return a region's box on a slice, shares of the picture."""
        box = self.regions.get(name)
        if box is None:
            x0, y0, x1, y1 = (float(part) for part in name.split(","))
            return x0, y0, x1, y1
        x, y, zoom = self.where(at_slice, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        half_x, half_y = (box[2] - box[0]) / 2 * zoom, (box[3] - box[1]) / 2 * zoom
        return x - half_x, y - half_y, x + half_x, y + half_y


def picture(name: str) -> Picture:
    """Return the picture of a name, or of the file that it names by its path."""
    return _given(name) if Path(name).suffix else _registry()[name]


@lru_cache(maxsize=16)
def _given(path: str) -> Picture:
    rgb = np.asarray(cv2.cvtColor(_read(path), cv2.COLOR_BGR2RGB), np.uint8)
    return Picture(path, "a file that was given", "that of the file", lambda _slice: rgb)


@lru_cache(maxsize=1)
def _registry() -> dict[str, Picture]:
    return {each.name: each for each in (*_photographs(), *_dicoms())}


def _photographs() -> list[Picture]:
    """Pictures of scikit-image."""
    cc0, free = "CC0-1.0", "no known copyright restrictions"
    eye, gut = "retina.jpg", "ihc.png"
    return [
        _photograph("fundus", eye, cc0, regions=_FUNDUS),
        _photograph("fundus_disc", eye, cc0, (20, 400, 680, 960), _DISC),
        _photograph("fundus_macula", eye, cc0, (460, 380, 1160, 900)),
        _photograph("microaneurysms", "microaneurysms.png", cc0, regions=_VESSELS),
        _photograph("histology", gut, free, regions=_GLANDS),
        _photograph("histology_zoom", gut, free, (230, 280, 420, 512), _ONE_GLAND),
        _photograph("stroma", gut, free, (250, 200, 512, 400)),
        _photograph("cell", "cell.png", cc0, (120, 150, 550, 580)),
    ]


def _photograph(
    name: str,
    file: str,
    licence: str,
    crop: tuple[int, int, int, int] | None = None,
    regions: dict[str, Box] | None = None,
) -> Picture:
    package = f"scikit-image {file}" + (" (crop)" if crop else "")
    return Picture(name, package, licence, _photo(file, crop), regions=regions or {})


def _dicoms() -> list[Picture]:
    """Pictures of pydicom."""
    mit = "MIT (pydicom)"
    return [
        Picture(
            "ct_stack",
            "pydicom CT_small.dcm (one slice; the stack turns, zooms and re-windows it)",
            mit,
            _ct_slice,
            slices=CT_SLICES,
            regions=_SPINE,
            where=_ct_where,
        ),
        Picture("mr_abdomen", "pydicom examples_overlay.dcm", mit, _mr, regions=_ABDOMEN),
        Picture("head_ct", "pydicom 693_J2KI.dcm", mit, _head),
        Picture("echo", "pydicom examples_ybr_color.dcm (30 frames)", mit, _echo, slices=30),
        Picture("node", "pydicom examples_rgb_color.dcm (crop)", mit, _node),
    ]


_FUNDUS: dict[str, Box] = {
    "disc": (0.085, 0.37, 0.24, 0.57),
    "macula": (0.40, 0.39, 0.60, 0.59),
    "upper_vessels": (0.20, 0.09, 0.66, 0.36),
    "lower_vessels": (0.16, 0.62, 0.62, 0.92),
    "middle": (0.62, 0.38, 0.86, 0.62),
}
_DISC: dict[str, Box] = {
    "disc": (0.14, 0.25, 0.47, 0.70),
    "cup": (0.28, 0.36, 0.45, 0.58),
    "pigment": (0.42, 0.37, 0.48, 0.43),
    "artery": (0.44, 0.12, 0.80, 0.34),
    "lower_vein": (0.20, 0.56, 0.42, 0.98),
    "right_field": (0.56, 0.40, 0.92, 0.66),
}
_VESSELS: dict[str, Box] = {
    "upper_spot": (0.11, 0.17, 0.21, 0.27),
    "lower_spot": (0.42, 0.64, 0.54, 0.76),
    "vessel": (0.04, 0.43, 0.96, 0.56),
}
_GLANDS: dict[str, Box] = {
    "round_gland": (0.49, 0.60, 0.75, 0.98),
    "lumen": (0.55, 0.02, 0.75, 0.39),
    "stroma": (0.33, 0.44, 0.60, 0.66),
    "big_gland": (0.02, 0.04, 0.50, 0.50),
    "nucleus": (0.35, 0.66, 0.43, 0.76),
    "right_edge": (0.86, 0.06, 0.99, 0.52),
}
_ONE_GLAND: dict[str, Box] = {
    "gland": (0.10, 0.12, 0.80, 0.97),
    "centre": (0.33, 0.50, 0.55, 0.66),
    "wall": (0.10, 0.30, 0.34, 0.74),
    "outside": (0.72, 0.06, 0.98, 0.44),
}
_SPINE: dict[str, Box] = {
    "body": (0.31, 0.04, 0.63, 0.38),
    "canal": (0.365, 0.31, 0.605, 0.485),
    "spinous": (0.385, 0.47, 0.545, 0.65),
    "aorta": (0.58, 0.01, 0.87, 0.215),
    "rib": (0.02, 0.42, 0.30, 0.60),
    "lung": (0.02, 0.06, 0.26, 0.34),
}
_ABDOMEN: dict[str, Box] = {
    "lesion": (0.237, 0.33, 0.355, 0.55),
    "lesion_core": (0.262, 0.37, 0.328, 0.47),
    "right_kidney": (0.24, 0.63, 0.385, 0.84),
    "left_kidney": (0.60, 0.655, 0.735, 0.845),
    "aorta": (0.493, 0.505, 0.56, 0.615),
    "spleen": (0.74, 0.39, 0.845, 0.78),
    "liver": (0.105, 0.29, 0.36, 0.65),
}
CT_SLICES = 17


def _photo(name: str, crop: tuple[int, int, int, int] | None = None) -> Callable[[int], Rgb]:
    """Return a loader of a file of scikit-image, cropped to (x0, y0, x1, y1) pixels."""

    @lru_cache(maxsize=1)
    def load(_slice: int) -> Rgb:
        path = str(files("skimage") / "data" / name)
        rgb = np.asarray(cv2.cvtColor(_read(path), cv2.COLOR_BGR2RGB), np.uint8)
        x0, y0, x1, y1 = crop or (0, 0, rgb.shape[1], rgb.shape[0])
        return rgb[y0:y1, x0:x1]

    return load


def _read(path: str) -> Rgb:
    bgr = cv2.imread(path, cv2.IMREAD_COLOR)
    if bgr is None:
        raise FileNotFoundError(path)
    return np.asarray(bgr, np.uint8)


@lru_cache(maxsize=8)
def _pixels(name: str) -> NDArray[np.float32]:
    """Return the pixel values of a DICOM file that pydicom ships."""
    import pydicom

    path = files("pydicom") / "data" / "test_files" / name
    return np.asarray(pydicom.dcmread(str(path)).pixel_array, np.float32)


def _windowed(values: NDArray[np.float32], low: float, high: float) -> Rgb:
    """Map values to grey; all from `high` on are white."""
    grey = np.clip((values - low) / (high - low), 0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def _ct_turn(at_slice: int) -> tuple[float, float, float, float, float]:
    """Return turn in degrees, zoom, shift right, shift down, and place -1..1 of a slice."""
    place = 2 * at_slice / (CT_SLICES - 1) - 1
    return 5.0 * place, 1 + 0.10 * place, 0.02 * place, 0.015 * (1 - place * place), place


def _ct_where(at_slice: int, x: float, y: float) -> tuple[float, float, float]:
    turn, zoom, right, down, _ = _ct_turn(at_slice)
    cos, sin = np.cos(np.radians(turn)) * zoom, np.sin(np.radians(turn)) * zoom
    dx, dy = x - 0.48, y - 0.42
    return 0.48 + cos * dx - sin * dy + right, 0.42 + sin * dx + cos * dy + down, zoom


def _ct_slice(at_slice: int) -> Rgb:
    """Return one made-up slice: the real one turned, zoomed, and shown in another window."""
    side = 640
    turn, zoom, right, down, place = _ct_turn(at_slice)
    big = cv2.resize(_pixels("CT_small.dcm"), (side, side), interpolation=cv2.INTER_CUBIC)
    matrix = cv2.getRotationMatrix2D((0.48 * side, 0.42 * side), -turn, zoom)
    matrix[:, 2] += np.array([right * side, down * side])
    moved = cv2.warpAffine(big, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=1)
    soft = cv2.GaussianBlur(moved, (0, 0), 3.0)
    mixed = moved + 0.35 * place * (moved - soft)
    return _windowed(np.asarray(mixed, np.float32), 260 - 120 * place, 1750 + 260 * place)


def _mr(_slice: int) -> Rgb:
    values = _pixels("examples_overlay.dcm")
    return _windowed(values, 20, float(np.percentile(values, 99.3)))


def _head(_slice: int) -> Rgb:
    return _windowed(_pixels("693_J2KI.dcm")[60:500, 60:452], -200, 2400)


def _echo(at_slice: int) -> Rgb:
    """Return a frame of the cine without the words burned in round it."""
    frame = _pixels("examples_ybr_color.dcm")[at_slice, 18:208, 90:240].astype(np.uint8)
    return np.repeat(frame.max(axis=2)[..., None], 3, axis=2)


def _node(_slice: int) -> Rgb:
    return _pixels("examples_rgb_color.dcm")[72:150, 40:275].astype(np.uint8)
