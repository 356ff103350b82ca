import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medpipe.stages.acquire import AcquireConfig
from medpipe.stages.acquire.process import download, read_list
from tests.support.site import Site, wait_until


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")

PARENT = """
import sys
from pathlib import Path
from medpipe.stages.acquire import FetchConfig
from medpipe.stages.acquire.process import download
download(sys.argv[1], Path(sys.argv[2]), FetchConfig(allow_private_networks=True), 100)
"""


@needs_proc
def test_a_download_does_not_outlive_a_killed_parent(site: Site, tmp_path: Path) -> None:
    path = [entry for entry in sys.path if entry]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, f"{site.url}/hang.mp4?orphan", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *path])},
    )
    before = site.asked("/hang.mp4")
    assert wait_until(lambda: site.asked("/hang.mp4") > before, 20)
    (child,) = children_of(parent.pid)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert wait_until(lambda: not alive(child))


@needs_proc
def test_a_listing_that_nobody_reads_on_is_ended(site: Site, config: AcquireConfig) -> None:
    entry = "<item><title>Part {0}</title><link>" + site.url + "/{0}.mp4</link></item>"
    many = "".join(entry.format(n) for n in range(5000))  # more than a pipe holds: it must wait
    head = "<?xml version='1.0'?><rss version='2.0'><channel><title>Radiology</title>"
    url = site.put("/long.xml", f"{head}{many}</channel></rss>", "application/rss+xml")
    before = set(children_of(os.getpid()))
    entries = read_list(url, config.fetch)
    next(entries)
    begun = set(children_of(os.getpid())) - before

    entries.close()  # type: ignore[attr-defined]

    assert begun
    assert wait_until(lambda: not any(alive(child) for child in begun))


def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> Callable[[], object]:
    (tmp_path / "stand_in_for_downloader.py").write_text(script)
    monkeypatch.syspath_prepend(str(tmp_path))
    fetch, module = AcquireConfig().fetch, "stand_in_for_downloader"
    return lambda: download("http://a.org/a.mp4", tmp_path, fetch, 100, module=module)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died with code -11"),
        ("raise SystemExit('no yt-dlp here')", "no yt-dlp here"),
        ('print(\'{"event": "bug", "traceback": "KeyError: x"}\')', "KeyError: x"),
        ('print(\'{"event": "end"}\')', "without a file or a reason"),
    ],
    ids=["crash", "exit", "bug", "no file"],
)
def test_a_process_that_breaks_is_our_bug_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, message: str
) -> None:
    fetch = broken(monkeypatch, tmp_path, script)

    with pytest.raises(RuntimeError, match=message):
        fetch()


def test_downloads_in_many_threads_do_not_disturb_each_other(
    site: Site, tmp_path: Path, config: AcquireConfig
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(number: int) -> int:
        folder = tmp_path / str(number)
        folder.mkdir()
        told = download(f"{site.url}/good.mp4", folder, config.fetch, 100)
        return Path(told["paths"][0]).stat().st_size

    with ThreadPoolExecutor(3) as pool:
        sizes = list(pool.map(one, range(3)))

    assert len(set(sizes)) == 1
