"""Checkpoints in an object store: written whole, then pointed at; nothing is unpickled.

`checkpoints/step-<n>/` holds the model as a folder that open_clip loads, the optimiser and
`state.json` with everything that the rest of the run depends on; `LATEST.json` names the newest.
"""

import hashlib
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from torch import nn

import medpipe
from medpipe.errors import ConfigError
from medpipe.genmedclip.config import GenMedClipConfig
from medpipe.genmedclip.models import CONFIG, WEIGHTS, Built
from medpipe.genmedclip.order import Cursor
from medpipe.records import Record
from medpipe.storage import ObjectStore

LATEST = "LATEST.json"
_ROOT = "checkpoints"
_OPTIMIZER = "optimizer.pt"
_STATE = "state.json"


# Settings of data that change pace only, and those of the run that change what is learned.
_PACE = {"cache_bytes", "threads", "readers", "prefetch"}
_SHAPING_RUN = ("epochs", "global_batch", "precision", "seed")


class State(Record):
    """Where a run stands and what it stands on.

    Attributes:
        step: Steps taken.
        epoch: Of the next batch.
        batch: Next batch of the epoch.
        dataset: URI of the dataset.
        dataset_version: Delta version of its samples.
        dataset_fingerprint: Of the index.
        config: Of the run.
        medpipe_version: That wrote it.
        torch_version: That wrote it.
        sha256: Of the checkpoint's other files, by name.
    """

    step: int = Field(ge=0)
    epoch: int = Field(ge=0)
    batch: int = Field(ge=0)
    dataset: str
    dataset_version: int
    dataset_fingerprint: str
    config: GenMedClipConfig
    medpipe_version: str = medpipe.__version__
    torch_version: str = str(torch.__version__)
    sha256: dict[str, str] = Field(default_factory=dict)

    def lineage(self) -> dict[str, Any]:
        """What must be equal for a run to go on from here, by name; pace and place are left out."""
        config = self.config.model_dump(mode="json")
        run = config.pop("run")
        for name in _PACE:
            del config["data"][name]
        return {
            "dataset": self.dataset,
            "dataset_fingerprint": self.dataset_fingerprint,
            **{
                room: {k: v for k, v in part.items() if k not in _PACE}
                for room, part in config.items()
            },
            **{f"run.{name}": run[name] for name in _SHAPING_RUN},
        }

    def differs(self, other: "State") -> str:
        """Names of what differs from another state's lineage."""
        mine, theirs = self.lineage(), other.lineage()
        return ", ".join(name for name in mine if mine[name] != theirs[name])

    @property
    def cursor(self) -> Cursor:
        """The next batch."""
        return Cursor(self.epoch, self.batch)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        store: Of the run.
        keep: Newest checkpoints that stay.
    """

    def __init__(self, store: ObjectStore, keep: int = 3) -> None:
        self._store = store
        self._keep = keep

    def save(self, built: Built, optimizer: torch.optim.Optimizer, state: State) -> str:
        """Write a checkpoint and point at it; older ones beyond `keep` go.

        Returns:
            Its key.
        """
        key = f"{_ROOT}/step-{state.step:09d}"
        buffer = io.BytesIO()
        torch.save(optimizer.state_dict(), buffer)
        files = {**model_files(built), _OPTIMIZER: buffer.getvalue()}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        state = state.model_copy(update={"sha256": digests})
        for name, data in files.items():
            self._store.write(f"{key}/{name}", data)
        self._store.write(f"{key}/{_STATE}", state.model_dump_json(indent=1).encode())
        pointer = json.dumps({"step": state.step, "key": key})
        self._store.write(LATEST, pointer.encode())
        self._prune()
        return key

    def latest(self) -> str | None:
        """Key of the newest whole checkpoint, or None before the first."""
        try:
            pointer = json.loads(self._store.read(LATEST))
            return str(pointer["key"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._store.uri}/{LATEST} is damaged: {error}") from error

    def state(self, key: str) -> State:
        """What a checkpoint stands on.

        Raises:
            ConfigError: It is damaged, or written by another version of medpipe.
        """
        try:
            return State.model_validate_json(self._store.read(f"{key}/{_STATE}"))
        except (FileNotFoundError, ValidationError) as error:
            raise ConfigError(f"{self._store.uri}/{key} is no checkpoint: {error}") from error

    def restore(self, key: str, model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
        """Fill a model and its optimiser from a checkpoint.

        Raises:
            ConfigError: A file is damaged or does not fit.
        """
        from safetensors.torch import load

        state = self.state(key)
        try:
            model.load_state_dict(load(self._checked(key, WEIGHTS, state)))
            saved = io.BytesIO(self._checked(key, _OPTIMIZER, state))
            optimizer.load_state_dict(torch.load(saved, weights_only=True, map_location="cpu"))
        except (FileNotFoundError, RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(f"checkpoint {key} does not fit: {error}") from error
        return state

    def _checked(self, key: str, name: str, state: State) -> bytes:
        data = self._store.read(f"{key}/{name}")
        if hashlib.sha256(data).hexdigest() != state.sha256.get(name):
            raise ConfigError(f"{self._store.uri}/{key}/{name} is damaged: its sha256 is wrong")
        return data

    def _prune(self) -> None:
        """Delete the oldest checkpoints, the state file first, so that none stays half."""
        found: dict[str, list[str]] = {}
        for key in self._store.keys(_ROOT):
            folder = key.rsplit("/", 1)[0]
            if re.fullmatch(rf"{_ROOT}/step-\d+", folder):
                found.setdefault(folder, []).append(key)
        for folder in sorted(found)[: -self._keep]:
            for key in sorted(found[folder], key=lambda one: not one.endswith(_STATE)):
                self._store.delete(key)


def model_files(built: Built) -> dict[str, bytes]:
    """The model as the files of a folder that `open_clip.create_model("local-dir:...")` loads."""
    with tempfile.TemporaryDirectory(prefix="medpipe-model-") as name:
        built.save(Path(name))
        return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}


def fetch_model(store: ObjectStore, key: str, folder: Path) -> None:
    """Bring a checkpoint's model to a local folder.

    Raises:
        ConfigError: There is no model under this key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [one[len(key) + 1 :] for one in store.keys(key)]
    if CONFIG not in names:
        raise ConfigError(f"{store.uri}/{key} holds no model")
    for name in names:
        if name not in {_OPTIMIZER, _STATE} and "/" not in name:
            (folder / name).write_bytes(store.read(f"{key}/{name}"))
