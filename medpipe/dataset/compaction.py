"""Which small files of a table are merged into a bigger one, so that their number stays bounded."""

from collections.abc import Mapping

# A file of this size is left alone for good; a merge stops gathering at twice that.
FULL_BYTES = 64 << 20

# A merge waits until so many files of one class are there, so each row is rewritten about once for
# each class that its file passes.
FILES_A_CLASS = 10
_CLASS_BYTES = (1 << 20, 8 << 20, FULL_BYTES)


def files_to_merge(sizes: Mapping[str, int]) -> list[str]:
    """The files that are to become one, or none when no class is full.

    Whenever this gives none there are fewer than `FILES_A_CLASS` files in each class, that is at
    most 27 beside the full ones.

    Args:
        sizes: Bytes of each live file by path.
    """
    below = 0
    for limit in _CLASS_BYTES:
        members = sorted(path for path, size in sizes.items() if below <= size < limit)
        if len(members) >= FILES_A_CLASS:
            return _up_to(2 * FULL_BYTES, members, sizes)
        below = limit
    return []


def _up_to(limit_bytes: int, members: list[str], sizes: Mapping[str, int]) -> list[str]:
    chosen, held = [], 0
    for path in members:
        if held >= limit_bytes:
            break
        chosen.append(path)
        held += sizes[path]
    return chosen
