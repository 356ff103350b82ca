"""A store that fails one request in five slows a run down and changes none of its rows."""

from pathlib import Path

import pytest

from tests.support import command
from tests.support.datasets import rows_of
from tests.support.fault_proxy import Trouble, fault_proxy
from tests.support.jobs import JobWorld, short_lectures
from tests.support.s3 import KEYS, make_bucket, open_uploads, s3_server

BUCKET = "troubled"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.timeout(600)
def test_a_run_over_a_troubled_store_gives_the_rows_of_a_run_on_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lectures = tmp_path / "lectures"
    short_lectures(lectures, range(400, 403))
    calm = JobWorld(tmp_path / "calm")
    calm.feed([lectures])
    assert calm.run().tally.done == 3
    calm.queue.close()

    with s3_server(tmp_path / "server.log") as url, fault_proxy(url) as proxy:
        make_bucket(url, BUCKET)
        proxy.set(Trouble("500", share=0.1), Trouble("slow", share=0.1, slow_s=0.2))
        out = f"s3://{BUCKET}/data"
        ran = command.run(
            "run", lectures, "--out", out, "--recipe", "demo", "--json",
            "--queue", tmp_path / "queue.sqlite", "--set", f"storage.endpoint_url={proxy.url}",
            "--set", "scheduling.retry.transient_tries=9",
            **KEYS,
        )  # fmt: skip

        assert ran.code == 0, ran.err
        assert {action for action, _, _ in proxy.seen} == {"500", "slow"}
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        assert rows_of(out) == rows_of(calm.out)
        assert open_uploads(url, BUCKET) == 0
