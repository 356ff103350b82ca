"""The sum of the rooms' configs: loaded from a recipe, the environment and overrides, checked.

Later sources win: defaults, then the recipe (YAML), then `MEDPIPE_<ROOM>__<FIELD>` variables, then
overrides. A name that does not exist is an error with a proposal, wherever it comes from.
"""

import difflib
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from medpipe.dataset import ImageConfig
from medpipe.errors import ConfigError
from medpipe.genmedclip import GenMedClipConfig
from medpipe.logs import LogConfig
from medpipe.queues import QueueConfig
from medpipe.records import Record
from medpipe.scheduling import SchedulingConfig
from medpipe.stages.acquire import AcquireConfig, AcquireRules, FetchConfig
from medpipe.stages.align import AlignConfig
from medpipe.stages.classify import ClassifyConfig
from medpipe.stages.clips import ClipConfig
from medpipe.stages.extract import ExtractConfig
from medpipe.stages.refine import RefineConfig
from medpipe.stages.transcribe import TranscribeConfig
from medpipe.storage import StorageConfig
from medpipe.telemetry import Timings, TracingConfig
from medpipe.yamls import YAMLError, load_yaml

_PREFIX = "MEDPIPE_"

# Fields that change speed or place but no row, by room.
_NO_ROWS: dict[str, set[str]] = {
    "transcribe": {"device", "cpu_threads", "allow_download", "model_sha256"},
}


# Kubernetes' syntax, which Ray checks by an expression that a hostile name can keep busy for ever.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LABEL = re.compile(rf"(?:{_DOMAIN}(?:\.{_DOMAIN})*/)?{_NAME}")
_SELECTOR = re.compile(rf"!?(?:{_NAME}|in\({_NAME}(?:, ?{_NAME})*\))")
_LABEL_CHARACTERS, _SELECTOR_CHARACTERS = 253, 1000


class PriceConfig(Record):
    """What compute costs; without prices no cost is told."""

    cpu_hour_usd: float | None = Field(None, ge=0, description="Dollars for an hour of one CPU.")
    gpu_hour_usd: float | None = Field(
        None, ge=0, description="Dollars for an hour of the share of a GPU that a transcriber has."
    )

    def cost_usd(self, timings: Timings) -> float | None:
        """What an item has cost so far, or None without prices.

        CPU time is paid by the CPU second, a transcriber's GPU by the wall second.
        """
        if self.cpu_hour_usd is None and self.gpu_hour_usd is None:
            return None
        cpu_h = sum(timings.cpu_s.values()) / 3600
        gpu_h = timings.wall_s.get("transcribe", 0.0) / 3600
        return cpu_h * (self.cpu_hour_usd or 0.0) + gpu_h * (self.gpu_hour_usd or 0.0)


class RuntimeConfig(Record):
    """Workers on Ray: how many at most, and what one of them asks of the cluster."""

    address: str | None = Field(
        None, description="Ray cluster; None starts a local one or uses RAY_ADDRESS."
    )
    extract_workers: int | None = Field(None, ge=1, description="Most; None: by the cluster.")
    transcribe_workers: int | None = Field(None, ge=1, description="Most; None: by the cluster.")
    write_workers: int | None = Field(None, ge=1, description="Most; None: by the cluster.")
    extract_cpus: float = Field(1, gt=0, description="CPUs of an extract worker.")
    transcribe_cpus: float = Field(1, gt=0, description="CPUs of a transcribe worker.")
    transcribe_gpus: float = Field(0, ge=0, description="GPUs of a transcribe worker, e.g. 0.5.")
    write_cpus: float = Field(1, gt=0, description="CPUs of a write worker.")
    extract_labels: dict[str, str] = Field(
        {},
        description="Labels that the node of an extract worker must have, as Ray's selectors: "
        "`L4`, `!L4`, `in(L4, A100)`.",
    )
    transcribe_labels: dict[str, str] = Field(
        {},
        description="The same for a transcribe worker, e.g. `{ray.io/accelerator-type: L4}`.",
    )
    write_labels: dict[str, str] = Field({}, description="The same for a write worker.")
    worker_memory_bytes: int = Field(
        4 << 30, ge=256 << 20, description="Memory a worker may hold before it ends itself."
    )
    scratch_dir: str | None = Field(
        None, description="Folder for media on every worker; None: the system's temporary folder."
    )
    lease_s: float = Field(120, gt=1, description="Lease on an item; renewed every third of it.")
    commit_items: int = Field(50, ge=1, description="Commit when so many items wait.")
    commit_s: float = Field(20, ge=0, description="Or when the oldest has waited so long.")
    audio_block_s: float = Field(
        120, ge=10, le=600, description="Longest block of sound that crosses to a transcriber."
    )
    head_lost_s: float = Field(
        45,
        gt=0,
        description="The job ends, to be resumed, when Ray's head was away for so long; Ray itself "
        "ends it after RAY_gcs_rpc_server_reconnect_timeout_s (60).",
    )
    object_store_bytes: int = Field(
        256 << 20, ge=80 << 20, description="Object store of a local cluster."
    )

    @field_validator("extract_labels", "transcribe_labels", "write_labels")
    @classmethod
    def _labels_are_rays(cls, labels: dict[str, str]) -> dict[str, str]:
        for name, wanted in labels.items():
            if len(name) > _LABEL_CHARACTERS or not _LABEL.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no name of a label")
            if len(wanted) > _SELECTOR_CHARACTERS or not _SELECTOR.fullmatch(wanted):
                raise ValueError(f"{wanted[:80]!r} is none of 'L4', '!L4', 'in(L4, A100)'")
        return labels


