"""One batch of manifests on its way into one table: the files it writes and what it replaces."""

import uuid
from collections.abc import Iterator, Sequence

from medpipe.dataset.compaction import FULL_BYTES
from medpipe.dataset.files import Output, Source, merge
from medpipe.dataset.manifest import Manifest, TableFile
from medpipe.dataset.view import Change, TableView
from medpipe.storage import ObjectStore

# A worker's file of this size comes in as it is; merging it would gain little.
_ALONE_BYTES = 16 << 20

Added = list[tuple[TableFile, dict[str, int]]]


class Batch:
    """Keeps what it wrote across lost races, so that only what has changed is written again.

    Attributes:
        manifests: Those that have to do with the table.
        replaces: Whether rows of an older generation may have to go.
    """

    def __init__(self, store: ObjectStore, table: str, manifests: Sequence[Manifest]) -> None:
        self.table = table
        self.manifests = [
            m for m in manifests if m.generation > 1 or any(f.table == table for f in m.files)
        ]
        self.replaces = any(m.generation > 1 for m in manifests)
        self._store = store
        self._outputs: dict[tuple[Source, ...], Output | None] = {}

    def change(self, view: TableView, fresh: Sequence[Manifest]) -> Change:
        """Write the rows of fresh items into few files, and what is left of those with old rows.

        Raises:
            FileNotFoundError: A file is gone: another committer was faster.
        """
        added: Added = []
        small: list[tuple[Source, TableFile, dict[str, int]]] = []
        for manifest in fresh:
            whose = {manifest.item_id: manifest.generation}
            for file in manifest.files:
                if file.table == self.table and file.size_bytes >= _ALONE_BYTES:
                    added.append((file, whose))
                elif file.table == self.table:
                    source = Source(file.path, file.size_bytes, one_item=True)
                    small.append((source, file, whose))
        if len(small) == 1:
            added.append(small.pop()[1:])
        for group in _groups([source for source, _, _ in small]):
            added += self._merged(group)
        old: dict[str, set[str]] = {}
        for manifest in fresh:
            if (place := view.place(manifest.item_id)) is not None:
                old.setdefault(place.path, set()).add(manifest.item_id)
        for path, items in old.items():
            added += self._merged((Source(path, view.files[path], frozenset(items)),))
        return Change(added, list(old))

    def spent(self, view: TableView) -> list[str]:
        """Keys of the workers' files whose rows the batch itself brought in by a merged file."""
        return [
            f"{self.table}/{source.path}"
            for sources, output in self._outputs.items()
            if output is not None and output.file.path in view.files
            for source in sources
            if source.one_item
        ]

    def _merged(self, sources: tuple[Source, ...]) -> Added:
        if sources not in self._outputs:
            name = part_name()
            self._outputs[sources] = merge(self._store, self.table, name, sources)
        output = self._outputs[sources]
        return [(output.file, output.items)] if output is not None else []


def part_name() -> str:
    """A fresh name for a file with rows of several items."""
    return f"part-{uuid.uuid4().hex}.parquet"


def _groups(sources: Sequence[Source]) -> Iterator[tuple[Source, ...]]:
    """Files that go into one, in order; each about as big as compaction leaves alone."""
    group: list[Source] = []
    for source in sources:
        group.append(source)
        if sum(s.size_bytes for s in group) >= 2 * FULL_BYTES:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)
