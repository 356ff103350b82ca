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
    Panel("Why items fall out", "Rejected and dead, by step and reason code.",
          [('sum by (state, step, reason) '
            '(increase(ray_medpipe_items_total{state!="done"}[1h]))',
            "{{state}} {{step}} {{reason}}")]),
    Panel("Queue", "Items that have not come to an end; drivers of one queue all tell it.",
          [("max by (state) (ray_medpipe_items_open)", "{{state}}"),
           ("sum(ray_medpipe_items_in_flight)", "in flight here")]),
    Panel("Age of the oldest", "Ready but not leased, and leased but not at an end. On SQS the "
          "former is CloudWatch's ApproximateAgeOfOldestMessage.",
          [("max by (state) (ray_medpipe_items_oldest_age_seconds)", "{{state}}")], "s"),
    Panel("Speed", "Hours of media that become rows in an hour: 1 is real time.",
          [("sum(rate(ray_medpipe_media_seconds_total[10m]))", "x real time")]),
    Panel("Speed of a worker", "Media that one worker gets through, by step; 1 is real time.",
          [("sum by (step) (rate(ray_medpipe_step_media_seconds_total[10m])) "
            "/ sum by (step) (rate(ray_medpipe_step_seconds_sum[10m]))", "{{step}} x real time")]),
    Panel("Workers at work", "Share of their time; the highest pool is what the run waits for.",
          [('sum by (pool) (rate(ray_medpipe_worker_seconds_total{state="busy"}[5m])) '
            "/ sum by (pool) (rate(ray_medpipe_worker_seconds_total[5m]))", "{{pool}}")],
          "percentunit"),
    Panel("Workers", "By pool and state; those that start may wait for a node.",
          [("sum by (pool, state) (ray_medpipe_workers)", "{{pool}} {{state}}")]),
    Panel("Time of a step", "Nine of ten are quicker.",
          [("histogram_quantile(0.9, sum by (step, le) "
            "(rate(ray_medpipe_step_seconds_bucket[30m])))", "{{step}}")], "s"),
    Panel("Steps that end", "Of every step of the walk, whatever came of it.",
          [("sum by (step) (rate(ray_medpipe_steps_total[5m]) * 60)", "{{step}} a minute")]),
    Panel("Steps that fail", "By whose fault: transient is the world's, bug ours, lost a node's.",
          [('sum by (step, result) (rate(ray_medpipe_steps_total{result!="done"}[5m]) * 60)',
            "{{step}} {{result}} a minute")]),
    Panel("Tries repeated", "Attempts with another one to come, by step and reason code.",
          [("sum by (step, reason) (increase(ray_medpipe_retries_total[1h]))",
            "{{step}} {{reason}}")]),
    Panel("Workers that died", "And were not let go, by reason.",
          [("sum by (pool, reason) (increase(ray_medpipe_worker_deaths_total[1h]))",
            "{{pool}} {{reason}}")]),
    Panel("Fetched", "Media that came in, by source.",
          [("sum by (source) (rate(ray_medpipe_fetched_bytes_total[5m]))", "{{source}}")], "Bps"),
    Panel("GPUs held", "By workers, at work or not.",
          [("sum by (pool) (rate(ray_medpipe_gpu_seconds_total[5m]))", "{{pool}}")]),
    Panel("Cost an hour", "Needs prices.*.",
          [("sum(deriv(ray_medpipe_cost_usd[15m])) * 3600", "dollars")], "currencyUSD"),
    Panel("Nodes", "What the autoscaler has, waits for and lost.",
          [("sum by (node_type) (ray_cluster_active_nodes)", "{{node_type}}"),
           ("sum by (node_type) (ray_cluster_pending_nodes)", "{{node_type}} on the way"),
           ("sum by (node_type) (ray_cluster_failed_nodes)", "{{node_type}} lost")]),
    Panel("Actors", "Of the whole cluster, by Ray's states.",
          [("sum by (State) (ray_actors)", "{{State}}")]),
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
          [("sum by (node_type) (ray_cluster_active_nodes)", "{{node_type}}"),
           ("sum by (node_type) (ray_cluster_pending_nodes)", "{{node_type}} on the way")]),
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
