"""The guard of every fetch: looks at the address that is connected to, not at the URL.

A `sys.addaudithook` hook sees each connect of Python's socket module after the name was
resolved, so redirects, DNS rebinding and odd spellings of addresses are covered alike. It does
not see sockets that C libraries open (libcurl, FFmpeg): those stay outside, and so do child
processes unless `Policy.programs` names them; see `cell` for what those may do.
"""

import errno
import posixpath
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from medpipe.egress.addresses import blocked_because, blocked_behind_proxy
from medpipe.egress.causes import causes
from medpipe.egress.policy import Policy
from medpipe.errors import Rejected

_SCHEMES = frozenset({"http", "https", "data"})
_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset(
    {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
)
_EVENTS = _CONNECTS | _PROGRAMS | {"urllib.Request"}


@dataclass(slots=True)
class Watch:
    """What one guarded block tried.

    Attributes:
        connected: Addresses that were let through, in order, at most 1,000.
        refused: One `Rejected` for each thing that was not.
    """

    policy: Policy
    connected: list[str] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)


class AccessRefusedError(PermissionError):
    """What a refused call raises: an `OSError`, so that libraries take it for a firewall's no."""

    def __init__(self, reason: Rejected) -> None:
        super().__init__(errno.EACCES, str(reason))
        self.reason = reason


class _Armed(threading.local):
    watch: Watch | None = None


class _State:
    here = _Armed()
    everywhere: Watch | None = None
    lock = threading.Lock()
    installed = False


@contextmanager
def guard(policy: Policy, *, every_thread: bool = False) -> Iterator[Watch]:
    """Watch every connect inside the block and refuse what the policy does not allow.

    Args:
        policy: What may be reached.
        every_thread: Guard the whole process instead of the calling thread; for a process that
            does nothing but fetch.

    Raises:
        Rejected: `blocked_address`, `unsupported_scheme` or `unsupported_stream`: the block
            failed because something was refused, whatever the libraries between made of it.
    """
    watch = Watch(policy)
    before = _State.everywhere if every_thread else _State.here.watch
    _install()
    _arm(watch, every_thread)
    try:
        yield watch
    except Exception as error:
        reason = _behind(error, watch)
        if reason is not None:
            raise reason from error
        raise
    finally:
        _arm(before, every_thread)


def _behind(error: Exception, watch: Watch) -> Rejected | None:
    """Return the refusal that an error comes from, also where only its text got through."""
    if isinstance(error, Rejected):
        return None
    for one in causes(error):
        if isinstance(one, AccessRefusedError):
            return one.reason
    text = str(error)
    return next((reason for reason in watch.refused if str(reason) in text), None)


def _arm(watch: Watch | None, every_thread: bool) -> None:
    if every_thread:
        _State.everywhere = watch
    else:
        _State.here.watch = watch


def _install() -> None:
    with _State.lock:
        if not _State.installed:
            sys.addaudithook(_on_event)
            _State.installed = True


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    watch = _State.here.watch or _State.everywhere
    if watch is None:
        return
    reason = _verdict(event, args, watch)
    if reason is not None:
        watch.refused.append(reason)
        raise AccessRefusedError(reason)


def _verdict(event: str, args: tuple[Any, ...], watch: Watch) -> Rejected | None:
    if event in _CONNECTS:
        return _judge_connect(args[0], args[1], watch)
    if event == "urllib.Request":
        return _judge_url(str(args[0]), watch.policy)
    allowed = watch.policy.programs
    what = args[1] if event == "os.spawn" else args[0]
    name = posixpath.basename(str(what[0] if isinstance(what, list | tuple) else what))
    if allowed is None or name in allowed:
        return None
    return Rejected("unsupported_stream", f"only another program could fetch it: {name}")


def _judge_connect(sock: socket.socket, address: Any, watch: Watch) -> Rejected | None:
    if address is None:
        return None
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return Rejected("blocked_address", f"not an internet address: {address!r}")
    host, port = str(address[0]), int(address[1])
    if (host, port) not in watch.policy.gateways:
        reason = blocked_because(host, watch.policy)
        if reason is not None:
            return Rejected("blocked_address", f"{host} is {reason}; see allow_private_networks")
    if len(watch.connected) < 1000:
        watch.connected.append(host)
    return None


def _judge_url(url: str, policy: Policy) -> Rejected | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return Rejected("unsupported_scheme", "the address cannot be taken apart")
    if parts.scheme.lower() not in _SCHEMES:
        return Rejected("unsupported_scheme", f"will not fetch {parts.scheme}: addresses")
    if not policy.gateways or not parts.hostname:
        return None
    reason = blocked_behind_proxy(parts.hostname, policy)
    return Rejected("blocked_address", f"{parts.hostname} is {reason}") if reason else None
