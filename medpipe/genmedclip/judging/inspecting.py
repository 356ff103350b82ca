"""Looks at a new test set before it is judged: what is read, what is left out, and its hash."""

from collections import Counter

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.contract import Example
from medpipe.genmedclip.judging.pictures import decode
from medpipe.genmedclip.judging.registry import DatasetSpec
from medpipe.genmedclip.judging.rows import Dropped
from medpipe.genmedclip.judging.sources import find
from medpipe.records import Record
from medpipe.storage import StorageConfig


class Inspection(Record):
    """What a test set holds as its spec reads it.

    Attributes:
        sha256: To be written into the spec, so that other content is refused later.
        pictures: How many can be judged.
        classes: Pictures by class; a class with none is probably misspelled in `value`.
        texts: Captions in all.
        regions: Phrases with a box in all.
        groups: Distinct patients or videos.
        dropped: Rows that cannot be judged, by reason.
        example: Detail of the first dropped row.
    """

    sha256: str
    pictures: int
    classes: dict[str, int]
    texts: int
    regions: int
    groups: int
    dropped: dict[str, int]
    example: str | None


def inspect(
    spec: DatasetSpec, data: str = ".", storage: StorageConfig | None = None
) -> Inspection | None:
    """Read a test set once, decoding every picture; None if it is not there.

    Raises:
        Rejected: The files are not what the spec says.
    """
    test = find(spec, data, storage)
    if test is None:
        return None
    counts: Counter[str] = Counter()
    classes = dict.fromkeys((c.name for c in spec.classes), 0)
    groups: set[str | None] = set()
    dropped: list[Dropped] = []
    for row in test.read(spec.source.split):
        found = row if isinstance(row, Dropped) else _readable(row)
        if isinstance(found, Dropped):
            dropped.append(found)
            continue
        counts.update(pictures=1, texts=len(found.texts), regions=len(found.regions))
        groups.add(found.group)
        for position in found.labels:
            classes[spec.classes[position].name] += 1
    return Inspection(
        sha256=test.digest,
        pictures=counts["pictures"],
        classes=classes,
        texts=counts["texts"],
        regions=counts["regions"],
        groups=len(groups - {None}),
        dropped=dict(sorted(Counter(d.code for d in dropped).items())),
        example=f"{dropped[0].id}: {dropped[0].detail}" if dropped else None,
    )


def _readable(example: Example) -> Example | Dropped:
    try:
        decode(example.picture)
    except Rejected as error:
        return Dropped(example.id, error.code, error.detail)
    return example
