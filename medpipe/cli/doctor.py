"""Looks at this machine and says what works, what is missing and what to do."""

import importlib.metadata
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from medpipe.config import MedpipeConfig
from medpipe.errors import MedpipeError
from medpipe.runtime.survey import Finding, survey
from medpipe.stages.transcribe import Transcriber
from medpipe.storage import open_store

_FREE_BYTES = 10 << 30
_PACKAGES = (
    "ray",
    "yt-dlp",
    "faster-whisper",
    "ctranslate2",
    "opencv-python-headless",
    "rapidocr",
    "av",
    "pyarrow",
    "deltalake",
    "s3fs",
    "boto3",
    "pydantic",
)


def examine(
    config: MedpipeConfig,
    out: str | None,
    address: str | None = None,
    cluster_file: str | None = None,
) -> list[Finding]:
    """Look at everything the main job needs here, and on a cluster.

    Args:
        config: All settings.
        out: Dataset to try conditional puts in; the store is not looked at if None.
        address: Ray cluster to join; none is if None.
        cluster_file: What `ray up` read, for the node types that may come.
    """
    findings = [_python(), *_packages(), _machine(), _scratch(config), _speech(config)]
    findings += [_gpu(), *_youtube(), *_cookies(config)]
    if out is not None:
        findings.append(_try("dataset store", lambda: _store(out, config), needed=True))
    if address is not None:
        findings += survey(address, config, cluster_file)
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding("python", ok, True, version, "use Python 3.11 or 3.12")


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding(name, True, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, True, "not installed", "pip install medpipe again")


def _machine() -> Finding:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    seen = f"{os.cpu_count()} CPUs, {free / 2**30:.1f} GiB of memory free"
    return Finding("machine", free > 2 << 30, False, seen, "free 2 GiB of memory")


def _scratch(config: MedpipeConfig) -> Finding:
    folder = Path(config.runtime.scratch_dir or tempfile.gettempdir())
    if not folder.is_dir():
        return Finding("scratch", False, True, f"{folder} is no folder", "set runtime.scratch_dir")
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    seen = f"{folder}: {free / 2**30:.0f} GiB free" + ("" if writable else ", not writable")
    return Finding(
        "scratch",
        writable and free > _FREE_BYTES,
        not writable,
        seen,
        "set runtime.scratch_dir to a folder with 10 GiB free",
    )


def _speech(config: MedpipeConfig) -> Finding:
    def load() -> str:
        transcriber = Transcriber(config.transcribe)
        transcriber.open()
        transcriber.close()
        return f"model {config.transcribe.model} loads"

    return _try("speech model", load, needed=True)


def _gpu() -> Finding:
    import ctranslate2

    count = int(ctranslate2.get_cuda_device_count())
    return Finding(
        "GPU", count > 0, False, f"{count} CUDA devices", "none is needed; speech runs on the CPU"
    )


def _youtube() -> Iterator[Finding]:
    """What yt-dlp wants for YouTube beyond itself."""
    found = [name for name in ("deno", "node") if shutil.which(name)]
    yield Finding(
        "JavaScript runtime",
        bool(found),
        False,
        ", ".join(found) or "none",
        "YouTube formats may be missing; `pip install deno` brings one",
    )
    ejs = None
    with suppress(importlib.metadata.PackageNotFoundError):
        ejs = importlib.metadata.version("yt-dlp-ejs")
    yield Finding("yt-dlp-ejs", ejs is not None, False, str(ejs), "pip install 'yt-dlp[default]'")


def _cookies(config: MedpipeConfig) -> Iterator[Finding]:
    """The file of cookies, if one is set, without telling what is in it."""
    named = config.fetch.cookies_file
    if named is None:
        return
    advice = "export it in Netscape's format, readable for this user only"
    try:
        lines = Path(named).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield Finding("cookies", False, True, str(error), advice)
        return
    # Netscape's format: seven fields, tabs between them; #HttpOnly_ begins a cookie, # a comment.
    cookies = [line.removeprefix("#HttpOnly_").split("\t") for line in lines]
    count = sum(len(cookie) == 7 and not cookie[0].startswith("#") for cookie in cookies)
    shared = bool(Path(named).stat().st_mode & 0o077)
    seen = f"{count} cookies" + (", others may read the file" if shared else "")
    yield Finding("cookies", count > 0 and not shared, count == 0, seen, advice)


def _store(out: str, config: MedpipeConfig) -> str:
    store = open_store(out, config.storage)
    key = f"_doctor/{uuid.uuid4().hex}"
    try:
        first = store.put_if_absent(key, b"medpipe")
        second = store.put_if_absent(key, b"again")
    finally:
        store.delete(key)
    if not first or second:
        raise MedpipeError("the store does not enforce conditional puts; medpipe needs them")
    return f"{store.uri} is writable and decides conditional puts"


def _try(what: str, act: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(what, True, needed, act())
    except (MedpipeError, OSError) as error:
        return Finding(what, False, needed, str(error), "see the message")
