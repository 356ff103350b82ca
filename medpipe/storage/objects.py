"""Reads, writes and conditional puts on a folder or an S3 bucket; the only room with S3.

One set of settings is turned into s3fs and delta-rs options here and nowhere else.
"""

import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import Field

from medpipe.errors import ConfigError, Transient
from medpipe.records import Record

logger = logging.getLogger(__name__)

_MARK = "medpipe-put"

_DELETED_AT_ONCE = 1000  # what S3 allows

# Answers of S3 that no waiting mends.
_WRONG_SETTINGS = {"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class StorageConfig(Record):
    """How to reach an S3-compatible store; credentials come from the usual AWS chain."""

    endpoint_url: str | None = Field(None, description="Server other than AWS, e.g. MinIO.")
    region: str = Field("us-east-1", description="AWS region of the bucket.")


class ObjectStore(Protocol):
    """A flat store of bytes under one URI; keys are relative POSIX paths."""

    uri: str

    def read(self, key: str) -> bytes:
        """The whole object.

        Raises:
            FileNotFoundError: There is none under this key.
        """

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """Bytes start to stop of the object, fewer where it ends before; safe for several threads.

        Raises:
            FileNotFoundError: There is none under this key.
        """

    def input(self, key: str) -> IO[bytes]:
        """The object as a file that can seek; close it.

        Raises:
            FileNotFoundError: There is none under this key.
        """

    def write(self, key: str, data: bytes) -> None:
        """Put an object; readers see all of it or nothing."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put an object unless the key exists; exactly one of several callers gets True."""

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many objects in few requests; missing ones are fine."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys under `prefix/`, sorted."""

    def keys_before(self, prefix: str, at_s: float) -> Iterator[str]:
        """Those of them that were last written before a Unix time, by the store's clock."""

    def output(self, key: str) -> Any:
        """Context manager giving a binary file to write; published whole at its end."""

    def table_uri(self, name: str) -> str:
        """Where the Delta table of this name lies."""

    def delta_options(self) -> dict[str, str]:
        """Storage options for delta-rs."""


def checked_key(key: str) -> str:
    """Return the key if it stays inside the store.

    Raises:
        ValueError: It is absolute, empty or climbs with `..`.
    """
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts or "\\" in key or "\0" in key:
        raise ValueError(f"key leaves the store: {key!r}")
    return key


class FolderStore:
    """A folder on a local disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.uri = str(self.root)

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)

    def read(self, key: str) -> bytes:
        """The whole object."""
        return self._path(key).read_bytes()

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """A part of the file."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def input(self, key: str) -> IO[bytes]:
        """The object as a file."""
        return self._path(key).open("rb")

    def write(self, key: str, data: bytes) -> None:
        """Put an object by renaming a finished file into place."""
        with self.output(key) as file:
            file.write(data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put an object by linking a finished file; the link is the decision."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
        try:
            _write_durably(temporary, data)
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        self._path(key).unlink(missing_ok=True)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many files."""
        for key in keys:
            self.delete(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys under the prefix, sorted; unfinished files are not shown."""
        base = self._path(prefix)
        found = (
            (Path(folder) / name).relative_to(self.root).as_posix()
            for folder, _, names in os.walk(base)
            for name in names
            if not name.startswith(".")
        )
        yield from sorted(found)

    def keys_before(self, prefix: str, at_s: float) -> Iterator[str]:
        """Keys of files last written before a Unix time; one that goes meanwhile is left out."""
        for key in self.keys(prefix):
            with suppress(FileNotFoundError):
                if self._path(key).stat().st_mtime < at_s:
                    yield key

    @contextmanager
    def output(self, key: str) -> Iterator[IO[bytes]]:
        """A file that appears under its key when the block ends without an error."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()

    def table_uri(self, name: str) -> str:
        """Absolute folder of the table."""
        return str(self._path(name))

    def delta_options(self) -> dict[str, str]:
        """None are needed."""
        return {}


class S3Store:
    """A prefix of an S3 bucket, by s3fs."""

    def __init__(self, uri: str, config: StorageConfig) -> None:
        import boto3
        import s3fs

        self.uri = uri.rstrip("/")
        parts = urlsplit(self.uri)
        self._base = f"{parts.netloc}{parts.path}".rstrip("/")
        self._config = config
        self._fs = s3fs.S3FileSystem(
            endpoint_url=config.endpoint_url,
            client_kwargs={"region_name": config.region},
            use_listings_cache=False,
        )
        self._client = boto3.client(
            "s3", endpoint_url=config.endpoint_url, region_name=config.region
        )

    def _path(self, key: str) -> str:
        return f"{self._base}/{checked_key(key)}"

    def read(self, key: str) -> bytes:
        """The whole object, in one request (s3fs would ask for its size first)."""
        bucket, _, name = self._path(key).partition("/")
        with _world():
            try:
                return bytes(self._client.get_object(Bucket=bucket, Key=name)["Body"].read())
            except self._client.exceptions.NoSuchKey as error:
                raise FileNotFoundError(f"{self.uri}/{key}") from error

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """A part of the object, in one request."""
        bucket, _, name = self._path(key).partition("/")
        part = f"bytes={start}-{stop - 1}"
        with _world():
            try:
                return bytes(
                    self._client.get_object(Bucket=bucket, Key=name, Range=part)["Body"].read()
                )
            except self._client.exceptions.NoSuchKey as error:
                raise FileNotFoundError(f"{self.uri}/{key}") from error

    def input(self, key: str) -> IO[bytes]:
        """The object as a file that reads ranges."""
        with _world():
            file: IO[bytes] = self._fs.open(self._path(key), "rb")
        return file

    def write(self, key: str, data: bytes) -> None:
        """Put an object; S3 publishes whole objects only."""
        with _world():
            self._fs.pipe_file(self._path(key), data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put with `If-None-Match: *`; the server decides.

        Every put carries a mark of its own. When the answer to a put is lost the client tries
        again, and its own first try refuses it: the mark then says whose object stands.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, name = self._path(key).partition("/")
        mark = uuid.uuid4().hex
        try:
            self._client.put_object(
                Bucket=bucket, Key=name, Body=data, IfNoneMatch="*", Metadata={_MARK: mark}
            )
        except (BotoCoreError, ClientError) as error:
            with _world():
                stands = self._mark_of(bucket, name)
                if stands is None:
                    raise
                logger.info("put of %s came back with %s", key, error)
                return stands == mark
        return True

    def _mark_of(self, bucket: str, name: str) -> str | None:
        """The mark of the object that stands under a name; None if there is no object."""
        from botocore.exceptions import ClientError

        try:
            head = self._client.head_object(Bucket=bucket, Key=name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return str(head["Metadata"].get(_MARK, ""))

    def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        with _world():
            return bool(self._fs.isfile(self._path(key)))

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        with _world(), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many objects, a thousand a request."""
        bucket, _, _ = self._path("-").partition("/")
        names = [self._path(key).removeprefix(f"{bucket}/") for key in keys]
        for first in range(0, len(names), _DELETED_AT_ONCE):
            batch = [{"Key": name} for name in names[first : first + _DELETED_AT_ONCE]]
            with _world():
                answer = self._client.delete_objects(
                    Bucket=bucket, Delete={"Objects": batch, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                raise Transient("store_unavailable", f"objects were not deleted: {errors[:3]}")

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys under the prefix, sorted as S3 lists them; a page in memory at a time."""
        return (key for key, _ in self._listed(prefix))

    def keys_before(self, prefix: str, at_s: float) -> Iterator[str]:
        """Keys of objects last written before a Unix time."""
        return (key for key, written_s in self._listed(prefix) if written_s < at_s)

    def _listed(self, prefix: str) -> Iterator[tuple[str, float]]:
        bucket, _, path = self._path(prefix).partition("/")
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{path.rstrip('/')}/"
            )
        )
        start = len(self._base) - len(bucket)
        while True:
            with _world():
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                yield entry["Key"][start:], entry["LastModified"].timestamp()

    @contextmanager
    def output(self, key: str) -> Iterator[IO[bytes]]:
        """A file uploaded in parts; nothing appears if the block fails.

        An `OSError` inside the block counts as the store's: parts are uploaded while it runs.
        """
        with _world():
            file = self._fs.open(self._path(key), "wb", autocommit=False)
            try:
                yield file
                file.close()
                file.commit()
            except BaseException:
                file.closed = True  # else its finaliser starts another upload
                with suppress(OSError):
                    file.discard()
                raise

    def table_uri(self, name: str) -> str:
        """URI of the table."""
        return f"{self.uri}/{checked_key(name)}"

    def delta_options(self) -> dict[str, str]:
        """Endpoint and region in delta-rs' words; conditional puts guard its log."""
        options = {"AWS_REGION": self._config.region, "conditional_put": "etag"}
        if self._config.endpoint_url:
            options["AWS_ENDPOINT_URL"] = self._config.endpoint_url
            if self._config.endpoint_url.startswith("http://"):
                options["AWS_ALLOW_HTTP"] = "true"
        return options


def open_store(uri: str, config: StorageConfig | None = None) -> ObjectStore:
    """Open the store that a URI names.

    Args:
        uri: A path, `file://...` or `s3://bucket/prefix`.
        config: Used for S3 only.

    Raises:
        ConfigError: The URI has another scheme or no bucket.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise ConfigError(f"--out {uri!r} names no bucket; write s3://bucket/prefix")
        return S3Store(uri, config or StorageConfig())
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    if "://" in uri:
        raise ConfigError(f"cannot store under {uri!r}; use a folder or s3://bucket/prefix")
    return FolderStore(Path(uri))


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _world() -> Iterator[None]:
    """Turn what a store on the network does to us into `Transient`."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except (NoCredentialsError, PartialCredentialsError, PermissionError) as error:
        raise ConfigError(f"no access to the object store: {error}") from error
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _WRONG_SETTINGS:
            raise ConfigError(f"the object store refuses: {error}") from error
        raise Transient("store_unavailable", f"the object store failed: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise Transient("store_unavailable", f"the object store failed: {error}") from error
