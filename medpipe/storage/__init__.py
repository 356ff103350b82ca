"""Object stores by URL: a folder or an S3 bucket behind one small class."""

from medpipe.storage.objects import ObjectStore, StorageConfig, open_store

__all__ = ["ObjectStore", "StorageConfig", "open_store"]
