"""The report of a judging in a real browser, opened as a file, narrow and wide."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medpipe.genmedclip.judging import report
from medpipe.genmedclip.judging.illustrations import Illustration
from medpipe.genmedclip.judging.pictures import jpeg
from medpipe.storage import open_store
from tests.support.colours import painted
from tests.support.judged import HOSTILE, results

CHROMIUM = Path("/usr/bin/chromium")
ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="system: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="system: pip install playwright")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS.split())
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("text", ["a plain name", HOSTILE[0], HOSTILE[1], HOSTILE[7]])
def test_the_report_shows_whole_and_runs_nothing(
    browser: Any, tmp_path: Path, text: str, width: int
) -> None:
    shown = [Illustration("model", "a-set", "heat", text, jpeg(painted("blue"), 64))]
    report.write(results(text), shown, open_store(str(tmp_path)))
    page = browser.new_page(viewport={"width": width, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))

    page.goto((tmp_path / "report.html").as_uri())

    assert not [line for line in said if not line.startswith(("file:", "data:"))]
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator("table").count() >= 10
    assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"
    page.close()
