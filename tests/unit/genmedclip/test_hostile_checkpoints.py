"""Checkpoints that would run code, if anybody unpickled them."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

from medpipe.errors import ConfigError  # noqa: E402
from medpipe.genmedclip import ModelConfig  # noqa: E402
from medpipe.genmedclip.models import WEIGHTS, build, load  # noqa: E402

TINY = ModelConfig(name="tiny", image_px=32)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._witness), "w")


def test_the_payload_works_where_pickles_are_trusted(tmp_path: Path) -> None:
    torch.save({"state_dict": Payload(tmp_path / "ran")}, tmp_path / "evil.pt")

    torch.load(tmp_path / "evil.pt", weights_only=False)

    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors", ".npz"])
def test_a_file_with_a_payload_is_refused_and_not_run(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"evil{suffix}"
    torch.save({"state_dict": Payload(tmp_path / "ran")}, path)

    with pytest.raises(ConfigError):
        build(ModelConfig(name="tiny", init=str(path)))
    assert not (tmp_path / "ran").exists()


def test_a_folder_with_a_pickle_in_place_of_its_weights_is_refused(tmp_path: Path) -> None:
    build(TINY, seed=1).save(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    payload = {"state_dict": Payload(tmp_path / "ran")}
    torch.save(payload, tmp_path / "open_clip_pytorch_model.bin")

    with pytest.raises(ConfigError):
        load(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_a_pickle_under_the_safe_name_are_refused(tmp_path: Path) -> None:
    build(TINY, seed=1).save(tmp_path)
    torch.save({"state_dict": Payload(tmp_path / "ran")}, tmp_path / WEIGHTS)

    with pytest.raises(ConfigError):
        load(str(tmp_path))
    assert not (tmp_path / "ran").exists()
