"""One HTML file that shows a dataset's images with what was said and pointed at, playing."""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO, Any

import medpipe
from medpipe.demo.report_data import Line, Phrase, Played, number, played
from medpipe.demo.report_text import clock, count, escaped, foreign, link, script_json

Row = Mapping[str, Any]

COLOURS = 10  # classes c0 to c9 of the style sheet
_SPOOL_BYTES = 4 << 20
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
}


@dataclass
class _Totals:
    """What the report holds, counted while it is written."""

    items: int = 0
    rejected: int = 0
    images: int = 0
    narrations: int = 0
    boxes: int = 0
    trace_points: int = 0
    first_image: dict[str, int] = field(default_factory=dict)


def write_report(
    samples: Iterable[Row], items: Iterable[Row], path: Path, *, title: str = "medpipe report"
) -> None:
    """Write a report that needs nothing but a browser.

    Rows are taken one at a time; what is written waits on disk, so memory does not grow with them.

    Args:
        samples: Rows of the `samples` table; those of one item best follow one another.
        items: Rows of the `items` table.
        path: Where to write; replaced only when the whole report is there.
        title: Of the page.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    totals = _Totals()
    try:
        with _spool(path.parent) as images, _spool(path.parent) as table, part.open("wb") as out:
            _write_samples(samples, images, totals)
            for item in items:
                table.write(_utf8(_item(item, totals)))
            head, rest = _page(title, totals).split("<!--items-->")
            middle, foot = rest.split("<!--samples-->")
            out.write(_utf8(head))
            _pour(table, out)
            out.write(_utf8(middle))
            _pour(images, out)
            out.write(_utf8(foot))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _spool(folder: Path) -> tempfile.SpooledTemporaryFile[bytes]:
    return tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(folder))


def _pour(source: IO[bytes], out: IO[bytes]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, out)


def _utf8(page: str) -> bytes:
    return page.encode("utf-8", errors="xmlcharrefreplace")


def _page(title: str, totals: _Totals) -> str:
    """The page without its rows."""
    style, script = _template("report.css"), _template("report.js")
    policy = (
        "default-src 'none'; img-src data:; "
        f"style-src {_hash_source(style)}; script-src {_hash_source(script)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    return Template(_template("page.html")).substitute(
        policy=policy,
        title=escaped(title),
        style=style,
        script=script,
        totals=_totals(totals),
        version=escaped(medpipe.__version__),
    )


def _template(name: str) -> str:
    return files("medpipe.demo").joinpath("report_template", name).read_text("utf-8")


def _hash_source(inline: str) -> str:
    digest = hashlib.sha256(inline.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _totals(totals: _Totals) -> str:
    tiles = {
        "items": totals.items,
        "rejected": totals.rejected,
        "images": totals.images,
        "narrations": totals.narrations,
        "boxes": totals.boxes,
        "trace points": totals.trace_points,
    }
    return "".join(f"<div><dt>{name}</dt><dd>{n:,}</dd></div>" for name, n in tiles.items())


def _item(item: Row, totals: _Totals) -> str:
    """A row of the table of items."""
    totals.items += 1
    rejected = item.get("verdict") != "done"
    totals.rejected += rejected
    counts = item.get("counts") or {}
    name = foreign(item.get("title") or item.get("id"))
    image = totals.first_image.get(str(item.get("id")))
    if image is not None:
        name = f'<a href="#image-{image}">{name}</a>'
    reason = ": ".join(foreign(item[key]) for key in ("reason", "detail") if item.get(key))
    verdict = f'<span class="{"bad" if rejected else "good"}">{foreign(item.get("verdict"))}</span>'
    cells = {
        "Verdict": verdict + (f'<span class="why">{reason}</span>' if reason else ""),
        "Duration": clock(number(item.get("duration_s"))),
        "Images": count(counts.get("samples")),
        "Narrations": count(counts.get("narrations")),
        "Boxes": count(counts.get("boxes")),
        "Words": count(counts.get("words")),
        "Trace points": count(counts.get("trace_points")),
        "Dropped": count(counts.get("drops")),
    }
    return (
        f'<tr><th scope="row">{name}<span class="id">{_origin(item)}</span></th>'
        + "".join(f'<td data-name="{key}">{value}</td>' for key, value in cells.items())
        + "</tr>\n"
    )


def _write_samples(samples: Iterable[Row], out: IO[bytes], totals: _Totals) -> None:
    template, item_id = Template(_template("sample.html")), None
    for sample in samples:
        if sample.get("item_id") != item_id or not totals.images:
            item_id = sample.get("item_id")
            title = foreign(sample.get("title") or item_id)
            out.write(_utf8(f'<h2 class="item">{title}</h2><p class="id">{_origin(sample)}</p>\n'))
        totals.images += 1
        totals.first_image.setdefault(str(item_id), totals.images)
        play = played(sample)
        totals.narrations += len(sample.get("narrations") or ())
        totals.boxes += sum(len(said.boxes) for phrase in play.phrases for said in phrase.said)
        totals.trace_points += len(play.trace[0])
        out.write(_utf8(_sample(template, sample, play, totals.images)))


def _sample(template: Template, sample: Row, play: Played, n: int) -> str:
    """One image with its player, legend and lines."""
    width, height = (max(int(sample.get(key) or 0), 0) for key in ("width_px", "height_px"))
    if not width or not height:
        width, height = 1280, 720
    return template.substitute(
        n=n,
        width=width,
        height=height,
        picture=_picture((sample.get("image") or {}).get("bytes"), width, height),
        facts=_facts(sample, width, height),
        legend=_legend(play.phrases),
        lines="".join(map(_line, play.lines)) or '<li class="none">Nothing is said about it.</li>',
        data=script_json(play.as_json()),
    )


def _picture(data: bytes | None, width: int, height: int) -> str:
    """The stored bytes as they are, if they are of a format that cannot run scripts."""
    kind = next((kind for magic, kind in _MAGIC.items() if data and data.startswith(magic)), None)
    if data and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    if not data or kind is None:
        x, y = width / 2, height / 2
        return f'<text x="{x}" y="{y}" text-anchor="middle">no image that can be shown</text>'
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return f'<image width="{width}" height="{height}" href="{url}"/>'


def _facts(sample: Row, width: int, height: int) -> str:
    shown = ", ".join(
        f"{clock(number(s.get('start_s')))} to {clock(number(s.get('end_s')))}"
        for s in sample.get("scenes") or ()
    )
    facts = [f"shown {shown}"] if shown else []
    facts.append(f"{width} x {height}")
    for domain in sample.get("domains") or ():
        facts.append(f"{foreign(domain.get('domain'))} {number(domain.get('score')) or 0:.2f}")
    facts += [foreign(flag) for flag in sample.get("flags") or ()]
    if sample.get("part_of"):
        facts.append(f"cut out of {foreign(sample['part_of'])}")
    if sample.get("duplicate_of"):
        facts.append(f"duplicate of {foreign(sample['duplicate_of'])}")
    return "".join(f"<span>{fact}</span>" for fact in facts)


def _legend(phrases: Iterable[Phrase]) -> str:
    chips = "".join(_chip(k, phrase) for k, phrase in enumerate(phrases))
    return f'<ul class="legend" aria-label="Phrases">{chips}</ul>' if chips else ""


def _chip(k: int, phrase: Phrase) -> str:
    tags = [name for name in ("negated", "deictic") if getattr(phrase, name)]
    negated = " negated" if phrase.negated else ""
    bare = "" if any(said.boxes for said in phrase.said) else " bare"
    title = ' title="the pointer drew no box"' if bare else ""
    times = ", ".join(clock(said.start_s) for said in phrase.said[:3])
    more = "…" if len(phrase.said) > 3 else ""
    return (
        f'<li><button type="button" class="chip c{k % COLOURS}{negated}{bare}" '
        f'data-phrase="{k}"{title}><b>{k + 1}</b>{foreign(phrase.text)}'
        + "".join(f"<i>{tag}</i>" for tag in tags)
        + f"<small>{times}{more}</small></button></li>"
    )


def _line(line: Line) -> str:
    go = ""
    if line.start_s is not None:
        at = clock(line.start_s)
        go = f'<button type="button" class="go" aria-label="Play from {at}">{at}</button>'
    tags = [line.kind] if line.kind != "medical" else []
    tags += ["negated"] if line.negated else []
    words = " ".join(
        f'<span class="c{t.phrase % COLOURS}" data-phrase="{t.phrase}">{escaped(t.text)}</span>'
        if t.phrase >= 0
        else f"<span>{escaped(t.text)}</span>"
        for t in line.tokens
    )
    notes = "".join(f"<i>{foreign(tag)}</i>" for tag in tags)
    return f'<li>{go}<p><span class="words" dir="auto">{words}</span>{notes}</p></li>'


def _origin(row: Row) -> str:
    """Channel, licence, id and address of a row's item."""
    parts = [foreign(row[key]) for key in ("channel", "licence") if row.get(key)]
    parts.append(foreign(row.get("item_id") or row.get("id")))
    if row.get("url"):
        parts.append(link(str(row["url"])))
    return " · ".join(parts)
