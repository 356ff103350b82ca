"""The report in a real browser, opened as a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medpipe.demo.report import write_report
from tests.support.report_rows import HOSTILE, box, hostile_rows, item, narration, sample

CHROMIUM = Path("/usr/bin/chromium")
ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
WIDTHS = [360, 1280]

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


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tame") / "report.html"
    write_report([sample(0), sample(1)], [item()], path, title="A report")
    return path.as_uri()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    write_report(*hostile_rows(), path, title=HOSTILE[0])
    return path.as_uri()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Opens an address at a width; fails the test on any console error or page error."""
    errors: list[str] = []
    contexts: list[Any] = []

    def opened(address: str, width: int = 1280, **options: Any) -> Any:
        height = 740 if width < 500 else 900
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.on(
            "console",
            lambda said: errors.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.locator(".bar").first.wait_for(state="visible")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def dot(page: Any) -> tuple[str, str, str]:
    node = page.locator(".dot").first
    return tuple(node.get_attribute(name) for name in ("visibility", "cx", "cy"))


def scrub_to(page: Any, seconds: float) -> None:
    page.locator(".scrub").first.evaluate(
        "(node, at) => { node.value = at; node.dispatchEvent(new Event('input')); }", seconds
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["tame", "hostile"])
def test_nothing_sticks_out_sideways(
    visit: Any, request: pytest.FixtureRequest, kind: str, width: int
) -> None:
    page = visit(request.getfixturevalue(kind), width)

    page.locator(".go").first.click()

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screenshot_shows_something(visit: Any, tame: str, width: int, scheme: str) -> None:
    page = visit(tame, width, color_scheme=scheme)

    image = page.locator(".stage").first.screenshot()

    assert image.startswith(b"\x89PNG")
    assert len(image) > 3000


def test_at_rest_everything_is_drawn(visit: Any, tame: str) -> None:
    page = visit(tame)
    first = page.locator(".sample").first

    assert dot(page)[0] == "hidden"
    assert first.locator(".trace path[d^=M]").count() > 1
    assert first.locator(".box").count() == 2
    assert first.locator(".label text").all_text_contents() == [
        "2 the bright optic disc",
        "3 bleeding (negated)",
    ]
    assert first.locator(".box.negated .edge").evaluate(
        "node => getComputedStyle(node).strokeDasharray"
    ) not in ("", "none")


def test_playing_moves_the_dot_and_marks_the_words(visit: Any, tame: str) -> None:
    page = visit(tame)

    page.locator(".go").first.click()
    page.locator(".lines .said").nth(1).wait_for()
    before = dot(page)
    page.locator(".lines .said").nth(3).wait_for()

    assert before[0] == "visible"
    assert dot(page) != before
    assert page.locator(".lines li.active").count() == 1
    assert page.locator(".caption .said").count() >= 4
    assert page.locator(".play .name").first.text_content() == "Pause"


def test_a_box_comes_with_its_phrase_and_the_trace_up_to_now(visit: Any, tame: str) -> None:
    page = visit(tame)
    first = page.locator(".sample").first

    scrub_to(page, 1.0)
    assert first.locator(".box:visible").count() == 0
    short = first.locator(".trace path[d^=M]").count()

    scrub_to(page, 3.0)
    assert first.locator(".box.on").count() == 1
    assert first.locator(".label:visible text").text_content() == "2 the bright optic disc"

    scrub_to(page, 8.0)
    assert first.locator(".box.past").count() == 1
    assert first.locator(".box.on.negated").count() == 1
    assert first.locator(".trace path[d^=M]").count() > short


def test_only_one_image_plays_at_a_time(visit: Any, tame: str) -> None:
    page = visit(tame)

    for k in (0, 1):
        page.locator(".play").nth(k).click()

    assert page.locator(".play .name").all_text_contents() == ["Play", "Pause"]


def test_keys_play_seek_and_show_all(visit: Any, tame: str) -> None:
    page = visit(tame)
    player, name = page.locator(".player").first, page.locator(".play .name").first

    player.focus()
    page.keyboard.press("Space")
    assert name.text_content() == "Pause"
    page.keyboard.press("Space")
    assert name.text_content() == "Play"

    at = float(page.locator(".scrub").first.input_value())
    page.keyboard.press("ArrowRight")
    assert float(page.locator(".scrub").first.input_value()) == pytest.approx(at + 1, abs=0.02)

    page.keyboard.press("Escape")
    assert page.locator(".sample.clocked").count() == 0
    assert page.locator(".label text").first.text_content() == "2 the bright optic disc"


def test_the_end_brings_back_everything(visit: Any, tame: str) -> None:
    page = visit(tame)

    page.locator(".speed").first.select_option("2")
    page.locator(".play").first.click()
    scrub_to(page, 9.9)

    page.locator(".sample.clocked").wait_for(state="detached")
    assert page.locator(".play .name").first.text_content() == "Play"


def test_a_focused_phrase_stands_alone(visit: Any, tame: str) -> None:
    page = visit(tame)
    first = page.locator(".sample").first

    first.locator(".chip").nth(1).focus()

    assert first.locator(".box.lit").count() == 1
    assert first.locator(".label:visible").count() == 1
    assert (first.locator(".glow").get_attribute("d") or "").startswith("M")


def test_the_boxes_and_the_trace_can_be_switched_off(visit: Any, tame: str) -> None:
    page = visit(tame)
    first = page.locator(".sample").first

    first.locator(".with-boxes").uncheck()
    first.locator(".with-trace").uncheck()

    assert first.locator(".box:visible, .label:visible, .path path:visible").count() == 0


def test_a_click_on_a_word_plays_from_it(visit: Any, tame: str) -> None:
    page = visit(tame)

    page.locator(".words").nth(1).locator("span").nth(3).click()

    assert float(page.locator(".scrub").first.input_value()) == pytest.approx(7.4, abs=0.5)


def test_with_reduced_motion_the_clock_goes_in_steps(visit: Any, tame: str) -> None:
    page = visit(tame, reduced_motion="reduce")

    page.locator(".play").first.click()
    steps = page.evaluate(
        """async () => {
          const seen = new Set();
          for (let k = 0; k < 40; k += 1) {
            await new Promise(requestAnimationFrame);
            seen.add(document.querySelector(".scrub").value);
          }
          return seen.size;
        }"""
    )

    assert steps <= 5


def test_narrations_without_time_or_place_are_shown(visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    nowhen: dict[str, Any] = {"start_s": None, "end_s": None, "words": [], "trace": None}
    instant = {**nowhen, "start_s": 12.0, "end_s": 12.0}
    bad = {**box(0, 0, 1, 1), "xyxy": [0.1, float("nan"), 0.5, 0.5]}
    odd = [
        {**narration("caption", "A figure of an article.", 0), **nowhen},
        {**narration("roi", "a figure", 0, boxes=[box(0.2, 0.2, 0.6, 0.6), bad]), **nowhen},
        {**narration("roi", "at once", 0, boxes=[box(0.9, -0.5, 0.1, 1.5)]), **instant},
    ]
    rows = [sample(0), sample(1, narrations=odd), sample(2, narrations=odd[:2], scenes=[])]
    write_report([*rows, sample(3, narrations=[]), {}], [], path)

    page = visit(path.as_uri())
    for k in range(5):
        page.locator(".sample").nth(k).scroll_into_view_if_needed()
    second = page.locator(".sample").nth(1)
    second.locator(".chip").first.click()

    assert "A figure of an article." in (second.text_content() or "")
    assert second.locator(".box").count() == 2
    assert second.locator(".bar").is_hidden()


def test_hostile_text_does_not_run(visit: Any, hostile: str) -> None:
    page = visit(hostile)

    for k in range(page.locator(".chip").count()):
        page.locator(".chip").nth(k).click()
    page.mouse.move(300, 300)

    assert page.evaluate("window.hacked") is None
    assert page.locator(".stage").count() == len(HOSTILE)


def test_an_injected_script_would_not_run(browser: Any, tmp_path: Path, tame: str) -> None:
    source = Path(tame.removeprefix("file://")).read_text("utf-8")
    path = tmp_path / "hacked.html"
    path.write_text(
        source.replace("</main>", "<script>hacked = 1</script><img src=x onerror='hacked = 1'>"),
        "utf-8",
    )
    page = browser.new_page()

    page.goto(path.as_uri())
    page.wait_for_timeout(200)

    assert page.evaluate("window.hacked") is None
    page.close()
