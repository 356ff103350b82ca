"""Finds the model that a reference names: a run, a checkpoint, a folder or a name of open_clip."""

import tempfile
from pathlib import Path

from medpipe.genmedclip.checkpoints import Checkpoints, fetch_model
from medpipe.genmedclip.models import Clip, load
from medpipe.storage import StorageConfig, open_store


def load_reference(
    reference: str, storage: StorageConfig | None = None, *, device: str = "cpu"
) -> Clip:
    """Load a model to judge, from wherever it lies.

    Args:
        reference: URI of a run (its newest checkpoint), of a checkpoint, a local folder with
            `open_clip_config.json`, or `name[:weights]` as open_clip calls it.
        storage: For S3.
        device: Of torch.

    Raises:
        ConfigError: There is no such model.
    """
    if not _is_place(reference):
        return load(reference, device=device)
    uri = reference if "://" in reference else str(Path(reference).absolute())
    parent, _, name = uri.rstrip("/").rpartition("/")
    newest = Checkpoints(open_store(uri, storage)).latest()
    with tempfile.TemporaryDirectory(prefix="medpipe-model-") as folder:
        if newest is None:
            fetch_model(open_store(parent, storage), name, Path(folder))
        else:
            fetch_model(open_store(uri, storage), newest, Path(folder))
            name = f"{name}@{newest.rsplit('/', 1)[-1]}"
        model = load(folder, device=device)
    model.name = name
    return model


def _is_place(reference: str) -> bool:
    """Whether a reference is a path or a URI, and no name of a model."""
    return "://" in reference or Path(reference).is_dir() or reference.startswith((".", "/"))
