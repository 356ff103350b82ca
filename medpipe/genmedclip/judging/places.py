"""Finds a source's files in a folder or a bucket, and hashes what they hold."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from medpipe.storage import ObjectStore, StorageConfig, open_store

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder in a store.

    Attributes:
        store: The store of its parent folder.
        key: Its name there.
    """

    store: ObjectStore
    key: str

    def is_file(self) -> bool:
        """Whether it is one file."""
        return self.store.exists(self.key)

    def present(self) -> bool:
        """Whether anything is there."""
        return self.is_file() or next(self.store.keys(self.key), None) is not None

    def files(self, *suffixes: str) -> list[str]:
        """Keys of the file, or of all files below, with one of the suffixes; sorted."""
        found = [self.key] if self.is_file() else list(self.store.keys(self.key))
        return [k for k in found if not suffixes or k.lower().endswith(suffixes)]

    def below(self, *parts: str | None) -> "Place":
        """A place further down; absent parts are skipped."""
        return Place(self.store, "/".join([self.key, *filter(None, parts)]))

    def open(self, key: str) -> IO[bytes]:
        """A file of the store."""
        return self.store.input(key)


def locate(uri: str, data: str, config: StorageConfig | None = None) -> Place:
    """Where a source lies: as it says, or under the folder of all test data.

    Args:
        uri: Absolute, with a scheme, or relative.
        data: Folder or bucket prefix of all test data.
        config: For S3.
    """
    if "://" not in uri and not Path(uri).is_absolute():
        uri = f"{data.rstrip('/')}/{uri}"
    parent, _, key = uri.rstrip("/").rpartition("/")
    return Place(open_store(parent or "/", config), key)


def digest_of(place: Place, keys: list[str]) -> str:
    """SHA-256 of a file, or of the `sha256sum` lines of several, by name below the place."""
    if keys == [place.key]:
        return _sha256(place, place.key)
    base = f"{place.key}/"
    lines = (f"{_sha256(place, key)}  {key.removeprefix(base)}\n" for key in sorted(keys))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(place: Place, key: str) -> str:
    digest = hashlib.sha256()
    with place.open(key) as file:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