class MedpipeConfig(Record):
    """Everything that can be set; each part is owned by its room."""

    fetch: FetchConfig = FetchConfig()
    acquire: AcquireRules = AcquireRules()
    transcribe: TranscribeConfig = TranscribeConfig()
    extract: ExtractConfig = ExtractConfig()
    classify: ClassifyConfig = ClassifyConfig()
    refine: RefineConfig = RefineConfig()
    align: AlignConfig = AlignConfig()
    clips: ClipConfig = ClipConfig()
    image: ImageConfig = ImageConfig()
    storage: StorageConfig = StorageConfig()
    queue: QueueConfig = QueueConfig()
    scheduling: SchedulingConfig = SchedulingConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    prices: PriceConfig = PriceConfig()
    log: LogConfig = LogConfig()
    tracing: TracingConfig = TracingConfig()
    genmedclip: GenMedClipConfig = GenMedClipConfig()

    @property
    def acquiring(self) -> AcquireConfig:
        """What the acquiring room takes: its rules and how to fetch."""
        return AcquireConfig(**self.acquire.model_dump(), fetch=self.fetch)

    def rows_hash(self) -> str:
        """16 hex characters over all that shapes a row; pace, place and pools are left out."""
        shaping: dict[str, Any] = {
            room: getattr(self, room).model_dump(mode="json", exclude=_NO_ROWS.get(room))
            for room in ("acquire", "transcribe", "extract", "classify", "refine", "align", "image")
        }
        if self.clips.enabled:
            shaping["clips"] = self.clips.model_dump(mode="json")
        shaping["max_height_px"] = self.fetch.max_height_px
        shaping["audio_block_s"] = self.runtime.audio_block_s
        canonical = json.dumps(shaping, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def recipe_names() -> list[str]:
    """Names of the recipes that come with medpipe."""
    folder = resources.files("medpipe") / "recipes"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> MedpipeConfig:
    """Load and check a config.

    Args:
        recipe: Name of a recipe that comes with medpipe, or path of a YAML file.
        overrides: `room.field=value`, value in YAML.
        environ: Environment to read `MEDPIPE_...` from; None for the process's own.

    Raises:
        ConfigError: A file is missing or no YAML, a name does not exist or a value is out of
            bounds; the message names it and proposes the nearest.
    """
    tree = _recipe(recipe) if recipe else {}
    env = os.environ if environ is None else environ
    for name, text in sorted(env.items()):
        if name.startswith(_PREFIX):
            path = name[len(_PREFIX) :].lower().split("__")
            if len(path) > 1:  # MEDPIPE_X without a room is somebody else's
                _set(tree, path, _yaml(text, name), origin=name)
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"override {override!r} has no '='; write room.field=value")
        _set(tree, dotted.strip().split("."), _yaml(text, dotted), origin=dotted)
    try:
        return MedpipeConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error))) from error


def explain() -> str:
    """Every setting as Markdown: name, type, default, bounds and meaning, by room."""
    lines = [
        "# Settings",
        "",
        "Made from the code by `python -m medpipe.config`; a test keeps it true. Later wins:",
        "defaults, recipe (`--recipe NAME|FILE`), `MEDPIPE_<ROOM>__<FIELD>` in the environment,",
        "`--set room.field=value`.",
    ]
    for room, field in MedpipeConfig.model_fields.items():
        lines += ["", f"## {room}", ""]
        lines += _explained(field.annotation, room)
    return "\n".join(lines) + "\n"


def _explained(model: Any, path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _explained(kind, f"{path}.{name}")
            continue
        shown = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        bounds = ", ".join(
            f"{sign} {getattr(limit, key)}"
            for limit in field.metadata
            for key, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
            if hasattr(limit, key)
        )
        default = json.dumps(field.default, default=str)
        meaning = field.description or ""
        limits = f", {bounds}" if bounds else ""
        yield f"- `{path}.{name}` ({shown}{limits}) = `{default}`: {meaning}"


def _recipe(recipe: str) -> dict[str, Any]:
    if recipe in recipe_names():
        text = (resources.files("medpipe") / "recipes" / f"{recipe}.yaml").read_text("utf-8")
    else:
        try:
            text = Path(recipe).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(recipe_names())
            raise ConfigError(f"no recipe {recipe!r} ({error}); there are: {names}") from error
    tree = _yaml(text, recipe)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"recipe {recipe!r} must be a mapping of rooms to settings")
    return tree


def _yaml(text: str, origin: str) -> Any:
    try:
        return load_yaml(text)
    except YAMLError as error:
        raise ConfigError(f"{origin} is no YAML: {error}") from error


def _set(tree: dict[str, Any], path: list[str], value: Any, *, origin: str) -> None:
    for part in path[:-1]:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            raise ConfigError(f"{origin}: {part} is a value, not a group of settings")
        tree = branch
    tree[path[-1]] = value


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        line = f"{'.'.join(place)}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place[-1], _fields_at(place[:-1]), n=1)
            line = f"{'.'.join(place)}: there is no such setting"
            line += f"; did you mean {near[0]!r}?" if near else ""
        yield line


def _fields_at(path: list[str]) -> list[str]:
    model: Any = MedpipeConfig
    for part in path:
        model = model.model_fields[part].annotation
    return list(model.model_fields) if issubclass(model, BaseModel) else []


if __name__ == "__main__":
    sys.stdout.write(explain())
