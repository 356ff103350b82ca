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
        "phash": digest[:16],
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
