from collections.abc import Iterator

import pytest

from medpipe.stages.acquire import AcquireConfig, FetchConfig
from tests.support.site import Site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def config() -> AcquireConfig:
    fetch = FetchConfig(
        allow_private_networks=["127.0.0.1/32"],
        download_timeout_s=60,
        resolve_timeout_s=60,
        socket_timeout_s=30,
        max_bytes=20_000_000,
        max_memory_bytes=2**28,
    )
    return AcquireConfig(fetch=fetch)
