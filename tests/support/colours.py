"""A model that is small, deterministic and right: it knows six colours by sight and by name."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (40, 60, 220),
    "yellow": (230, 220, 40),
    "black": (10, 10, 10),
    "white": (245, 245, 245),
}
_RGB = np.array(list(COLOURS.values()), np.float32)
_HASHED = 10
_CELLS = 8


def painted(
    colour: str, seed: int = 0, *, height: int = 40, width: int = 48, share: float = 0.8
) -> NDArray[np.uint8]:
    """A noisy picture of which a share has one colour, at a random place; the rest is mixed."""
    random = np.random.default_rng(seed)
    image = random.choice(_RGB, (height, width)).astype(np.float32)
    h, w = round(height * share**0.5), round(width * share**0.5)
    y, x = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
    image[y : y + h, x : x + w] = COLOURS[colour]
    return np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def spotted(colour: str, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """A white picture, 96 x 96, with one coloured box."""
    image = np.full((96, 96, 3), 245, np.uint8)
    x0, y0, x1, y1 = (round(v * 96) for v in box)
    image[y0:y1, x0:x1] = COLOURS[colour]
    return image


class ColourModel:
    """Embeds pictures by their shares of colours and texts by their colour words.

    Other words move a text a little, each in a direction of its own.
    """

    logit_scale = 20.0

    def __init__(self, name: str = "colours", *, swap: bool = False, noise: float = 0.05) -> None:
        self.name, self._noise = name, noise
        self._order = np.roll(np.arange(len(COLOURS)), 1) if swap else np.arange(len(COLOURS))
        self.fingerprint = hashlib.sha256(f"{name} {swap} {noise}".encode()).hexdigest()
        self.images_seen = 0
        self.texts_seen = 0
        self.most_at_once = 0

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.images_seen += len(images)
        self.most_at_once = max(self.most_at_once, len(images))
        shares = np.stack([_shares(image).mean(axis=(0, 1)) for image in images])
        return _unit(np.pad(shares, ((0, 0), (0, _HASHED))))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts_seen += len(texts)
        return _unit(np.stack([self._text(text) for text in texts]))

    def heat_maps(
        self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        words = self.embed_texts(texts)[:, : len(COLOURS)]
        return [
            _shares(cv2.resize(image, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)) @ word
            for image, word in zip(images, words, strict=True)
        ]

    def _text(self, text: str) -> NDArray[np.float32]:
        vector = np.full(len(COLOURS) + _HASHED, 1e-3, np.float32)
        names = list(COLOURS)
        for word in text.lower().replace(".", " ").replace(",", " ").split():
            if word in COLOURS:
                vector[self._order[names.index(word)]] += 1
            else:
                digest = hashlib.sha256(word.encode()).digest()
                vector[len(COLOURS) + digest[0] % _HASHED] += self._noise
        return vector


class ConstantModel(ColourModel):
    """Sees and reads nothing: every picture and every text is the same to it."""

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.tile(_unit(np.ones((1, 16), np.float32)), (len(images), 1))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(_unit(np.ones((1, 16), np.float32)), (len(texts), 1))

    def heat_maps(
        self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        return [np.zeros((7, 7), np.float32) for _ in images]


def _shares(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, colours): how near each pixel is to each colour, 0 to 1."""
    away = np.linalg.norm(image[:, :, None].astype(np.float32) - _RGB, axis=-1)
    return np.asarray(np.exp(-((away / 60) ** 2)), np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), np.float32)
