"""Runs a program that cannot open a socket: `python -I cell.py PROGRAM [ARGUMENT ...]`.

For JavaScript that a site sends (YouTube's player): the runtimes' own permissions differ by name
and version (Node 22 has none for the network), and the guard cannot look into another process.
The filter is seccomp's: it needs no privilege, cannot be taken off, and is inherited by whatever
the program starts. Imports the standard library alone, since it is run as a script.
"""

import ctypes
import errno
import os
import platform
import shlex
import struct
import sys
from pathlib import Path

CANNOT_START = 126

_ARCHITECTURE, _NUMBER = 4, 0  # places in struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_IO_URING_SETUP = 425  # could open sockets past the filter; the same number everywhere
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER_MODE = 38, 22, 2

# AUDIT_ARCH_..., number of socket(2)
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def filter_of(machine: str) -> bytes:
    """Return the BPF program: `socket` and `io_uring_setup` fail with EACCES, the rest is free.

    Raises:
        KeyError: Nobody has looked up this machine's numbers.
    """
    architecture, socket_number = _MACHINES[machine]
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 3, 0, _X32),
        (_EQUAL, 2, 0, socket_number),
        (_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EACCES),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def close_network() -> None:
    """Take the network from this process for good.

    Raises:
        OSError: The kernel does not do that.
        KeyError: Nobody has looked up this machine's numbers.
    """
    program = filter_of(platform.machine())
    code = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    call = ctypes.CDLL(None, use_errno=True).prctl
    number = ctypes.c_ulong
    asks = (
        (_PR_SET_NO_NEW_PRIVS, number(1), number(0)),
        (_PR_SET_SECCOMP, number(_FILTER_MODE), ctypes.c_char_p(pointer)),
    )
    for what, first, second in asks:
        if call(what, first, second, number(0), number(0)):
            raise OSError(ctypes.get_errno(), "the kernel sets no seccomp filter")


def write_launcher(folder: Path, program: str) -> Path:
    """Write a script that starts a program in a cell, under the program's own name.

    Args:
        folder: Private to the caller.
        program: Absolute path.
    """
    launcher = folder / Path(program).name
    words = (sys.executable, "-I", str(Path(__file__).resolve()), program)
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
    launcher.chmod(0o700)
    return launcher


def main() -> None:
    """Close the network, then become the program."""
    try:
        close_network()
        os.execv(sys.argv[1], sys.argv[1:])
    except (OSError, KeyError) as error:
        sys.stderr.write(f"{sys.argv[1]} is not started without a cell: {error}\n")
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    main()
