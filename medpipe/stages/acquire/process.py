"""Runs the downloading process: one job in, events out, and an end in time in any case."""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.secrets import mask
from medpipe.stages.acquire.config import FetchConfig
from medpipe.stages.acquire.failures import clean_message
from medpipe.stages.acquire.options import remember_secrets

_LOG = logging.getLogger(__name__)
DOWNLOADER = "medpipe.stages.acquire.downloader"
_KEPT_ENVIRONMENT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
)
_MAX_LINE = 2**22


def download(
    url: str,
    folder: Path,
    config: FetchConfig,
    max_duration_s: float,
    *,
    module: str = DOWNLOADER,
) -> dict[str, Any]:
    """Download one video into a folder and return what is known of it.

    Args:
        url: What to fetch.
        folder: Where to put it; nobody else's.
        config: How.
        max_duration_s: Longer videos are rejected before they are fetched.
        module: What runs as the downloading process.

    Returns:
        `paths`, `title`, `channel`, `licence`.

    Raises:
        Rejected: The item's fault.
        Transient: The world's fault; `timed_out` when the budget of time is spent.
        ConfigError: The cookie file cannot be read.
        RuntimeError: The process failed in a way that is our bug.
    """
    job = {"url": url, "folder": str(folder), "max_duration_s": max_duration_s}
    deadline = time.monotonic() + config.download_timeout_s
    for event in _events(job, config, deadline, None, module):
        if event["event"] == "file":
            return event
    raise RuntimeError("the downloading process ended without a file or a reason")


def read_list(url: str, config: FetchConfig) -> Iterator[dict[str, Any]]:
    """Yield the entries behind a URL as the site hands them out.

    Yields:
        Events `single` (the page itself is one video) or `entry`, each with `url`, `title`,
        `channel`, `licence`.

    Raises:
        Rejected: The page cannot be read, now or later.
        Transient: The page cannot be read for now.
        ConfigError: The cookie file cannot be read.
        RuntimeError: The process failed in a way that is our bug.
    """
    for event in _events({"url": url}, config, None, config.resolve_timeout_s):
        if event["event"] in ("single", "entry"):
            yield event
        elif event["event"] == "end":
            return


def _events(
    job: dict[str, Any],
    config: FetchConfig,
    deadline: float | None,
    silence_s: float | None,
    module: str = DOWNLOADER,
) -> Iterator[dict[str, Any]]:
    """Yield the child's events; raise what it failed with; kill it when time is up."""
    fetch = config.model_dump(mode="json")
    fetch["proxy"] = config.proxy.get_secret_value() if config.proxy else None
    remember_secrets(config)
    if config.cookies_file is not None:
        _warn_of_readers(config.cookies_file)
    with tempfile.TemporaryFile() as complaints, _child(module, complaints) as child:
        _tell(child, {**job, "fetch": fetch})
        for line in _lines(child, deadline, silence_s):
            event = json.loads(line)
            _raise_failure(event)
            if event["event"] == "log":
                _LOG.debug("yt-dlp: %s", clean_message(event["message"]))
            else:
                yield event
                if event["event"] in ("end", "file"):
                    return
        code = child.wait()
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4000))
        tail = mask(complaints.read().decode(errors="replace"))
        raise RuntimeError(f"the downloading process died with code {code}: {tail}")


@cache
def _warn_of_readers(cookies_file: str) -> None:
    """Say once that others on this machine can read the cookies, which are as good as a login."""
    if Path(cookies_file).stat().st_mode & 0o077:
        _LOG.warning("fetch.cookies_file can be read or written by others: chmod 600 it")


def _tell(child: subprocess.Popen[bytes], job: dict[str, Any]) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        _LOG.debug("the downloading process died before it read its job")


def _raise_failure(event: dict[str, Any]) -> None:
    name = event["event"]
    if name == "failed":
        kind = Rejected if event["kind"] == "rejected" else Transient
        raise kind(event["code"], event["detail"])
    if name == "config":
        raise ConfigError(event["detail"])
    if name == "bug":
        raise RuntimeError(f"the downloading process failed:\n{event['traceback']}")


@contextmanager
def _child(module: str, complaints: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    beside = str(Path(sys.executable).parent)
    kept["PATH"] = os.pathsep.join([beside, kept.get("PATH", os.defpath)])
    kept |= {"PYTHONPATH": _python_path(), "YTDLP_NO_PLUGINS": "1", "NO_COLOR": "1"}
    with tempfile.TemporaryDirectory(prefix="medpipe-fetch-", ignore_cleanup_errors=True) as own:
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
            env={**kept, "TMPDIR": own},
        )
        try:
            yield child
        finally:
            _kill(child)


def _python_path() -> str:
    return os.pathsep.join(str(Path(entry or ".").resolve()) for entry in sys.path)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started; its group is its own."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _LOG.debug("the downloading process was gone already")
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                _LOG.debug("the downloading process did not read all of its job")


def _lines(
    child: subprocess.Popen[bytes], deadline: float | None, silence_s: float | None
) -> Iterator[bytes]:
    """Yield lines of the child's stdout until it ends, is late, or is silent for too long."""
    assert child.stdout is not None
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            limits = [deadline - now] if deadline is not None else []
            limits += [silence_s] if silence_s is not None else []
            wait_s = min(limits, default=None)
            if (wait_s is not None and wait_s <= 0) or not selector.select(wait_s):
                raise Transient("timed_out", "the download did not end in the time it was given")
            block = os.read(child.stdout.fileno(), 2**16)
            if not block:
                return
            *whole, pending = (pending + block).split(b"\n")
            yield from whole
            if len(pending) > _MAX_LINE:
                raise Rejected("too_large", "an entry of the list is larger than 4 MiB")
