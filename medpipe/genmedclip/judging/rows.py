"""What readers of all kinds share: rows that were left out, and classes by their spelling."""

from collections.abc import Iterable
from dataclasses import dataclass

from medpipe.genmedclip.judging.registry import DatasetSpec


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that cannot be judged, with the reason.

    Attributes:
        id: Of the row.
        code: Reason code, snake_case.
        detail: What was seen.
    """

    id: str
    code: str
    detail: str


def found_labels(spelled: Iterable[str], spec: DatasetSpec) -> tuple[int, ...] | str:
    """Positions of classes, or the reason why the row cannot be judged.

    Classes that the spec does not list are ignored where a row may have several.
    """
    known = spec.label_positions()
    spelled = list(spelled)
    if spec.task == "multi_label":
        return tuple(sorted({known[s] for s in spelled if s in known}))
    if len(spelled) != 1:
        return f"{len(spelled)} classes where one is needed"
    if spelled[0] not in known:
        return f"class {spelled[0][:80]!r} is not listed"
    return (known[spelled[0]],)
