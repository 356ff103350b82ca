"""The report: says everything, needs nothing else, and no text in it becomes markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from medpipe.genmedclip.judging import report
from medpipe.genmedclip.judging.illustrations import Illustration
from medpipe.genmedclip.judging.pictures import jpeg
from medpipe.genmedclip.judging.report_tables import interval, tables, words
from medpipe.genmedclip.judging.results import Figure, Results
from medpipe.storage import open_store
from tests.support.colours import painted
from tests.support.judged import HOSTILE, results

PICTURE = jpeg(painted("red"), 64)


class Page(HTMLParser):
    """Elements, attributes and visible text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def written(root: Path, found: Results, caption: str = "caption") -> Path:
    shown = [
        Illustration("model", "a-set", "confusion", caption, PICTURE),
        Illustration("model", "a-set", "heat", caption, PICTURE),
    ]
    report.write(found, shown, open_store(str(root)))
    return root


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_shown_and_makes_no_element(tmp_path: Path, text: str) -> None:
    tame = Page((written(tmp_path / "a", results()) / "report.html").read_text("utf-8"))

    page = Page((written(tmp_path / "b", results(text), text) / "report.html").read_text("utf-8"))

    assert [tag for tag, _ in page.tags] == [tag for tag, _ in tame.tags]
    assert {(t, n) for t, a in page.tags for n in a} == {(t, n) for t, a in tame.tags for n in a}
    assert re.sub(r"[\x00\x1b]", "\ufffd", text) in page.text


@pytest.mark.parametrize("text", [*HOSTILE, "a | b", "`code` *bold* [x](y) # ! ~ _"])
def test_hostile_text_breaks_no_markdown_table(tmp_path: Path, text: str) -> None:
    markdown = (written(tmp_path, results(text)) / "report.md").read_text("utf-8")

    blocks = re.findall(r"(?:^\|.*\n?)+", markdown, re.MULTILINE)
    assert len(blocks) == len(tables(results(text)))
    for block in blocks:
        assert len({cells(line) for line in block.splitlines()}) == 1
    assert not re.search(r"(?<!\\)<", markdown)


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Page((written(tmp_path, results()) / "report.html").read_text("utf-8"))

    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert all((a["src"] or "").startswith("data:image/") for t, a in page.tags if t == "img")
    assert not {"script", "link", "iframe", "object", "form", "base"} & {t for t, _ in page.tags}
    assert not any(name.startswith("on") or name == "style" for _, a in page.tags for name in a)


def test_every_table_is_in_both_reports(tmp_path: Path) -> None:
    root = written(tmp_path, results())
    page, markdown = ((root / name).read_text("utf-8") for name in ("report.html", "report.md"))

    titles = [table.title for table in tables(results())]
    assert len(titles) == len(set(titles)) >= 10
    for title in titles:
        assert title in Page(page).text
        assert f"## {title}".replace("-", r"\-") in markdown


def test_plots_are_png_beside_the_markdown_and_inside_the_page(tmp_path: Path) -> None:
    root = written(tmp_path, results())

    plots = sorted((root / "plots").glob("*.png"))
    assert [p.stem for p in plots] == ["bars_zero_shot", "radar_zero_shot", "reliability_a-set"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in plots)
    assert (root / "report.html").read_text().count("data:image/png;base64,") == 3
    for plot in plots:
        assert f"(plots/{plot.name})" in (root / "report.md").read_text()


def test_reported_figures_are_marked_in_every_row() -> None:
    table = next(t for t in tables(results()) if t.title == "Reported elsewhere")

    assert all("(reported)" in row[0] for row in table.rows)
    assert "none of this was measured here" in table.note


def test_a_domain_without_figures_has_a_dash() -> None:
    table = next(t for t in tables(results()) if "by domain" in t.title)

    rows = {row[0]: row for row in table.rows}
    assert rows["xray"][2:] == ("-", "-")
    assert rows["ct"][2:] == ("0.750 (0.500 to 0.875)",) * 2
    assert rows["mean over domains"][1].endswith("domains")


def test_a_figure_that_is_not_defined_is_a_dash() -> None:
    assert interval(None) == interval(Figure(value=None)) == "-"
    assert interval(Figure(value=0.5)) == "0.500"
    assert interval(Figure(value=0.1, low=-0.1, high=0.3), sign="+") == "+0.100 (-0.100 to +0.300)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("auroc", "AUROC"),
        ("image_to_text_r10", "image to text R@10"),
        ("text_to_image_median_rank", "text to image median rank"),
        ("not_present", "not present"),
    ],
)
def test_metrics_have_names_for_people(name: str, said: str) -> None:
    assert words(name) == said


def test_the_json_holds_what_was_found(tmp_path: Path) -> None:
    found = results(HOSTILE[0])

    text = (written(tmp_path, found) / "report.json").read_text("utf-8")

    assert Results.model_validate(json.loads(text)) == found


def test_the_same_results_make_the_same_files(tmp_path: Path) -> None:
    first, again = (written(tmp_path / n, results()) for n in ("a", "b"))

    for file in (p.relative_to(first) for p in first.rglob("*") if p.is_file()):
        assert (first / file).read_bytes() == (again / file).read_bytes()
