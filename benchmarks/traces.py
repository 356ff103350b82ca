"""Pointer, scenes and clean images against exact truth, with peers beside in the same run.

Makes clips of every kind that a lecture may be (`benchmarks/tracing`; seeds that nothing was tuned
on), extracts them, runs five other methods on the same files and scores all of them; CPU beside a
plain decode of the same file. The full form adds sweeps of difficulty with plots. Real screen
recordings with labels read by hand are reported apart where the shared data is there.

    python -m benchmarks.traces [--full] [--kinds zoom pen ...] [--seeds 900 ...] [--recordings]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2

from benchmarks.machine import about
from benchmarks.tracing import HELD_SEEDS, KINDS, clip
from benchmarks.tracing.measure import Outcome, measure, measure_lecture
from benchmarks.tracing.pages import available
from benchmarks.tracing.peers import DIFFERENCE, MOG2, PEERS
from benchmarks.tracing.plots import draw_bars, draw_sweeps
from benchmarks.tracing.recorded import measure_recordings
from benchmarks.tracing.sheet import write_sheet
from benchmarks.tracing.sweeps import SWEEPS, sweep
from benchmarks.tracing.table import print_summary, print_table, summary

RESULTS = Path(__file__).parent / "results"
# One clip a kind, the kinds that differ most, shorter than they are by default.
QUICK = (
    *("arrow_white", "arrow_black", "arrow_small", "arrow_clear", "hand", "cross", "laser"),
    *("halo", "spotlight", "pen", "two_pointers", "parked", "leaving", "typing", "no_pointer"),
    *("bullets", "scrolling", "ct_stack", "mr_stack", "zoom", "ultrasound", "webcam", "camera"),
    *("p360", "vp9", "av1", "crf40", "rotated", "broken_stamps"),
)
QUICK_S = 8.0
SWEPT_PEERS = (DIFFERENCE, MOG2)
LECTURE_SEEDS = range(180, 188)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="every kind, two seeds, sweeps, plots")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), help="only these")
    parser.add_argument("--seeds", nargs="*", type=int, help="default: of the held-out ones")
    parser.add_argument("--recordings", action="store_true", help="only the real recordings")
    parser.add_argument("--alone", action="store_true", help="no peers: quicker while one tunes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if not args.recordings:
        _synthetic(args)
    wanted = args.recordings or args.kinds is None
    recorded = measure_recordings(peers=_peers(args)) if wanted else []
    if recorded:
        print("\nReal recordings, labelled by hand")
        print_table(recorded)
    if args.kinds is None and not args.alone:
        _keep(args.out / "traces_recordings.json", {"clips": [o.row for o in recorded]}, recorded)


def _synthetic(args: argparse.Namespace) -> None:
    kinds = args.kinds or (list(KINDS) if args.full else QUICK)
    seeds = args.seeds or list(HELD_SEEDS[: 2 if args.full else 1])
    seconds = None if args.full or args.kinds else QUICK_S
    outcomes = []
    for kind in kinds:
        for seed in seeds:
            if not all(available(name) for name in clip(kind, seed).pictures):
                print(f"SKIPPED: {kind} needs pictures of the shared data", file=sys.stderr)
                continue
            outcomes.append(measure(kind, seed, seconds, peers=_peers(args)))
            print_table(outcomes[-1:], head=len(outcomes) == 1)
    if args.kinds is None:
        lectures = list(LECTURE_SEEDS)[: None if args.full else 1]
        outcomes += [measure_lecture(seed, peers=_peers(args)) for seed in lectures]
    figures = summary(outcomes)
    print_summary(figures)
    swept: dict[str, Any] = {}
    if args.full and args.kinds is None and not args.alone:
        swept = {name: sweep(name, SWEPT_PEERS) for name in SWEEPS}
    if args.kinds is None and not args.alone:
        form = "full" if args.full else "quick"
        body = {"form": form, "summary": figures, "sweeps": swept}
        _keep(args.out / f"traces_{form}.json", body, outcomes)
        draw_bars(outcomes, args.out / f"traces_{form}_kinds.png")
        write_sheet(outcomes, args.out / f"traces_{form}_worst.jpg")
        if swept:
            draw_sweeps(swept, args.out / "traces_sweeps.png")


def _peers(args: argparse.Namespace) -> tuple[str, ...]:
    return () if args.alone else PEERS


def _keep(path: Path, body: dict[str, Any], outcomes: list[Outcome]) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [outcome.row for outcome in outcomes]
    text = json.dumps({**about(), **body, "clips": rows}, indent=None, separators=(",", ":"))
    path.write_text(text.replace('{"clip"', '\n{"clip"') + "\n", "utf-8")


if __name__ == "__main__":
    main()
