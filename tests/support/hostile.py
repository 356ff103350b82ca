"""Sixty and more messages that no one should put into a queue, and what they try."""

import hashlib
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from medpipe.stages.acquire.ids import http_id
from tests.support.canary import Canary, link_local
from tests.support.pages import gzip_bomb, laughs, media_playlist
from tests.support.site import Site

SITE_HOST = "127.0.0.9"
"""The only address of this machine that the run may reach: where the hostile pages are."""

Body = str | bytes
Messages = dict[str, Body]


class _Payload:
    """What a careless reader of pickles would run."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._witness}",)


def addressed(url: str) -> str:
    """A message for an item of this URL, under its right id where it has one."""
    try:
        item_id = http_id(url)
    except ValueError:
        item_id = f"http:{hashlib.sha256(url.encode(errors='replace')).hexdigest()[:32]}"
    return json.dumps({"id": item_id, "uri": url})


def named(item_id: str, uri: str = "http://example.org/", **more: object) -> str:
    """A message with this id."""
    return json.dumps({"id": item_id, "uri": uri, **more})


def filed(folder: Path, name: str, content: bytes) -> str:
    """A message for a local file of this content, under its right id."""
    path = folder / name
    path.write_bytes(content)
    return named(f"file:{hashlib.sha256(content).hexdigest()}", str(path))


def hostile_messages(folder: Path, site: Site, canary: Canary, witness: Path) -> Messages:
    """All of them, by what they are; each has an id of its own.

    Args:
        folder: For files that they name.
        site: On `SITE_HOST`; gets pages that lead inside.
        canary: What must not be reached.
        witness: Appears when something is executed.
    """
    return {
        **inside(canary),
        **led_inside(site, canary),
        **other_schemes(canary),
        **smuggled(witness),
        **no_items(witness),
        **files(folder, canary, witness),
    }


def inside(canary: Canary) -> Messages:
    """Addresses of this machine and its network, in every spelling."""
    hosts = "127.0.0.1 127.1.2.3 2130706433 0x7f.1 0177.0.0.1 0.0.0.0 localhost"
    wide = "[::1] [::] [::ffff:127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] 127。1。2。4"
    found = {f"host {host}": addressed(canary.url(host)) for host in f"{hosts} {wide}".split()}
    for number, (address, scope) in enumerate(link_local()[:1]):
        found[f"link-local {number}"] = addressed(canary.url(f"[{address}%25{scope}]"))
    return {
        **found,
        "metadata": addressed("http://169.254.169.254/latest/meta-data/iam/"),
        "metadata v6": addressed("http://[fd00:ec2::254]/latest/meta-data/"),
        "userinfo": addressed(canary.url("example.org@127.0.0.1")),
        "huge port": addressed("http://127.0.0.1:99999999/"),
        "half a bracket": addressed("http://[::1"),
    }


def led_inside(site: Site, canary: Canary) -> Messages:
    """Pages of a stranger that point inside."""
    hls, end = "application/vnd.apple.mpegurl", "#EXT-X-ENDLIST\n"
    target = canary.url("127.0.0.3", "/x.ts")
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'
    keyed = media_playlist("/stream/0.ts").replace("#EXTINF", key, 1) + end
    feed = f"<rss version='2.0'><channel><item><link>{target}</link></item></channel></rss>"
    video = f"<html><video src='{canary.url('[::1]')}'></video></html>"
    pages = {
        "redirect": site.put("/q/redirect.mp4", b"", status=302, Location=target),
        "redirect to a file": site.put(
            "/q/file.mp4", b"", status=302, Location="file:///etc/hosts"
        ),
        "redirect with a header": site.put(
            "/q/crlf.mp4", b"", status=302, Location=f"/%0d%0aLocation:%20{target}"
        ),
        "playlist": site.put("/q/list.m3u8", media_playlist(target) + end, hls),
        "playlist of a file": site.put(
            "/q/passwd.m3u8", media_playlist("file:///etc/passwd") + end, hls
        ),
        "key": site.put("/q/key.m3u8", keyed, hls),
        "feed": site.put("/q/feed.xml", feed, "application/rss+xml"),
        "page": site.put("/q/page", video),
        "laughing feed": site.put("/q/laughs.xml", laughs(), "application/rss+xml"),
        "gzip bomb": site.put("/q/bomb", gzip_bomb(2**31), Content_Encoding="gzip"),
        "liar": f"{site.url}/liar.mp4",
    }
    return {name: addressed(url) for name, url in pages.items()}


def other_schemes(canary: Canary) -> Messages:
    """Addresses that are no web addresses."""
    urls = [f"{scheme}://127.0.0.1:{canary.port}/x" for scheme in ("ftp", "gopher", "ssh", "rtmp")]
    urls += ["file:///etc/passwd", "s3://somebody-elses/bucket.mp4", "data:video/mp4;base64,AA"]
    return {f"scheme {url.split(':')[0]}": addressed(url) for url in urls}


def smuggled(witness: Path) -> Messages:
    """Options and names that would mean something to a shell, a path or yt-dlp."""
    return {
        "--exec as uri": addressed(f"--exec=touch {witness}"),
        "$(...) as uri": addressed(f"http://$(touch {witness}).example.org/"),
        "option as YouTube id": named("yt:--exec-aaaa"),
        "short YouTube id": named("yt:.."),
        "article that climbs": named("pmc:.."),
        "id of another address": named("http:" + "0" * 32, canary_free("id.mp4")),
        "file that climbs": named("file:" + "0" * 64, "../../../../etc/passwd"),
        "file of a device": named("file:" + "1" * 64, "/dev/zero"),
    }


def canary_free(path: str) -> str:
    """An address of nobody's (RFC 2606)."""
    return f"http://nobody.invalid/{path}"


