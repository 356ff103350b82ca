"""Walks from an error to everything that stands behind it."""

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that stands behind it, outermost first.

    Follows Python's own chain and the ways in which yt-dlp keeps a cause (`exc_info`, `cause`,
    `unexpected_errors`).
    """
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None) or ()
        queue += [getattr(one, "cause", None), *info[1:2], one.__cause__, one.__context__]
        queue += getattr(one, "unexpected_errors", None) or []
