"""The registry of test sets: one YAML a dataset, and suites that list them."""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from medpipe.errors import ConfigError
from medpipe.records import Domain, Record
from medpipe.yamls import YAMLError, load_yaml

Task = Literal["zero_shot", "multi_label", "retrieval", "grounding"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# First: what a dataset of the task is known by, and what domain means are made of.
METRICS: dict[str, tuple[str, ...]] = {
    "zero_shot": ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "map", "ece"),
    "multi_label": ("auroc", "map"),
    "retrieval": (
        "r10_mean",
        *(f"{way}_{what}" for way in ("image_to_text", "text_to_image")
          for what in ("r1", "r5", "r10", "r50", "median_rank")),
    ),
    "grounding": ("pointing", "inside_mass", "iou_best", "iou_50"),
}  # fmt: skip


class _Source(Record):
    uri: str = Field(min_length=1, description="File or folder; relative ones lie under `data`.")
    sha256: Sha256 | None = Field(
        None, description="Of the file, or of the sorted `sha256sum` lines of all files; checked."
    )
    split: str | None = Field(None, description="What is judged; None: everything.")
    train_split: str | None = Field(None, description="What linear probes may learn from.")


class FolderSource(_Source):
    """Pictures in a folder a class: `<uri>/[<split>/]<class>/<picture>`."""

    type: Literal["folder"]
    group_pattern: str | None = Field(
        None, description="Regular expression on the file name; its first group is the patient."
    )

    @field_validator("group_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and re.compile(pattern).groups < 1:
            raise ValueError("group_pattern needs a group, such as ^(patient[0-9]+)")
        return pattern


class _TableSource(_Source):
    image: str = Field("image", description="Column of the picture: its path, bytes or struct.")
    label: str | None = Field(
        None, description="Column of the class; None with multi_label: a 0/1 column a class."
    )
    label_separator: str | None = Field(None, description="Between several classes in one cell.")
    text: str | None = Field(None, description="Column of a caption or a list of captions.")
    box: str | tuple[str, str, str, str] | None = Field(
        None, description="Column of a box or list of boxes, or four columns."
    )
    box_form: Literal["xyxy", "xywh"] = "xyxy"
    box_unit: Literal["share", "px"] = "share"
    group: str | None = Field(None, description="Column of the patient, video or article.")
    split_column: str | None = Field(None, description="Column that names a row's split.")


class CsvSource(_TableSource):
    """A CSV file with paths of pictures."""

    type: Literal["csv"]
    images: str | None = Field(
        None, description="Folder below the CSV file's that paths start from; None: the file's own."
    )


class ParquetSource(_TableSource):
    """A Parquet file, or a folder of them, with the pictures inside."""

    type: Literal["parquet"]


class HfParquetSource(_TableSource):
    """Parquet as Hugging Face lays it out: `[data/]<split>-*.parquet`, pictures inside."""

    type: Literal["hf_parquet"]


class NpzSource(_Source):
    """An .npz file with `<split>_images` and `<split>_labels`, as MedMNIST's."""

    type: Literal["npz"]


class WebDatasetSource(_Source):
    """Tar shards `<uri>/[<split>/]*.tar`: members of one stem are one example.

    Members: a picture, `.cls` (a number), `.txt` (a caption), `.json` (`labels`, `texts`,
    `group`).
    """

    type: Literal["webdataset"]


class MedpipeSource(_Source):
    """A dataset that medpipe made: captions for retrieval, phrases with boxes for grounding."""

    type: Literal["medpipe"]
    kinds: tuple[str, ...] = Field(("roi",), description="Kinds of narration that count.")


Source = Annotated[
    FolderSource
    | CsvSource
    | ParquetSource
    | HfParquetSource
    | NpzSource
    | WebDatasetSource
    | MedpipeSource,
    Field(discriminator="type"),
]


class ClassSpec(Record):
    """A class: what people call it, what prompts call it, how the source spells it."""

    name: str = Field(min_length=1)
    prompts: tuple[str, ...] = Field((), description="Words for the templates; empty: the name.")
    value: str | None = Field(
        None, description="As the source has it; None: the name, or the position as a number."
    )

    @property
    def words(self) -> tuple[str, ...]:
        """What is put into the templates."""
        return self.prompts or (self.name,)


class DatasetSpec(Record):
    """One test set: where it lies, what is asked, and on what terms it may be used."""

    name: Slug
    title: str
    domain: Domain
    task: Task
    source: Source
    classes: tuple[ClassSpec, ...] = ()
    templates: tuple[str, ...] = Field((), description="Prompts with `{}` for the class.")
    negative_templates: tuple[str, ...] = Field(
        (), description="For multi_label: prompts of absence, one or more with `{}`."
    )
    primary_metric: str
    licence: str = Field(min_length=1, description="`unknown` where nobody said.")
    citation: str = Field(min_length=1)
    how_to_get: str = Field(min_length=1)
    notes: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.domain is Domain.OTHER:
            raise ValueError("domain must be one of the twelve")
        if self.primary_metric not in METRICS[self.task]:
            raise ValueError(f"{self.task} has {', '.join(METRICS[self.task])}")
        if self.task in ("zero_shot", "multi_label"):
            if len(self.classes) < 2:
                raise ValueError(f"{self.task} needs two classes or more")
            if not self.templates:
                raise ValueError(f"{self.task} needs templates")
        elif self.classes or self.templates:
            raise ValueError(f"{self.task} takes no classes and no templates")
        if len({c.name for c in self.classes}) != len(self.classes):
            raise ValueError("two classes share a name")
        if any("{}" not in t for t in (*self.templates, *self.negative_templates)):
            raise ValueError("every template needs {} where the class goes")
        return self

    @property
    def domain_metric(self) -> str:
        """The one metric that datasets of this task are averaged by."""
        return METRICS[self.task][0]

    def label_positions(self) -> dict[str, int]:
        """Position of a class by how the source spells it."""
        found = {c.value or c.name: i for i, c in enumerate(self.classes)}
        for i, c in enumerate(self.classes):
            if c.value is None:
                found.setdefault(str(i), i)
        return found


class Suite(Record):
    """A named, versioned list of test sets."""

    name: Slug
    version: str
    title: str
    datasets: tuple[DatasetSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [d.name for d in self.datasets]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self


def suite_names() -> list[str]:
    """Suites that come with medpipe."""
    return sorted(f.name[:-5] for f in _shipped().iterdir() if f.name.endswith(".yaml"))


def load_suite(reference: str | Path) -> Suite:
    """Load a suite by the name of a shipped one or from a YAML file.

    A file lists datasets as the names of shipped ones, paths of dataset files beside it, or in
    full.

    Raises:
        ConfigError: There is no such suite, or it is wrong; the message says where.
    """
    path = Path(reference)
    if path.is_file():
        tree, folder = _yaml(path.read_text("utf-8"), str(path)), path.parent
    elif str(reference) in suite_names():
        text = (_shipped() / f"{reference}.yaml").read_text("utf-8")
        tree, folder = _yaml(text, str(reference)), None
    else:
        raise ConfigError(f"no suite {str(reference)!r}; there are {', '.join(suite_names())}")
    if not isinstance(tree.get("datasets"), list):
        raise ConfigError(f"suite {reference}: `datasets` must be a list")
    tree["datasets"] = [_dataset(entry, folder) for entry in tree["datasets"]]
    try:
        return Suite(**tree)
    except ValidationError as error:
        raise ConfigError(f"suite {reference}: {error}") from error


def load_dataset(path: str | Path) -> DatasetSpec:
    """Load one dataset from its YAML file.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    return _dataset(str(path), Path())


def _dataset(entry: Any, folder: Path | None) -> DatasetSpec:
    if isinstance(entry, str):
        return _spec(_yaml(_dataset_text(entry, folder), entry), entry)
    if isinstance(entry, dict):
        return _spec(entry, str(entry.get("name")))
    raise ConfigError(f"a dataset is a name, a path or a mapping, not {entry!r}")


def _dataset_text(entry: str, folder: Path | None) -> str:
    if folder is not None and (folder / entry).is_file():
        return (folder / entry).read_text("utf-8")
    shipped = _shipped() / "datasets" / f"{entry}.yaml"
    if re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", entry) and shipped.is_file():
        return shipped.read_text("utf-8")
    raise ConfigError(f"no dataset {entry!r}: neither a file beside the suite nor a shipped one")


def _spec(tree: dict[str, Any], origin: str) -> DatasetSpec:
    try:
        return DatasetSpec(**tree)
    except ValidationError as error:
        raise ConfigError(f"dataset {origin}: {error}") from error


def _yaml(text: str, origin: str) -> dict[str, Any]:
    try:
        tree = load_yaml(text)
    except YAMLError as error:
        raise ConfigError(f"{origin} is no YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{origin} must be a mapping")
    return tree


def _shipped() -> Traversable:
    return resources.files("medpipe.genmedclip") / "suites"
