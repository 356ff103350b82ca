"""Encodes a clean image once, in the format that the dataset keeps for good."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medpipe.records import Record


class ImageConfig(Record):
    """Format of the stored images; chosen by measured PSNR and size (docs/decisions)."""

    format: Literal["jpeg", "png"] = Field("jpeg", description="jpeg (4:4:4) or lossless png.")
    quality: int = Field(95, ge=50, le=100, description="JPEG quality; unused for png.")

    @property
    def suffix(self) -> str:
        """File suffix without a dot."""
        return {"jpeg": "jpg", "png": "png"}[self.format]


def encode_image(bgr: NDArray[np.uint8], config: ImageConfig) -> bytes:
    """Encode an image.

    Args:
        bgr: (h, w, 3) uint8, blue first.
        config: Format and quality.

    Raises:
        ValueError: The array is no such image.
    """
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8:
        raise ValueError(f"image must be (h, w, 3) uint8, got {bgr.shape} {bgr.dtype}")
    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
        "jpeg": [
            cv2.IMWRITE_JPEG_QUALITY,
            config.quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
    }[config.format]
    ok, data = cv2.imencode(f".{config.suffix}", bgr, options)
    if not ok:
        raise ValueError("OpenCV could not encode the image")
    return data.tobytes()


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode to (h, w, 3) uint8, blue first.

    Raises:
        ValueError: The bytes are no image.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("bytes hold no image that OpenCV can decode")
    return np.asarray(image, np.uint8)
