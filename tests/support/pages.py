"""Pages of a hostile site that are made rather than written."""

import itertools
import zlib


def media_playlist(*fragments: str) -> str:
    """Return an HLS playlist of two-second fragments, without its end."""
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n"
    return head + "".join(f"#EXTINF:2.0,\n{name}\n" for name in fragments)


def laughs() -> str:
    """Return a feed whose entities grow without measure when they are expanded."""
    names = "abcdefghij"
    entities = '<!ENTITY a "lollollollollollollollollollol">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 20}">' for before, name in itertools.pairwise(names)
    )
    return f"<?xml version='1.0'?><!DOCTYPE rss [{entities}]><rss><channel>&j;</channel></rss>"


def gzip_bomb(size: int) -> bytes:
    """Return a small gzip stream that unpacks to a page of this size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(b"<html>") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (size // 2**20) + packer.flush()
