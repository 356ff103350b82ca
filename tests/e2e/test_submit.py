"""As it is used on a cluster: `ray job submit`, watch, stop, submit again, done."""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from medpipe.demo.judge import bundled_lectures
from tests.support import command
from tests.support.datasets import rows_of
from tests.support.faults import Faults, faults_at, wait_for
from tests.support.jobs import short_lectures
from tests.support.nodes import rows_without_ray
from tests.support.submitting import JobHead, job_head

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
# Runs in a job: whose medpipe it is, and how many bytes were sent.
LOOK_AROUND = (
    "import medpipe, pathlib; here = pathlib.Path.cwd();"
    " print(pathlib.Path(medpipe.__file__).parent == here / 'medpipe');"
    " print(sum(p.stat().st_size for p in here.rglob('*') if p.is_file()))"
)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with faults_at(tmp_path_factory.mktemp("faults") / "faults.json") as faults:
        yield faults


@pytest.fixture(scope="module")
def head(faults: Faults) -> Iterator[JobHead]:
    with job_head(faults) as head:
        yield head


@pytest.fixture(autouse=True)
def _calm(faults: Faults) -> Iterator[None]:
    yield
    faults.clear()


@pytest.fixture(params=["short", pytest.param("bundled", marks=pytest.mark.soak)])
def lectures(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    if request.param == "bundled":
        return bundled_lectures()
    return short_lectures(tmp_path / "lectures", range(590, 593))


def curation(sources: list[Path], out: Path, *settings: str) -> list[str]:
    """What follows `--` of `ray job submit --working-dir jobs`."""
    options = [part for setting in settings for part in ("--set", setting)]
    command = ["python", "curate.py", *map(str, sources), "--out", str(out), "--recipe", "demo"]
    return [*command, "--set", "runtime.commit_s=1", *options]


def done(out: Path) -> int:
    """How many items the queue of a dataset knows as done."""
    if not (out / "_queue.sqlite").exists():
        return 0
    db = sqlite3.connect(out / "_queue.sqlite", timeout=60)
    try:
        (count,) = db.execute("SELECT COUNT(*) FROM items WHERE state = 'done'").fetchone()
    except sqlite3.OperationalError:  # the table comes a moment after the file
        count = 0
    db.close()
    return int(count)


def test_a_stopped_job_that_is_submitted_again_ends_with_the_rows_of_a_calm_one(
    head: JobHead, faults: Faults, lectures: list[Path], tmp_path: Path
) -> None:
    out, names = tmp_path / "out", [f"{tmp_path.name}-{n}" for n in (1, 2)]
    faults.set({"point": "extract", "action": "hang", "skip": 1})
    head.submit(names[0], curation(lectures, out, "runtime.commit_items=1"))
    wait_for(lambda: done(out) == 1 and len(faults.passed("extract")) > 1, "the middle", 240)
    assert str(head.info(names[0]).status) == "RUNNING"
    head.ray("stop", names[0])
    assert str(head.ended(names[0]).status) == "STOPPED"
    faults.clear()

    head.submit(names[1], curation(lectures, out, "runtime.commit_items=1"))
    ended = head.ended(names[1])

    said = head.client.get_job_logs(names[1])
    assert (str(ended.status), ended.driver_exit_code) == ("SUCCEEDED", 0), said
    assert rows_of(out) == rows_without_ray(tmp_path / "calm", lectures)
    assert done(out) == len(lectures)


@pytest.mark.parametrize(
    ("setting", "poison", "code"),
    [
        ("runtime.nothing=1", False, 2),
        ("scheduling.retry.bug_tries=1", True, 3),
    ],
    ids=["a config that is wrong", "an item that cannot be done"],
)
def test_ray_shows_what_medpipe_exits_with(
    head: JobHead, faults: Faults, setting: str, poison: bool, code: int, tmp_path: Path
) -> None:
    if poison:
        faults.set({"point": "extract", "action": "raise"})
    sources = short_lectures(tmp_path / "lectures", [594])

    head.submit(tmp_path.name, curation(sources, tmp_path / "out", setting))
    ended = head.ended(tmp_path.name)

    said = head.client.get_job_logs(tmp_path.name)
    assert (str(ended.status), ended.driver_exit_code) == ("FAILED", code), said


def test_a_checkout_is_sent_small_and_what_runs_is_what_was_sent(head: JobHead) -> None:
    head.submit("checkout", ["python", "-c", LOOK_AROUND], working_dir=".")
    ended = head.ended("checkout")

    said = head.client.get_job_logs("checkout")
    assert str(ended.status) == "SUCCEEDED", said
    whose, sent_bytes = re.findall(r"^(True|False|\d+)$", said, re.M)
    assert whose == "True"
    assert int(sent_bytes) < 20 << 20


def test_without_the_token_nobody_sees_or_starts_anything(head: JobHead) -> None:
    for path in ("/api/jobs/", "/api/version", "/logical/actors"):
        assert requests.get(head.url + path, timeout=30).status_code == 401
    assert requests.post(
        head.url + "/api/jobs/", json={"entrypoint": "true"}, timeout=30
    ).status_code == 401  # fmt: skip


def examined(head: JobHead, *arguments: str, **env: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """What the doctor says of the cluster, and its exit code."""
    ran = command.run("doctor", "--address", head.address, "--json", *arguments, **(head.env | env))
    return ran.code, {found["what"]: found for found in ran.json}


def test_the_doctor_sees_what_can_never_run_on_a_cluster_and_who_may_talk_to_it(
    head: JobHead,
) -> None:
    code, found = examined(head, "--set", "runtime.transcribe_gpus=1")

    assert code == 2
    assert "no node can ever take a worker" in found["pool transcribe"]["seen"]
    assert found["pool extract"]["ok"]
    assert found["pool write"]["ok"]
    assert found["token"]["ok"]
    assert "401" in found["token"]["seen"]
    assert found["dashboard"]["ok"]


def test_the_doctor_says_when_it_is_not_let_in(head: JobHead) -> None:
    code, found = examined(head, RAY_AUTH_TOKEN="x" * 48)

    assert (code, found["cluster"]["ok"]) == (2, False)


@pytest.mark.system
@pytest.mark.skipif(not CHROMIUM.exists(), reason="system: apt-get install chromium")
def test_the_dashboard_names_jobs_and_workers_so_that_people_know_them(
    head: JobHead, faults: Faults, tmp_path: Path
) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="system: pip install playwright")
    shots = Path(os.environ.get("SHOTS") or tmp_path)
    sources = short_lectures(tmp_path / "lectures", range(595, 598))
    faults.set({"point": "extract", "action": "hang"})
    head.submit("curate-demo", curation(sources, tmp_path / "out"))
    wait_for(lambda: faults.passed("extract"), "an item at work")

    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        context = browser.new_context(
            viewport={"width": 1280, "height": 720},
            extra_http_headers={"Authorization": f"Bearer {head.token}"},
        )
        jobs = shown(context, head, "jobs", "curate-demo", shots)
        actors = shown(context, head, "actors", "ExtractWorker", shots)
        browser.close()
    head.ray("stop", "curate-demo")

    assert "curate.py" in jobs
    assert "extract-0" in actors
    assert "transcribe-0" in actors


def shown(context: Any, head: JobHead, page_name: str, text: str, shots: Path) -> str:
    """What a page of the dashboard says once it says a text; keeps a picture of it."""
    page = context.new_page()
    page.goto(f"{head.url}/#/{page_name}")
    page.get_by_text(text).first.wait_for(state="visible", timeout=60_000)
    page.wait_for_timeout(1500)
    page.screenshot(path=shots / f"ray-{page_name}.png")
    return str(page.inner_text("body"))