def no_items(witness: Path) -> Messages:
    """Bodies that are no item at all."""
    return {
        "YouTube id with an option": named("yt:aaaaaaaaaaa&--exec=id"),
        "file id that climbs": named("file:../../etc/passwd"),
        "megabyte id": named("http:" + "a" * 2**20),
        "look-alike id": named("http:" + "\u0430" * 32),
        "id written backwards": named("http:\u202e4pm.exe"),
        "NUL": named("http:a\0b"),
        "newline": named("http:ab\n"),
        "brackets": "[" * 100_000,
        "pickle": pickle.dumps(_Payload(witness)),
        "wrong types": '{"id": 7, "uri": ["x"], "title": {"a": 1}}',
        "one field more": named("http:ab", proxy="http://127.0.0.1/"),
    }


def files(folder: Path, canary: Canary, witness: Path) -> Messages:
    """Files that say that they are videos and are not."""
    folder.mkdir()
    lead = canary.url("127.0.0.3", "/x.ts")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{lead}"/></svg>'
    xml = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{lead}">]><x>&e;</x>'
    concat = f"ffconcat version 1.0\nfile '/etc/passwd'\nfile '{lead}'\n"
    return {
        name: filed(folder, f"{number}.mp4", content)
        for number, (name, content) in enumerate(
            {
                "zip": _zip(),
                "tar that climbs": _tar(),
                "xz bomb": lzma.compress(b"\0" * 2**25),
                "PNG bomb": _png(60_000, 60_000),
                "GIF bomb": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0,"
                + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0\2\2L\1\0;",
                "SVG": svg.encode(),
                "XML": xml.encode(),
                "m3u8": (media_playlist(lead, "file:///etc/passwd") + "#EXT-X-ENDLIST\n").encode(),
                "concat": concat.encode(),
                "pickle as a video": pickle.dumps(_Payload(witness)),
            }.items()
        )
    }  # fmt: skip


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../pwned.mp4", b"\0" * 2**24)
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as packed:
        link = tarfile.TarInfo("../../etc/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    return file.getvalue()


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 2**20)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
