"""Size and PSNR of the image formats the dataset could keep, on the true clean images.

python -m benchmarks.images
"""

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from medpipe.demo.judge import bundled_lectures
from medpipe.demo.score import psnr_db

_444 = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
FORMATS: dict[str, tuple[str, list[int]]] = {
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 6]),
    "jpeg 85": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85, *_444]),
    "jpeg 90": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90, *_444]),
    "jpeg 95": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95, *_444]),
    "jpeg 98": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 98, *_444]),
    "webp 90": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
    "webp 100": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 100]),
}


def main() -> None:
    """Print one line a format, ratios against PNG."""
    images = [cv2.imread(str(path)) for path in _images()]
    png = None
    print(f"{len(images)} images; size, encode and decode as shares of PNG's")
    for name, (suffix, options) in FORMATS.items():
        encode_s = decode_s = 0.0
        size, psnr = 0, []
        for image in images:
            start_s = time.process_time()
            data = cv2.imencode(suffix, image, options)[1]
            middle_s = time.process_time()
            back = cv2.imdecode(data, cv2.IMREAD_COLOR)
            decode_s += time.process_time() - middle_s
            encode_s += middle_s - start_s
            size += len(data)
            psnr.append(psnr_db(image, np.asarray(back, np.uint8)))
        png = png or (size, encode_s, decode_s)
        print(
            f"{name:9s} size {size / png[0]:5.2f}  encode {encode_s / png[1]:5.2f}  "
            f"decode {decode_s / png[2]:5.2f}  PSNR min {min(psnr):5.1f} dB"
        )


def _images() -> Iterator[Path]:
    for video in bundled_lectures():
        yield from sorted(video.parent.glob(f"{video.stem}*.png"))


if __name__ == "__main__":
    main()
