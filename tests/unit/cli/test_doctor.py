"""The doctor on a file of cookies: it counts them and tells none."""

from pathlib import Path

import pytest

from medpipe import load_config
from medpipe.cli.doctor import examine
from medpipe.runtime.survey import Finding

GOOD = "# Netscape HTTP Cookie File\n#HttpOnly_.example.org\tTRUE\t/\tTRUE\t0\tsid\ts3cret\n"


def cookies(path: Path) -> Finding:
    config = load_config("demo", [f"fetch.cookies_file={path}"])
    (found,) = [finding for finding in examine(config, None) if finding.what == "cookies"]
    return found


@pytest.mark.parametrize(
    ("text", "mode", "ok", "needed", "seen"),
    [
        (GOOD, 0o600, True, False, "1 cookies"),
        (GOOD, 0o644, False, False, "1 cookies, others may read the file"),
        ('{"sid": "s3cret"}', 0o600, False, True, "0 cookies"),
    ],
    ids=["good", "shared", "not Netscape's"],
)
def test_cookies_are_counted_and_kept_from_others(
    text: str, mode: int, ok: bool, needed: bool, seen: str, tmp_path: Path
) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(text)
    path.chmod(mode)

    found = cookies(path)

    assert (found.ok, found.needed, found.seen) == (ok, needed, seen)
    assert "s3cret" not in str(found)


def test_cookies_that_are_not_there_are_needed(tmp_path: Path) -> None:
    found = cookies(tmp_path / "none.txt")

    assert (found.ok, found.needed) == (False, True)
