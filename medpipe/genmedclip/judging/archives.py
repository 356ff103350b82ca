"""Reads test sets that are archives, streaming and within limits: MedMNIST's .npz, WebDataset."""

import json
import math
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any, cast

import numpy as np

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.contract import Example
from medpipe.genmedclip.judging.pictures import MAX_ENCODED_BYTES, MAX_PIXELS, SUFFIXES
from medpipe.genmedclip.judging.places import Place
from medpipe.genmedclip.judging.registry import DatasetSpec
from medpipe.genmedclip.judging.rows import Dropped, found_labels

_MAX_NOTE_BYTES = 1 << 20
# What zipfile and numpy's reader of headers say of damaged or encrypted files.
_TORN = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, EOFError, ValueError, KeyError,
    SyntaxError, TypeError, RuntimeError,
)  # fmt: skip


class _Rows:
    """Rows of one .npy member, read one by one; nothing is ever unpickled."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if header is None:
            raise Rejected("unreadable_dataset", f"{name}: .npy version {version}")
        shape, fortran, self.dtype = header(file)
        if self.dtype.hasobject:
            raise Rejected("unsafe_archive", f"{name} holds pickled objects")
        if fortran or not shape or any(side < 1 for side in shape):
            raise Rejected("unreadable_dataset", f"{name}: shape {shape}, fortran {fortran}")
        self.count, self.shape = shape[0], shape[1:]
        self._row_bytes = math.prod(self.shape) * self.dtype.itemsize
        if self._row_bytes > 3 * MAX_PIXELS:
            raise Rejected("unsafe_archive", f"{name}: {self._row_bytes} bytes a row")

    def __iter__(self) -> Iterator[Any]:
        for index in range(self.count):
            data = self._file.read(self._row_bytes)
            if len(data) != self._row_bytes:
                raise Rejected("unreadable_dataset", f"{self._name} ends in row {index}")
            yield np.frombuffer(data, self.dtype).reshape(self.shape)


class _Careful:
    """A file that makes no huge reads and no seeks before its start, whatever headers ask for.

    tarfile reads extended headers whole, at whatever size they claim.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seekable, self.close = file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        if size > MAX_ENCODED_BYTES + tarfile.BLOCKSIZE:
            raise Rejected("unsafe_archive", f"a header or member of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise Rejected("unreadable_dataset", "a header points before the file's start")
        return self._file.seek(offset, whence)


def read_npz(place: Place, spec: DatasetSpec, split: str | None) -> Iterator[Example | Dropped]:
    """Pictures and labels of an .npz file, a row in memory at a time.

    Raises:
        Rejected: It is no such archive, or holds pickled objects.
    """
    prefix = f"{split}_" if split else ""
    with place.open(place.key) as file:
        try:
            with zipfile.ZipFile(_Careful(file)) as archive, ExitStack() as stack:
                members = [
                    _Rows(stack.enter_context(archive.open(f"{prefix}{part}.npy")), part)
                    for part in ("images", "labels")
                ]
                yield from _npz_rows(members[0], members[1], spec, prefix)
        except _TORN as error:
            raise Rejected("unreadable_dataset", f"{spec.name}: {error}") from error


def _npz_rows(
    images: _Rows, labels: _Rows, spec: DatasetSpec, prefix: str
) -> Iterator[Example | Dropped]:
    if images.dtype != np.uint8 or len(images.shape) not in (2, 3):
        raise Rejected("unreadable_dataset", f"images of {images.dtype} {images.shape}")
    if labels.count != images.count or labels.dtype.kind not in "iub":
        raise Rejected("unreadable_dataset", f"{labels.count} labels of {labels.dtype}")
    for index, (picture, label) in enumerate(zip(images, labels, strict=True)):
        values = np.atleast_1d(label).ravel()
        if spec.task == "multi_label":
            spelled = [str(i) for i, value in enumerate(values) if value]
        else:
            spelled = [str(value) for value in values]
        row_id = f"{prefix}{index}"
        found = found_labels(spelled, spec)
        if isinstance(found, str):
            yield Dropped(row_id, "unlisted_class", found)
        else:
            yield Example(row_id, picture, found)


def read_webdataset(
    place: Place, spec: DatasetSpec, split: str | None
) -> Iterator[Example | Dropped]:
    """Examples of plain tar shards, one in memory at a time; nothing is unpacked to disk.

    Raises:
        Rejected: A shard is no plain tar file.
    """
    for key in place.below(split).files(".tar"):
        with place.open(key) as file:
            try:
                yield from _shard(_Careful(file), key.rpartition("/")[2], spec)
            except (tarfile.TarError, EOFError) as error:
                raise Rejected("unreadable_dataset", f"{spec.name}: {key}: {error}") from error


def _shard(file: _Careful, shard: str, spec: DatasetSpec) -> Iterator[Example | Dropped]:
    parts: dict[str, bytes] = {}
    stem = None
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as tar:
        for member in tar:
            if not member.isfile():
                continue
            name = member.name.rpartition("/")[2]
            now = member.name[: len(member.name) - len(name)] + name.partition(".")[0]
            if now != stem:
                if stem is not None:
                    yield _wds_example(f"{shard}/{stem}", parts, spec)
                stem, parts = now, {}
            suffix = "." + name.partition(".")[2].lower()
            if member.size > (MAX_ENCODED_BYTES if suffix in SUFFIXES else _MAX_NOTE_BYTES):
                continue
            extracted = tar.extractfile(member)
            parts[suffix] = extracted.read() if extracted else b""
            cast(Any, tar).members.clear()  # tarfile keeps every member it met
        if stem is not None:
            yield _wds_example(f"{shard}/{stem}", parts, spec)
        # tarfile takes a damaged header for the end: what follows would be silently gone.
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"damaged header at byte {tar.offset}")


def _wds_example(row_id: str, parts: dict[str, bytes], spec: DatasetSpec) -> Example | Dropped:
    picture = next((parts[s] for s in SUFFIXES if s in parts), None)
    if picture is None:
        return Dropped(row_id, "missing_image", "no picture, or one above the limit")
    try:
        note = json.loads(parts.get(".json", b"{}"))
    except ValueError as error:
        return Dropped(row_id, "broken_note", f"its .json: {error}")
    if not isinstance(note, dict):
        return Dropped(row_id, "broken_note", "its .json is no object")
    labels: tuple[int, ...] = ()
    if spec.classes:
        spelled = [str(v) for v in _listed(note.get("labels"))]
        if ".cls" in parts:
            spelled = [parts[".cls"].decode("utf-8", "replace").strip()]
        found = found_labels(spelled, spec)
        if isinstance(found, str):
            return Dropped(row_id, "unlisted_class", found)
        labels = found
    texts = [str(t) for t in _listed(note.get("texts"))]
    if ".txt" in parts:
        texts.append(parts[".txt"].decode("utf-8", "replace"))
    group = note.get("group")
    return Example(
        row_id,
        picture,
        labels,
        tuple(t.strip() for t in texts if t.strip()),
        group=None if group is None else str(group),
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
