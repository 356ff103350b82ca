"""One SQS server a session."""

from collections.abc import Iterator

import pytest

from tests.support.s3 import KEYS, s3_server


@pytest.fixture(scope="session")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("aws") / "server.log") as url:
        yield url


@pytest.fixture
def sqs_url(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return aws_url
