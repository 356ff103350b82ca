"""The names that others may lean on, and what importing them costs."""

import subprocess
import sys

import pytest

import medpipe

PUBLIC = [
    "Box",
    "ConfigError",
    "Dataset",
    "Domain",
    "Extraction",
    "Item",
    "MedpipeConfig",
    "MedpipeError",
    "Narration",
    "PointerKind",
    "Rejected",
    "Scene",
    "Trace",
    "Transcript",
    "Transient",
    "Video",
    "Word",
    "load_config",
    "open_store",
    "run_item",
]
HEAVY = ["ray", "torch", "cv2", "faster_whisper", "ctranslate2", "deltalake", "s3fs", "yt_dlp"]


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after some code."""
    shown = "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + shown], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_public_names_are_these() -> None:
    assert medpipe.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_leads_to_something_with_a_docstring(name: str) -> None:
    thing = getattr(medpipe, name)

    assert thing.__name__ == name
    assert thing.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Sample'"):
        medpipe.Sample  # noqa: B018


def test_importing_medpipe_loads_nothing_heavy() -> None:
    assert not loaded_by("import medpipe") & set(HEAVY)


def test_the_command_line_starts_without_models() -> None:
    heavy = {"torch", "faster_whisper", "ctranslate2"}

    assert not loaded_by("import medpipe.cli.app") & heavy


def test_the_walk_in_process_needs_no_ray() -> None:
    assert not loaded_by("from medpipe import run_item") & {"ray", "torch"}
