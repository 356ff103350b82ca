"""The manifest: one small object whose put decides that an attempt's files are the item's."""

import hashlib
import re

from medpipe.records import ItemId, Record

MANIFESTS = "_items"

# Not in the folder of the table `clips`: whoever vacuums that deletes what its log does not name.
CLIPS = "_clips"


class TableFile(Record):
    """One Parquet file of one table: `path` is relative to the table's folder."""

    table: str
    path: str
    size_bytes: int
    rows: int
    stats: str


class Manifest(Record):
    """What one item's winning attempt wrote.

    Attributes:
        item_id: Whose rows these are.
        generation: 1 for the first run of an item, one more for each re-run.
        config_hash: Of the config that shaped the rows.
        verdict: `done` or `rejected`.
        reason: The reject's code, or None.
        files: One or more Parquet files by table.
    """

    item_id: ItemId
    generation: int
    config_hash: str
    verdict: str
    reason: str | None = None
    files: tuple[TableFile, ...]

    @property
    def key(self) -> str:
        """Where the manifest lies in the store."""
        return manifest_key(self.item_id, self.generation)


def safe_name(item_id: str) -> str:
    """A file name for an id: `file:ab` becomes `file-ab`; one to one, and no path."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", item_id, count=1)


def item_of_key(key: str) -> tuple[str, int]:
    """The item and the generation of a manifest's key."""
    _, _, name, file = key.split("/")
    return name.replace("-", ":", 1), int(file.removesuffix(".json"))


def item_folder(item_id: str) -> str:
    """Where an item's manifests lie; spread over 256 prefixes by a hash of the id."""
    return f"{MANIFESTS}/{_spread(item_id)}/{safe_name(item_id)}"


def clip_prefix(item_id: str, generation: int) -> str:
    """How the keys of an item's clips of one generation begin; a hash of the content follows.

    So an attempt that does the same work again writes the same objects.
    """
    return f"{CLIPS}/{_spread(item_id)}/{safe_name(item_id)}/{generation:06d}-"


def _spread(item_id: str) -> str:
    return hashlib.sha256(item_id.encode()).hexdigest()[:2]


def manifest_key(item_id: str, generation: int) -> str:
    """Key of an item's manifest of one generation."""
    return f"{item_folder(item_id)}/{generation:06d}.json"
