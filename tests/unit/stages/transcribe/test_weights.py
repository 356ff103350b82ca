import hashlib
import shutil
from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.stages.transcribe import TranscribeConfig, Transcriber
from medpipe.stages.transcribe.weights import BUNDLED_SHA256, check_weights, find_weights


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder, _ = find_weights(TranscribeConfig())
    return Path(shutil.copytree(folder, tmp_path / "tiny.en"))


def test_the_bundled_weights_are_the_ones_that_were_recorded() -> None:
    folder, name = find_weights(TranscribeConfig())

    assert name == "tiny.en"
    check_weights(folder, BUNDLED_SHA256)


@pytest.mark.parametrize("name", BUNDLED_SHA256)
def test_one_flipped_bit_is_noticed_before_anything_is_loaded(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek(100)
        byte = file.read(1)[0]
        file.seek(100)
        file.write(bytes([byte ^ 1]))

    with pytest.raises(ConfigError, match=rf"{name} is not the speech model that was meant"):
        check_weights(copy, BUNDLED_SHA256)


def test_a_file_that_is_missing_is_named(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()

    with pytest.raises(ConfigError, match=r"lacks tokenizer\.json"):
        check_weights(copy, BUNDLED_SHA256)


def test_weights_from_a_directory_are_held_against_the_recipes_sum(copy: Path) -> None:
    right = hashlib.sha256((copy / "model.bin").read_bytes()).hexdigest()

    with pytest.raises(ConfigError, match="expected 000"):
        Transcriber(TranscribeConfig(model=str(copy), model_sha256="0" * 64)).open()
    with Transcriber(TranscribeConfig(model=str(copy), model_sha256=right, device="cpu")):
        pass
