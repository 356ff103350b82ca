"""Datasets of pictures and captions, written as curation writes them; for training on CPU."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

import medpipe
from medpipe.dataset import Committer, Manifest, write_item
from medpipe.dataset.rows import Provenance
from medpipe.media.phash import perceptual_hash
from medpipe.records import Item
from medpipe.storage import ObjectStore

XYXY = tuple[float, float, float, float]

# The classes of Medical MNIST: how narrators call the picture, the part, and the domain.
MEDICAL_MNIST = {
    "AbdomenCT": (("CT", "computed tomography", "CT scan"), ("abdomen", "belly", "liver"), "ct"),
    "BreastMRI": (("MRI", "magnetic resonance image", "MR scan"), ("breast", "breasts"), "mri"),
    "CXR": (("X-ray", "radiograph", "plain film"), ("chest", "lungs", "thorax"), "xray"),
    "ChestCT": (("CT", "computed tomography", "CT scan"), ("chest", "lungs", "thorax"), "ct"),
    "Hand": (("X-ray", "radiograph", "plain film"), ("hand", "fingers", "wrist"), "xray"),
    "HeadCT": (("CT", "computed tomography", "CT scan"), ("head", "brain", "skull"), "ct"),
}
_FRAMES = (
    "let me point to the {part} on this {kind}", "here is a {kind} and we look at the {part}",
    "so on the {kind} you can see the {part}", "this {kind} was taken of the {part}",
    "notice how the {part} looks in a {kind}", "what I show you now is the {part}, a {kind}",
    "the {part} is what matters on this {kind}", "we go on with a {kind} of another {part}",
)  # fmt: skip
UNSEEN_TEMPLATES = ("a {}", "an image of {}", "medical picture showing {}", "{}, teaching file")
CLASS_NAMES = {
    name: f"{kinds[0]} of the {parts[0]}" for name, (kinds, parts, _) in MEDICAL_MNIST.items()
}


@dataclass(frozen=True, slots=True)
class Region:
    """A phrase with the box it speaks of and the pointer's path, in shares of the picture."""

    text: str
    box: XYXY
    path: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and what is said about it."""

    image: bytes
    captions: tuple[str, ...]
    domain: str
    regions: tuple[Region, ...] = ()


def write_pairs(store: ObjectStore, pairs: Iterable[Pair], *, an_item: int = 60) -> int:
    """Write pairs as items of a dataset and commit them.

    Args:
        store: Of the dataset.
        pairs: In the order of the items.
        an_item: Pairs of one item.

    Returns:
        Number of pairs.
    """
    manifests: list[Manifest] = []
    count = 0
    for number, some in enumerate(batched_pairs(pairs, an_item)):
        item_id = f"file:{hashlib.sha256(f'pairs {number}'.encode()).hexdigest()}"
        origin = Provenance(
            item=Item(id=item_id, uri="/pairs"), generation=1, config_hash="pairs",
            medpipe_version=medpipe.__version__, models={},
        )  # fmt: skip
        rows = {"samples": [_row(pair, place, origin) for place, pair in enumerate(some)]}
        manifests.append(
            write_item(
                store, rows, item_id=item_id, generation=1, config_hash="pairs", verdict="done"
            )
        )
        count += len(some)
    Committer(store).commit(manifests)
    return count


def batched_pairs(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    """Lists of `size` pairs, the last perhaps shorter."""
    some: list[Pair] = []
    for pair in pairs:
        some.append(pair)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _row(pair: Pair, index: int, origin: Provenance) -> dict[str, Any]:
    digest = hashlib.sha256(pair.image).hexdigest()
    image = cv2.imdecode(np.frombuffer(pair.image, np.uint8), cv2.IMREAD_COLOR)
    height_px, width_px = image.shape[:2]
    told = [_narration("medical", text) for text in pair.captions]
    told += [_narration("roi", r.text, r) for r in pair.regions]
    return {
        "id": f"{origin.item.id}#{index:03d}",
        "item_id": origin.item.id,
        "index": index,
        "image": {"bytes": pair.image, "path": f"{digest[:16]}.jpg"},
        "width_px": width_px,
        "height_px": height_px,
        "sha256": digest,
        "phash": f"{perceptual_hash(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)):016x}",
        "scenes": [],
        "domains": [{"domain": pair.domain, "score": 1.0}],
        "unrecovered_px": 0,
        "quality": {"contrast": 1.0, "sharpness": 1.0},
        "flags": [],
        "narrations": told,
        "siblings": [],
        "duplicate_of": None,
        "title": None,
        "channel": None,
        **origin.columns(),
    }


def _narration(kind: str, text: str, region: Region | None = None) -> dict[str, Any]:
    x, y, t_s = zip(*region.path, strict=True) if region else ((), (), ())
    box = [{"xyxy": list(region.box), "score": 1.0, "area": 0.0, "n_points": len(x),
            "method": "dwell"}] if region else []  # fmt: skip
    return {
        "kind": kind, "text": text, "raw_text": text, "start_s": 0.0, "end_s": 1.0, "scene": 0,
        "words": [], "negated": False, "deictic": False, "concepts": [], "boxes": box,
        "trace": {"t_s": list(t_s), "x": list(x), "y": list(y),
                  "confidence": [1.0] * len(x), "kind": [1] * len(x)},
    }  # fmt: skip


def narrated(label: str, random: np.random.Generator) -> str:
    """A caption of a class of Medical MNIST in a narrator's varied words."""
    kinds, parts, _ = MEDICAL_MNIST[label]
    frame = _FRAMES[int(random.integers(len(_FRAMES)))]
    kind, part = (some[int(random.integers(len(some)))] for some in (kinds, parts))
    return frame.format(kind=kind, part=part)


