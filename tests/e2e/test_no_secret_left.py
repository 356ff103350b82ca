"""A run that is given secrets of every kind, and everything that it leaves, searched for them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpipe import Dataset, open_store
from medpipe.demo.judge import bundled_lectures
from tests.support import command
from tests.support.site import Site

SIGNATURE = "sIgnaTure9f8e7d6c5b"
PASSWORD = "pAssw0rd-of-the-proxy"
COOKIE = "cOokie-value-31337"
CLOUD_KEY = "clOud/secret+key0123456789"
USER_WORD = "uSer-word-in-a-url"
SECRETS = (SIGNATURE, PASSWORD, COOKIE, CLOUD_KEY, USER_WORD)


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Where Ray keeps its logs; its sockets need a short path."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def places(folder: Path, secret: str) -> list[str]:
    """Files below a folder that hold a secret, or bear it as their name."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_socket():
            held = secret.encode() in path.read_bytes()
            found += [str(path.relative_to(folder))] if held or secret in path.name else []
    return found


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_run_leaves_no_secret_anywhere_but_in_the_queue_that_was_given_it(
    tmp_path: Path, ray_folder: Path
) -> None:
    out, scratch, state = tmp_path / "out", tmp_path / "scratch", tmp_path / "state"
    scratch.mkdir()
    jar = tmp_path / "jar.txt"
    jar.write_text(
        f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t1999999999\tS\t{COOKIE}\n"
    )
    jar.chmod(0o644)
    secrets = {
        "MEDPIPE_FETCH__COOKIES_FILE": str(jar),
        "AWS_SECRET_ACCESS_KEY": CLOUD_KEY,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "RAY_TMPDIR": str(ray_folder),
    }
    with Site(tmp_path) as site:
        site.put("/lecture.mp4", bundled_lectures()[-1].read_bytes(), "video/mp4")
        site.put("/echo.mp4", f"<html>{SIGNATURE}</html>", status=418, X_Echo=SIGNATURE)
        signed = f"X-Amz-Signature={SIGNATURE}&X-Amz-Date=1"
        listed = tmp_path / "sources.txt"  # an argument can be read by everybody on the machine
        names = ["lecture.mp4", "missing.mp4", "echo.mp4", "broken.mp4", "loop.mp4"]
        lines = [f"{site.url}/{name}?{signed}" for name in names]
        lines.append(site.url.replace("://", f"://bob:{USER_WORD}@") + "/lecture.mp4")
        listed.write_text("\n".join(lines))
        proxy = site.url.replace("://", f"://eve:{PASSWORD}@")
        ran = command.run(
            "run", f"@{listed}", "--out", out, "--queue", state / "queue.sqlite",
            "--recipe", "demo", "--json",
            "--set", "fetch.allow_private_networks=true",
            "--set", "scheduling.retry.transient_tries=1",
            "--set", f"runtime.scratch_dir={scratch}",
            timeout_s=360, MEDPIPE_FETCH__PROXY=proxy, **secrets,
        )  # fmt: skip
        sent = [dict(headers) for path, headers in site.hits if path == "/lecture.mp4"]

    assert ran.code == 2, ran.err  # the URL with a password was refused
    assert [refused["code"] for refused in ran.json["refused"]] == ["bad_url"]
    assert any(COOKIE in headers.get("Cookie", "") for headers in sent)  # they were used
    assert any("Proxy-Authorization" in headers for headers in sent)
    assert "chmod 600" in ran.err + "".join(logs(ray_folder))
    rows = Dataset(open_store(str(out))).rows("items", ["verdict", "url"]).to_pylist()
    assert sorted(row["verdict"] for row in rows) == ["done", *["rejected"] * 4]
    assert all("X-Amz-Signature=***" in row["url"] for row in rows)
    for secret in SECRETS:
        assert secret not in ran.out + ran.err
        assert places(out, secret) == []
        assert places(scratch, secret) == []
        assert places(ray_folder, secret) == []
    kept = {secret for secret in SECRETS if places(state, secret)}
    assert kept <= {SIGNATURE}  # without it nobody could fetch the item


def logs(folder: Path) -> Iterator[str]:
    """What Ray's processes logged."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".log", ".out", ".err"):
            yield path.read_text("utf-8", errors="replace")
