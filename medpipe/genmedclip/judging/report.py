"""Writes the report of a judging as JSON, Markdown and one HTML page that needs nothing else."""

import base64
import hashlib
import html
import re
from collections.abc import Sequence

from medpipe.genmedclip.judging import plots
from medpipe.genmedclip.judging.illustrations import Illustration
from medpipe.genmedclip.judging.pictures import data_url
from medpipe.genmedclip.judging.report_tables import Table, tables, words
from medpipe.genmedclip.judging.results import Results
from medpipe.storage import ObjectStore

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~<>-])")
# Below three domains a radar has no area.
_RADAR_DOMAINS = 3

_STYLE = """
:root { color-scheme: light; font: 15px/1.5 system-ui, sans-serif; color: #1c2420; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: #fff;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.note { color: #55605a; max-width: 60rem; }
p.warn { border-left: 4px solid #c1440e; padding-left: .8rem; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #dfe5e1;
  vertical-align: top; overflow-wrap: break-word; min-width: 5rem; max-width: 26rem; }
th { border-bottom: 2px solid #9aa69f; }
figure { display: inline-block; margin: .4rem; max-width: 20rem; vertical-align: top; }
figure.plot { max-width: 100%; } img { max-width: 100%; height: auto; }
figcaption { font-size: .85rem; color: #55605a; overflow-wrap: anywhere; }
"""


def write(results: Results, pictures: Sequence[Illustration], store: ObjectStore) -> None:
    """Write report.json, report.md, report.html and plots/*.png.

    Args:
        results: What was found.
        pictures: Confusions and heat maps.
        store: Where to; each file appears whole.
    """
    drawn = _plots(results)
    for name, data in drawn.items():
        store.write(f"plots/{name}.png", data)
    store.write("report.json", results.model_dump_json(indent=1).encode())
    store.write("report.md", _markdown(results, list(drawn)).encode())
    store.write("report.html", _page(results, drawn, pictures).encode("utf-8", "replace"))


def _plots(results: Results) -> dict[str, bytes]:
    """PNG by name."""
    models = [m.name for m in results.models]
    drawn: dict[str, bytes] = {}
    for task in dict.fromkeys(r.task for r in results.domains):
        rows = [r for r in results.domains if r.task == task]
        there = plots.present_domains(rows)
        if there:
            drawn[f"bars_{task}"] = plots.bars(rows, models)
        if len(there) >= _RADAR_DOMAINS:
            drawn[f"radar_{task}"] = plots.radar(rows, models)
    for dataset in dict.fromkeys(j.dataset for j in results.judged if j.reliability):
        rows_of = [j for j in results.judged if j.dataset == dataset]
        drawn[f"reliability_{dataset}"] = plots.reliability(rows_of)
    return drawn


def _caption(plot: str) -> str:
    kind, _, what = plot.partition("_")
    titles = {"bars": "Means by domain", "radar": "Means by domain", "reliability": "Reliability"}
    return f"{titles[kind]}: {words(what)}"


def _summary(results: Results) -> list[str]:
    """Sentences at the top; those about missing safeguards start with an exclamation mark."""
    listed = len(results.present) + len(results.absent)
    lines = [
        f"{results.suite_title} ({results.suite} {results.suite_version}), "
        f"medpipe {results.medpipe_version}: {len(results.present)} of {listed} test sets judged, "
        f"{results.rounds:,} bootstrap samples, seed {results.seed}.",
        "Models: "
        + "; ".join(
            f"{m.name} (weights {m.fingerprint[:12]}, logit scale {m.logit_scale:g})"
            for m in results.models
        )
        + ".",
    ]
    if results.absent:
        lines.append(
            f"!No figures for {len(results.absent)} of {listed} test sets; means are over what is "
            "present."
        )
    if results.trained_on is None:
        lines.append("!No training set was named: nobody looked for leaked test pictures.")
    else:
        n = sum(len(p.leaks) for p in results.present)
        lines.append(
            f"Checked against the {results.training_samples:,} samples of {results.trained_on}: "
            f"{n:,} test pictures leaked and are left out for every model. Radiographs of one "
            "kind look alike to a perceptual hash: figures with them stand below those without."
        )
    return lines


def _markdown(results: Results, drawn: list[str]) -> str:
    parts = ["# Judgement", *(_md(line.removeprefix("!")) for line in _summary(results))]
    parts += [f"![{_md(_caption(name))}](plots/{name}.png)" for name in drawn]
    for table in tables(results):
        parts += [f"## {_md(table.title)}", _md(table.note), _md_table(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _md_table(table: Table) -> str:
    rows = [table.head, ("---",) * len(table.head)]
    lines = ["| " + " | ".join(rows[1]) + " |"]
    lines.insert(0, "| " + " | ".join(map(_md, table.head)) + " |")
    lines += ["| " + " | ".join(map(_md, row)) + " |" for row in table.rows]
    return "\n".join(lines)


def _md(text: str) -> str:
    """Text in which nothing is taken for markup, on one line."""
    plain = " ".join(_CONTROL.sub("\ufffd", text).split())
    return _MARKUP.sub(r"\\\1", plain).replace("&", "&amp;")


def _page(results: Results, drawn: dict[str, bytes], pictures: Sequence[Illustration]) -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = ["<h1>Judgement</h1>"]
    for line in _summary(results):
        kind = "warn" if line.startswith("!") else "note"
        body.append(f'<p class="{kind}">{_html(line.removeprefix("!"))}</p>')
    overview = {n: d for n, d in drawn.items() if not n.startswith("reliability_")}
    body += [_figure(_caption(n), data_url(d, "png"), "plot") for n, d in overview.items()]
    body += [_html_table(table) for table in tables(results)]
    diagrams = {n: d for n, d in drawn.items() if n not in overview}
    if diagrams:
        body.append("<h2>Calibration</h2>")
        body += [_figure(_caption(n), data_url(d, "png"), "") for n, d in diagrams.items()]
    body += _gallery(pictures, "confusion", "Worst confusions")
    body += _gallery(pictures, "heat", "Where the models looked: heat, boxes, pointer's way")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_html(results.suite_title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_html(cell)}</th>' for cell in table.head)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    note = f'<p class="note">{_html(table.note)}</p>' if table.note else ""
    return (
        f'<h2>{_html(table.title)}</h2>{note}<div class="wide"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>\n{rows}\n</tbody></table></div>"
    )


def _gallery(pictures: Sequence[Illustration], kind: str, title: str) -> list[str]:
    shown = [p for p in pictures if p.kind == kind]
    if not shown:
        return []
    return [
        f"<h2>{_html(title)}</h2>",
        *(
            _figure(f"{p.dataset}, {p.model}: {p.caption}", data_url(p.jpeg, "jpeg"), "")
            for p in shown
        ),
    ]


def _figure(caption: str, address: str, kind: str) -> str:
    text = _html(caption)
    return (
        f'<figure class="{kind}"><img src="{address}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _html(text: str) -> str:
    return html.escape(_CONTROL.sub("\ufffd", text))