def medical_mnist(
    path: Path, *, held_back: bool, seed: int = 0, share: float = 1 / 3, without: Sequence[str] = ()
) -> Iterator[tuple[bytes, str]]:
    """JPEG bytes and class of one part of Medical MNIST, mixed; every third picture is held back.

    Args:
        path: The Parquet file.
        held_back: Which part.
        seed: Of the order.
        share: Of the pictures that is held back.
        without: Classes to leave out.
    """
    table = pq.read_table(path)
    labels = np.array(table["label"].to_pylist())
    images = table["image"].to_pylist()
    parts = []
    for label in sorted(set(labels) - set(without)):
        rows = np.random.default_rng(0).permutation(np.flatnonzero(labels == label))
        edge = round(len(rows) * share)
        parts.append(rows[:edge] if held_back else rows[edge:])
    for row in np.random.default_rng(seed).permutation(np.concatenate(parts)):
        yield images[row]["bytes"], str(labels[row])


def medical_mnist_pairs(
    path: Path, *, seed: int = 0, captions: int = 4, without: Sequence[str] = ()
) -> Iterator[Pair]:
    """The training part with narrators' captions."""
    random = np.random.default_rng([seed, 1])
    for image, label in medical_mnist(path, held_back=False, seed=seed, without=without):
        told = tuple(narrated(label, random) for _ in range(captions))
        yield Pair(image, told, MEDICAL_MNIST[label][2])


FINDINGS = ("disc", "ring", "cross", "bar", "wedge", "dots")
_POINTING = ("look at the {} here", "this {}", "the {} that I circle", "here you see the {}")


def region_pairs(count: int, *, seed: int = 0, side_px: int = 64) -> Iterator[Pair]:
    """Grey noisy pictures with two findings each; a phrase, a box and a pointer's path for both.

    The captions name both findings and no place: what lies where is told by the regions only.
    """
    random = np.random.default_rng([seed, 2])
    for _ in range(count):
        names = [str(name) for name in random.choice(FINDINGS, 2, replace=False)]
        canvas = random.normal(90, 12, (side_px, side_px)).astype(np.float32)
        boxes = [_draw(canvas, name, half, random) for half, name in enumerate(names)]
        ok, encoded = cv2.imencode(".jpg", np.clip(canvas, 0, 255).astype(np.uint8))
        if not ok:
            raise RuntimeError("OpenCV cannot encode JPEG")
        regions = tuple(
            Region(_said(name, random), box, _circled(box, random))
            for name, box in zip(names, boxes, strict=True)
        )
        told = f"a slide with a {names[0]} and a {names[1]}"
        yield Pair(encoded.tobytes(), (told,), "general", regions)


def _said(name: str, random: np.random.Generator) -> str:
    return _POINTING[int(random.integers(len(_POINTING)))].format(name)


def _draw(
    canvas: np.ndarray[Any, np.dtype[np.float32]], name: str, half: int, random: np.random.Generator
) -> XYXY:
    """Draw a finding in the left or the right half; returns its box."""
    side = canvas.shape[0]
    radius = int(random.integers(side // 9, side // 6))
    x = int(random.integers(radius, side // 2 - radius)) + half * (side // 2)
    y = int(random.integers(radius, side - radius))
    shade, thin = float(random.uniform(190, 250)), max(2, side // 24)
    if name == "disc":
        cv2.circle(canvas, (x, y), radius, shade, -1)
    elif name == "ring":
        cv2.circle(canvas, (x, y), radius - 1, shade, thin)
    elif name == "cross":
        cv2.line(canvas, (x - radius, y - radius), (x + radius, y + radius), shade, thin)
        cv2.line(canvas, (x - radius, y + radius), (x + radius, y - radius), shade, thin)
    elif name == "bar":
        cv2.rectangle(canvas, (x - radius, y - thin), (x + radius, y + thin), shade, -1)
    elif name == "wedge":
        corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
        cv2.fillPoly(canvas, [np.array(corners, np.int32)], shade)
    else:
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0)):
            place = x + dx * radius * 2 // 3, y + dy * radius * 2 // 3
            cv2.circle(canvas, place, thin - 1, shade, -1)
    return ((x - radius) / side, (y - radius) / side, (x + radius) / side, (y + radius) / side)


def _circled(box: XYXY, random: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """A pointer that goes round inside a box for two seconds, ten points a second."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    angles = np.linspace(0, 2 * np.pi, 20) + random.uniform(0, 6)
    dx = 0.35 * (box[2] - box[0]) * np.cos(angles) + random.normal(0, 0.01, 20)
    dy = 0.35 * (box[3] - box[1]) * np.sin(angles) + random.normal(0, 0.01, 20)
    places = np.clip(np.stack([x + dx, y + dy], axis=1), 0, 1)
    return tuple((float(px), float(py), 0.1 * n) for n, (px, py) in enumerate(places))
