"""One run over good lectures and everything that is none: each bad thing gets its own reason."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from medpipe import Dataset, open_store
from medpipe.demo.judge import bundled_lectures
from tests.support import command
from tests.support.site import Site
from tests.support.tiny_videos import cut, tiny_video


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_bad_sources_are_rejected_each_with_its_reason_and_good_ones_are_in(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    good = bundled_lectures()
    for path in good:
        shutil.copy(path, folder)
    shutil.copy(good[0], folder / "the same under another name.mp4")
    cut(good[1], folder / "truncated.mp4")
    (folder / "noise.mp4").write_bytes(random.Random(5).randbytes(50_000))
    (folder / "page.mp4").write_text("<!doctype html><html><body>404</body></html>" * 20)
    (folder / "empty.mp4").write_bytes(b"")
    tiny_video(folder / "silent.mp4", sound=False)
    tiny_video(folder / "blind.mp4", picture=False)
    out = tmp_path / "out"

    with Site(tmp_path) as site:
        urls = [f"{site.url}/missing.mp4", f"{site.url}/hang.mp4"]
        settings = ["fetch.allow_private_networks=true", "fetch.download_timeout_s=3"]
        settings += ["scheduling.retry.transient_tries=2", "scheduling.retry.backoff_s=1"]
        options = [word for setting in settings for word in ("--set", setting)]
        ran = command.run(
            "run", folder, *urls, "--out", out, "--recipe", "demo", "--json", *options
        )

    assert ran.code == 0, ran.err
    assert ran.json["doubles"] == 1
    dataset = Dataset(open_store(str(out)))
    items = dataset.rows("items", ["id", "verdict", "reason"]).to_pylist()
    assert Counter(item["verdict"] for item in items) == {"done": 3, "rejected": 8}
    reasons = sorted(item["reason"] for item in items if item["verdict"] == "rejected")
    assert reasons == sorted(
        [
            "truncated",
            "not_a_video",
            "web_page",
            "empty_file",
            "no_audio",
            "no_video",
            "not_found",
            "timed_out",
        ]
    )
    rejects = dataset.rows("rejects", ["item_id", "kind", "code"]).to_pylist()
    assert sorted(row["code"] for row in rejects if row["kind"] == "item") == reasons


@pytest.mark.ray
def test_a_reject_can_be_retried_by_its_reason(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Site(tmp_path) as site:
        settings = ["fetch.allow_private_networks=true", "fetch.download_timeout_s=20"]
        settings += ["scheduling.retry.transient_tries=1"]
        options = [word for setting in settings for word in ("--set", setting)]
        common = ("--out", out, "--recipe", "demo", "--json", *options)
        url = site.put("/lecture.mp4", b"busy", status=503)
        first = command.run("run", url, *common)
        assert first.json["funnel"]["rejects"] == {"acquire/item/unreachable": 1}, first.err

        site.put("/lecture.mp4", bundled_lectures()[-1].read_bytes(), "video/mp4")
        queue = out / "_queue.sqlite"
        brought = command.run("retry", "--queue", queue, "--reason", "unreachable", "--json")
        second = command.run("run", url, *common)

    assert brought.json["retried"] == 1
    assert second.code == 0, second.err
    items = Dataset(open_store(str(out))).rows("items", ["verdict", "generation"]).to_pylist()
    assert items == [{"verdict": "done", "generation": 2}]
