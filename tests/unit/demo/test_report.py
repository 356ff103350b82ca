"""The report: complete, lazily written, and deaf to hostile text."""

import base64
import hashlib
import json
import re
import tracemalloc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from medpipe.demo.report import write_report
from medpipe.demo.report_data import played
from medpipe.demo.report_text import clock, link, script_json
from tests.support.report_rows import HOSTILE, box, hostile_rows, item, jpeg, narration, sample


class Page(HTMLParser):
    """What a parser makes of the page: tags, attributes, scripts and visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._in: str | None = None
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.inline:
            self._in = tag
            self.inline[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in:
            self.inline[self._in][-1] += data
        else:
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]


@pytest.fixture
def hostile(tmp_path: Path) -> Page:
    samples, items = hostile_rows()
    write_report(samples, items, tmp_path / "report.html", title=HOSTILE[0])
    return Page(tmp_path / "report.html")


def report_of(tmp_path: Path, samples: Any, items: Any) -> Page:
    write_report(samples, items, tmp_path / "report.html")
    return Page(tmp_path / "report.html")


def test_hostile_text_makes_no_element_and_no_attribute(tmp_path: Path, hostile: Page) -> None:
    tame = report_of(tmp_path, [sample()], [item()])

    known = {(tag, name) for tag, attrs in tame.tags for name in (*attrs, "")}
    assert {(tag, name) for tag, attrs in hostile.tags for name in (*attrs, "")} <= known
    assert len(hostile.inline["style"]) == 1
    assert len(hostile.inline["script"]) == len(HOSTILE) + 1


def test_hostile_text_is_shown_as_it_is(hostile: Page) -> None:
    for text in HOSTILE:
        assert re.sub("[\x00\x1b]", "\ufffd", text) in hostile.text


def test_links_lead_to_the_page_itself_or_to_the_web(tmp_path: Path, hostile: Page) -> None:
    page = report_of(tmp_path, [sample()], [item()])

    assert all(re.fullmatch(r"#image-\d+", href or "") for href in hostile.attributes("a", "href"))
    assert page.attributes("a", "href") == ["#image-1", "https://example.org/watch?v=1&t=2"]
    assert page.attributes("a", "rel") == ["noopener noreferrer nofollow"]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//http://",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org/x",
        "http:",
        "https://exa mple.org",
        "https:\\\\example.org",
        "http://[",
    ],
)
def test_other_addresses_are_text(url: str) -> None:
    assert "<a" not in link(url)


def test_the_policy_names_the_only_script_and_style(hostile: Page) -> None:
    policy = next(attrs["content"] for _, attrs in hostile.tags if "http-equiv" in attrs)
    script = next(code for code in hostile.inline["script"] if "use strict" in code)

    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, code in (("script", script), ("style", hostile.inline["style"][0])):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert re.search(rf"{name}-src 'sha256-{re.escape(digest)}';", policy)


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    page = report_of(tmp_path, [sample()], [item()])

    assert page.attributes("script", "src") == []
    assert page.attributes("link", "href") == ["data:,"]
    (url,) = page.attributes("image", "href")
    assert url is not None
    assert base64.b64decode(url.removeprefix("data:image/jpeg;base64,")) == jpeg()


def test_the_data_parse_back_to_the_same(hostile: Page) -> None:
    samples, _ = hostile_rows()

    for row, code in zip(samples, hostile.inline["script"], strict=False):
        assert not set("<>&\u2028\u2029") & set(code)
        data = json.loads(code)
        assert data == json.loads(json.dumps(played(row).as_json()))
        assert data["phrases"][0]["text"] == row["title"]


def test_script_json_survives_what_utf_8_cannot_hold() -> None:
    data = {"a": ["\ud800", "</script>", "\u2028"]}

    assert json.loads(script_json(data).encode().decode()) == data


def test_a_title_that_utf_8_cannot_hold_does_not_stop_the_report(tmp_path: Path) -> None:
    page = report_of(tmp_path, [sample(title="a\ud800b")], [])

    assert "a\ufffdb" in page.text


def test_an_image_that_could_run_scripts_is_not_embedded(tmp_path: Path) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"
    rows = [sample(image={"bytes": data, "path": "x.svg"}) for data in (svg, b"", None)]

    page = report_of(tmp_path, rows, [])

    assert page.attributes("image", "href") == []
    assert page.text.count("no image that can be shown") == 3


def test_an_empty_dataset_makes_a_report(tmp_path: Path) -> None:
    page = report_of(tmp_path, [], [])

    assert "trace points0" in page.text
    assert len(page.inline["script"]) == 1


def test_an_image_without_narrations_says_so(tmp_path: Path) -> None:
    page = report_of(tmp_path, [sample(narrations=[])], [])

    assert "Nothing is said about it." in page.text


def test_rows_full_of_nothing_make_a_report(tmp_path: Path) -> None:
    bare = dict.fromkeys(sample())
    hollow = sample(narrations=[dict.fromkeys(narration("roi", "x", 1)), {"kind": "caption"}])

    page = report_of(tmp_path, [bare, hollow, {}], [dict.fromkeys(item()), {}])

    assert "Image 3" in page.text


def test_totals_and_the_reason_of_a_rejection_are_shown(tmp_path: Path) -> None:
    bad = item(id="yt:1", verdict="rejected", reason="too_long", detail="4 h")

    page = report_of(tmp_path, [sample()], [item(), bad])

    for tile in ("items2", "rejected1", "images1", "narrations5", "boxes2"):
        assert tile in page.text
    assert "too_long: 4 h" in page.text
    assert "1:02:05" in page.text


def test_rows_are_taken_one_by_one(tmp_path: Path) -> None:
    alive: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for k in range(40):
            alive.append(k)
            assert sum(p.stat().st_size for p in tmp_path.iterdir()) == 0
            yield sample(k)

    write_report(rows(), iter([item()]), tmp_path / "report.html")

    assert len(alive) == 40
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    big = jpeg() + bytes(2_000_000)

    def peak(n: int) -> int:
        tracemalloc.start()
        rows = (sample(k, image={"bytes": big, "path": "x"}) for k in range(n))
        write_report(rows, [], tmp_path / f"{n}.html")
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(24) < 1.5 * peak(6)


def test_a_failure_leaves_the_old_report(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def rows() -> Iterator[dict[str, Any]]:
        yield sample()
        raise OSError("store gone")

    with pytest.raises(OSError, match="store gone"):
        write_report(rows(), [], path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_words_and_trace_are_on_the_videos_clock() -> None:
    play = played(sample())

    assert [t.text for t in play.lines[0].tokens[:2]] == ["Here", "we"]
    assert play.lines[0].tokens[1][1:3] == (11.5, 12.0)
    assert play.trace[0][0] == 10.5
    assert play.stretches == [(10.1, 20.338)]


def test_words_know_their_phrase() -> None:
    play = played(sample())

    names = [play.phrases[t.phrase].text if t.phrase >= 0 else "" for t in play.lines[0].tokens]
    assert names == ["Here", "", "", *["the bright optic disc"] * 4]


def test_the_same_words_are_one_phrase_unless_negated() -> None:
    said = [
        narration("roi", "The disc", 11, boxes=[box(0, 0, 1, 1)]),
        narration("roi", "the disc", 15, deictic=True),
        narration("roi", "the disc", 17, negated=True),
    ]

    phrases = played(sample(narrations=said)).phrases

    assert [(p.text, p.negated, p.deictic, len(p.said)) for p in phrases] == [
        ("The disc", False, True, 2),
        ("the disc", True, False, 1),
    ]


def test_refined_text_takes_the_times_of_what_was_heard() -> None:
    heard = narration("medical", "the mac you la is dark", 11)
    refined = {**heard, "text": "The macula is very dark."}

    times = [t[1:3] for t in played(sample(narrations=[refined])).lines[0].tokens]

    assert times == [(11.0, 11.5), (11.5, 13.0), (13.0, 13.5), (13.5, 13.5), (13.5, 14.0)]


def test_far_stretches_follow_one_another() -> None:
    said = [narration("medical", "one two", 11), narration("medical", "again here", 300)]

    starts = [round(start) for start, _ in played(sample(narrations=said)).stretches]

    assert starts == [10, 299]


def test_points_that_are_no_numbers_are_left_out() -> None:
    trace = {"t_s": [1.0, 2.0, 3.0], "x": [0.5, float("nan"), 0.5], "y": [0.5, 0.5, None]}

    play = played(sample(narrations=[narration("medical", "one", 11, trace=trace)]))

    assert play.trace == ([11.0], [0.5], [0.5])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "-"), (0.9, "0:00"), (61, "1:01"), (3725.4, "1:02:05")]
)
def test_times_are_readable(seconds: float | None, shown: str) -> None:
    assert clock(seconds) == shown
