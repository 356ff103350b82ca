"""The Dockerfile under hadolint, and against what cluster/ expects of images. Builds none."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TARGETS = ["cpu", "curate-gpu", "train-gpu"]


def stage(name: str) -> str:
    """The lines of a stage."""
    found = re.search(rf"^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", TEXT, re.S | re.M)
    assert found is not None, name
    return found[1]


def copied() -> set[str]:
    """What the builder is asked for, from outside."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.M)
    binds = re.findall(r"--mount=type=bind,source=([^,]+)", TEXT)
    return {part for line in lines for part in line.split()[:-1]} | set(binds)


def hadolint(text: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([program, "-"], input=text, capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say() -> None:
    done = hadolint(TEXT)

    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_something() -> None:
    assert "DL3008" in hadolint(TEXT.replace("# hadolint ignore=DL3008\n", "")).stdout


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_ends_as_an_ordinary_user(target: str) -> None:
    users = re.findall(r"^USER (\S+)$", stage(target), re.M)

    assert users[-1] == "1000"


def test_every_target_is_the_cpu_image_with_more() -> None:
    bases = re.findall(r"^FROM (\S+) AS (\S+)$", TEXT, re.M)

    assert {name: base for base, name in bases[-2:]} == {
        "curate-gpu": "cpu", "train-gpu": "cpu",
    }  # fmt: skip
    assert "HEALTHCHECK" in stage("cpu")
    assert "RAY_AUTH_MODE=token" in stage("cpu")


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert sent == copied()
    assert all((ROOT / name).exists() for name in sent)


def test_images_have_one_ray_and_the_python_of_the_project() -> None:
    ray = next(name for name in PROJECT["dependencies"] if name.startswith("ray["))
    manifest = yaml.safe_load((ROOT / "cluster/kuberay/base/raycluster.yaml").read_text("utf-8"))
    (python,) = re.findall(r"^ARG PYTHON=(\d\.\d+)-", TEXT, re.M)

    assert ray.endswith(f"=={manifest['spec']['rayVersion']}")
    assert f"python{python}/site-packages" in stage("curate-gpu")
    assert PROJECT["requires-python"].startswith(f">={python}")


def test_what_cluster_files_start_lies_in_the_image() -> None:
    """Paths below /opt/medpipe, and the user that Kubernetes and `ray up` go by."""
    files = [*(ROOT / "cluster").glob("*.yaml"), *(ROOT / "cluster/kuberay").rglob("*.yaml")]
    texts = " ".join(path.read_text("utf-8") for path in files)
    started = set(re.findall(r"/opt/medpipe/(\S+\.py)", texts))

    assert started == {"jobs/curate.py", "jobs/train.py", "drain_on_notice.py"}
    assert "COPY jobs /opt/medpipe/jobs" in TEXT
    assert "COPY cluster/drain_on_notice.py /opt/medpipe/" in TEXT
    assert "useradd --uid 1000 " in TEXT
    assert set(re.findall(r"runAsUser: (\d+)\n", texts)) == {"1000"}
