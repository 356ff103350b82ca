"""Writes curate.json and train.json, the Grafana dashboards, from the tables below.

python infra/grafana/build.py      (a test keeps the files equal to what this writes)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
_WIDTH, _HEIGHT = 8, 8
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    """One graph or number; `queries` are pairs of PromQL and legend."""

    title: str
    says: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"


CURATE = [
    Panel("Items done", "Since the run began.",
          [('sum(ray_medpipe_items_total{state="done"})', "done")], kind="stat"),
    Panel("Dead letters", "Items whose tries are used up.",
          [('sum(ray_medpipe_items_total{state="dead"}) or vector(0)', "dead")], kind="stat"),
    Panel("Cost of this run", "Needs prices.* in the config.",
          [("sum(ray_medpipe_cost_usd)", "cost")], "currencyUSD", "stat"),
    Panel("Ends", "Items that came to an end, by state.",
          [("sum by (state) (rate(ray_medpipe_items_total[5m]) * 3600)", "{{state}} an hour")]),
    Panel("In flight", "Items leased and not yet at an end.",
          [("sum(ray_medpipe_items_in_flight)", "items")]),
    Panel("Speed", "Hours of media that become rows in an hour: 1 is real time.",
          [("sum(rate(ray_medpipe_media_seconds_total[10m]))", "x real time")]),
    Panel("Steps that end", "Of every step of the walk, whatever came of it.",
          [("sum by (step) (rate(ray_medpipe_steps_total[5m]) * 60)", "{{step}} a minute")]),
    Panel("Steps that fail", "By whose fault: transient is the world's, bug ours, lost a node's.",
          [('sum by (step, result) (rate(ray_medpipe_steps_total{result!="done"}[5m]) * 60)',
            "{{step}} {{result}} a minute")]),
    Panel("Cost an hour", "Needs prices.*.",
          [("sum(deriv(ray_medpipe_cost_usd[15m])) * 3600", "dollars")], "currencyUSD"),
    Panel("Nodes", "What the autoscaler has, waits for and lost.",
          [("sum by (NodeType) (autoscaler_active_nodes)", "{{NodeType}}"),
           ("sum by (NodeType) (autoscaler_pending_nodes)", "{{NodeType}} on the way"),
           ("sum by (NodeType) (autoscaler_recently_failed_nodes)", "{{NodeType}} lost")]),
    Panel("Actors", "medpipe's workers by state.",
          [('sum by (Name, State) (ray_actors{Name=~".*Worker.*"})', "{{Name}} {{State}}")]),
    Panel("CPU", "Of each node.",
          [("ray_node_cpu_utilization", "{{ip}}")], "percent"),
    Panel("GPU", "Of each card.",
          [("ray_node_gpus_utilization", "{{ip}} {{GpuIndex}}")], "percent"),
    Panel("Memory", "Ray ends a process of a node above 95 %.",
          [("ray_node_mem_used / ray_node_mem_total", "{{ip}}")], "percentunit"),
    Panel("Disk left", "Scratch of the videos at work.",
          [("ray_node_disk_free / (ray_node_disk_free + ray_node_disk_usage)", "{{ip}}")],
          "percentunit"),
]  # fmt: skip

TRAIN = [
    Panel("Epoch", "Passes over the data.", [("max(ray_medpipe_train_epoch)", "epoch")],
          kind="stat"),
    Panel("Workers", "Elastic runs go on with fewer.",
          [("max(ray_medpipe_train_workers)", "workers")], kind="stat"),
    Panel("Recall at 1", "Captions found for held-back pictures.",
          [("max(ray_medpipe_train_validation_recall_at_1)", "recall")], "percentunit", "stat"),
    Panel("Loss", "Of the contrast, with its two extra terms where they are on.",
          [("max(ray_medpipe_train_loss)", "loss"),
           ("max(ray_medpipe_train_region_loss)", "region"),
           ("max(ray_medpipe_train_trace_loss)", "trace")]),
    Panel("Loss by domain", "Which pictures are hard.",
          [('max by (__name__) ({__name__=~"ray_medpipe_train_loss_.+"})', "{{__name__}}")]),
    Panel("Recall", "On held-back items, never on their other frames.",
          [("max(ray_medpipe_train_validation_recall_at_1)", "at 1"),
           ("max(ray_medpipe_train_validation_recall_at_10)", "at 10")], "percentunit"),
    Panel("Samples a second", "Over all workers.",
          [("max(ray_medpipe_train_samples_a_s)", "samples")]),
    Panel("Waiting for data", "Share of the time; above 0.3 the GPUs are bored.",
          [("max(ray_medpipe_train_data_wait_share)", "share")], "percentunit"),
    Panel("Model flops utilisation", "Needs genmedclip.run.peak_tflops.",
          [("max(ray_medpipe_train_mfu)", "mfu")], "percentunit"),
    Panel("Gradient norm", "Before clipping.", [("max(ray_medpipe_train_norm)", "norm")]),
    Panel("Learning rate and logit scale", "The scale is bounded at 100.",
          [("max(ray_medpipe_train_rate)", "rate"), ("max(ray_medpipe_train_scale)", "scale")]),
    Panel("GPU", "Of each card.",
          [("ray_node_gpus_utilization", "{{ip}} {{GpuIndex}}")], "percent"),
    Panel("GPU memory", "Of each card.",
          [("ray_node_gram_used", "{{ip}} {{GpuIndex}}")], "decmbytes"),
    Panel("Memory", "Ray ends a process of a node above 95 %.",
          [("ray_node_mem_used / ray_node_mem_total", "{{ip}}")], "percentunit"),
    Panel("Nodes", "What the autoscaler has and waits for.",
          [("sum by (NodeType) (autoscaler_active_nodes)", "{{NodeType}}"),
           ("sum by (NodeType) (autoscaler_pending_nodes)", "{{NodeType}} on the way")]),
]  # fmt: skip


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 24 // _WIDTH)
    drawn: dict[str, Any] = {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": expr, "legendFormat": legend}
            for n, (expr, legend) in enumerate(panel.queries)
        ],
    }
    if panel.kind == "stat":
        drawn["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}}
    return drawn


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A dashboard as Grafana's provisioning reads it."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["medpipe"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource", "label": "Prometheus", "type": "datasource",
            "query": "prometheus",
        }]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }  # fmt: skip


def files() -> dict[str, str]:
    """Every dashboard's file name and text."""
    made = {
        "curate.json": dashboard("medpipe-curate", "medpipe: curate", CURATE),
        "train.json": dashboard("medpipe-train", "medpipe: train GenMedCLIP", TRAIN),
    }
    return {name: json.dumps(board, indent=1) + "\n" for name, board in made.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text, "utf-8")
