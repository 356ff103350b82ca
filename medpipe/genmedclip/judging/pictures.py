"""Decodes the pictures of test sets, which come from strangers, within stated limits."""

import base64
import io

import cv2
import numpy as np
from PIL import Image as Header
from PIL import UnidentifiedImageError

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.contract import Doubles, Image
from medpipe.media.phash import perceptual_hash

MAX_ENCODED_BYTES = 64 << 20
MAX_PIXELS = 80_000_000
# Far above any CLIP's input; a batch of gigapixel scans must not fill the memory.
WORK_PX = 1024
# Turned by no EXIF tag: boxes and the field's other tools take the pixels as they are.
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def decode(picture: bytes | Image) -> Image:
    """Decode to (h, w, 3) uint8 RGB.

    Raises:
        Rejected: It is no picture, or larger than the limits.
    """
    if isinstance(picture, bytes):
        size_px(picture)
        bgr = cv2.imdecode(np.frombuffer(picture, np.uint8), _AS_STORED)
        if bgr is None:
            raise Rejected("broken_image", "OpenCV cannot decode it")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise Rejected("broken_image", f"no picture: {picture.shape} {picture.dtype}")
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def size_px(data: bytes) -> tuple[int, int]:
    """(width, height) of an encoded picture, from its header alone.

    Raises:
        Rejected: It is no picture, or would unpack to more than the limits.
    """
    if len(data) > MAX_ENCODED_BYTES:
        raise Rejected("image_too_large", f"{len(data)} bytes, at most {MAX_ENCODED_BYTES}")
    try:
        with Header.open(io.BytesIO(data)) as header:
            width, height = header.size
    except (Header.DecompressionBombError, Header.DecompressionBombWarning) as error:
        raise Rejected("image_too_large", str(error)) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Rejected("broken_image", "its first bytes are no picture's") from error
    if width * height > MAX_PIXELS:
        raise Rejected("image_too_large", f"{width} x {height}, at most {MAX_PIXELS} pixels")
    return width, height


def within(rgb: Image, most_px: int) -> Image:
    """The picture, made smaller if its longer side is above a limit."""
    longest = max(rgb.shape[:2])
    if longest <= most_px:
        return rgb
    height, width = (max(1, round(side * most_px / longest)) for side in rgb.shape[:2])
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def hashes(rgb: Image) -> tuple[int, int]:
    """Perceptual hashes of a picture and of its mirror image."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    # The hash starts from this size: shrinking once serves both.
    small = np.asarray(cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA), np.uint8)
    return perceptual_hash(small), perceptual_hash(np.ascontiguousarray(small[:, ::-1]))


def overlay(rgb: Image, heat: Doubles) -> Image:
    """A picture with a heat map over it; cold places stay as they are."""
    height, width = rgb.shape[:2]
    low, high = float(heat.min()), float(heat.max())
    share = (heat - low) / (high - low) if high > low else np.zeros_like(heat)
    share = np.clip(cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    painted = cv2.applyColorMap(np.asarray(share * 255, np.uint8), cv2.COLORMAP_INFERNO)
    weight = 0.65 * share[..., None]
    mixed = rgb * (1 - weight) + painted[..., ::-1] * weight
    return np.asarray(mixed, np.uint8)


def jpeg(rgb: Image, most_px: int, quality: int = 85) -> bytes:
    """JPEG of a picture whose longer side is at most so many pixels."""
    bgr = np.ascontiguousarray(within(rgb, most_px)[..., ::-1])
    ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError("OpenCV could not encode the picture")
    return bytes(data.tobytes())


def data_url(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
