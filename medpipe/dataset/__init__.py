"""The dataset: Arrow schemas, the writer of an item's files, the committer and the reader."""

from medpipe.dataset.commit import Committer
from medpipe.dataset.images import ImageConfig, encode_image
from medpipe.dataset.manifest import Manifest
from medpipe.dataset.reader import Dataset
from medpipe.dataset.schema import SCHEMA_VERSION, TABLES
from medpipe.dataset.writer import write_item

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "Committer",
    "Dataset",
    "ImageConfig",
    "Manifest",
    "encode_image",
    "write_item",
]
