"""Opens a test set wherever it lies, says whether it is there and whole, and reads it."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from medpipe.errors import Rejected
from medpipe.genmedclip.judging import archives, narratives, tables
from medpipe.genmedclip.judging.contract import Example
from medpipe.genmedclip.judging.pictures import SUFFIXES
from medpipe.genmedclip.judging.places import Place, digest_of, locate
from medpipe.genmedclip.judging.registry import (
    CsvSource,
    DatasetSpec,
    FolderSource,
    HfParquetSource,
    MedpipeSource,
    NpzSource,
    ParquetSource,
    WebDatasetSource,
)
from medpipe.genmedclip.judging.rows import Dropped, found_labels
from medpipe.storage import StorageConfig


@dataclass(frozen=True, slots=True)
class TestSet:
    """A dataset that is there, in the version that was found.

    Attributes:
        spec: What it is.
        place: Where it lies.
        digest: Of its files, as `digest_of` says.
    """

    __test__ = False  # pytest must not take it for a test

    spec: DatasetSpec
    place: Place
    digest: str
    storage: StorageConfig | None = None

    def fingerprint(self, split: str | None) -> str:
        """64 hex characters: same files, same reading of them, same split."""
        source = self.spec.source.model_dump(exclude={"uri", "sha256", "train_split"})
        read = {
            "digest": self.digest,
            "source": source,
            "split": split,
            "task": self.spec.task,
            "classes": [c.value or c.name for c in self.spec.classes],
        }
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()

    def read(self, split: str | None) -> Iterator[Example | Dropped]:
        """Examples in a fixed order, one in memory at a time.

        Raises:
            Rejected: The files are not what the spec says.
        """
        place, spec = self.place, self.spec
        match spec.source:
            case FolderSource():
                return _read_folder(place, spec, spec.source, split)
            case CsvSource():
                return tables.read_csv(place, spec, spec.source, split)
            case ParquetSource() | HfParquetSource():
                return tables.read_parquet(place, spec, spec.source, split)
            case NpzSource():
                return archives.read_npz(place, spec, split)
            case WebDatasetSource():
                return archives.read_webdataset(place, spec, split)
            case MedpipeSource():
                return narratives.read(place, spec, spec.source, self.storage)


def find(spec: DatasetSpec, data: str, storage: StorageConfig | None = None) -> TestSet | None:
    """Find a dataset's files; None if they are not there.

    Args:
        spec: Which dataset.
        data: Folder or bucket prefix that relative addresses start from.
        storage: For S3.

    Raises:
        Rejected: The files are there and are others than the spec's hash says.
    """
    place = locate(spec.source.uri, data, storage)
    if not place.present():
        return None
    keys = _files(place, spec)
    if not keys:
        return None
    digest = digest_of(place, keys)
    if spec.source.sha256 not in (None, digest):
        raise Rejected(
            "wrong_content",
            f"{spec.name}: the files hash to {digest}, not to {spec.source.sha256}",
        )
    return TestSet(spec, place, digest, storage)


def _files(place: Place, spec: DatasetSpec) -> list[str]:
    """Keys of all files that reading may touch."""
    source = spec.source
    splits = {source.split, source.train_split} if source.train_split else {source.split}
    match source:
        case FolderSource():
            return sorted({k for s in splits for k in place.below(s).files(*SUFFIXES)})
        case WebDatasetSource():
            return sorted({k for s in splits for k in place.below(s).files(".tar")})
        case CsvSource():
            return tables.csv_files(place, source)
        case ParquetSource() | HfParquetSource():
            return tables.parquet_files(place, source, splits)
        case NpzSource():
            return [place.key] if place.is_file() else []
        case MedpipeSource():
            return place.below("samples").files()


def _read_folder(
    place: Place, spec: DatasetSpec, source: FolderSource, split: str | None
) -> Iterator[Example | Dropped]:
    base = place.below(split)
    pattern = re.compile(source.group_pattern) if source.group_pattern else None
    for key in base.files(*SUFFIXES):
        name = key[len(base.key) + 1 :]
        folder, _, file_name = name.rpartition("/")
        found = found_labels([folder], spec)
        if isinstance(found, str):
            yield Dropped(name, "unlisted_class", found)
            continue
        match = pattern.search(file_name) if pattern else None
        with base.open(key) as file:
            yield Example(name, file.read(), found, group=match[1] if match else None)
