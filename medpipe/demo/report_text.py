"""Foreign text made safe for a page: escaped, isolated in direction, links only to the web."""

import html
import json
import re
from typing import Any
from urllib.parse import urlsplit

from medpipe.demo.report_data import number

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\\]")
_UNSAFE_IN_SCRIPT = re.compile("[<>&]")
_UNKNOWN = "-"


def link(url: str) -> str:
    """A link for web addresses, plain text for everything else."""
    try:
        address = urlsplit(url)
        web = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        web = False
    if not web or _NOT_IN_ADDRESS.search(url):
        return foreign(url)
    return f'<a href="{escaped(url)}" rel="noopener noreferrer nofollow">{foreign(url)}</a>'


def foreign(value: Any) -> str:
    """Foreign text, escaped and kept from turning its neighbours' direction."""
    return f"<bdi>{escaped(value)}</bdi>"


def escaped(value: Any) -> str:
    """Text for an element or a quoted attribute; nothing for None."""
    return html.escape(_CONTROL.sub("\ufffd", "" if value is None else str(value)))


def script_json(data: Any) -> str:
    """JSON that no text in it can end the script element of."""
    encoded = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return _UNSAFE_IN_SCRIPT.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded)


def clock(seconds: float | None) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    if seconds is None:
        return _UNKNOWN
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def count(value: Any) -> str:
    """A whole number with its thousands apart."""
    found = number(value)
    return _UNKNOWN if found is None else f"{int(found):,}"
