"""Make clips of the catalogue."""

import argparse
import time
from pathlib import Path

from benchmarks.tracing import KINDS, clip, make_clip


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracing", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the kinds")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="which; default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="length; default as the kind has it")
    parser.add_argument("--out", type=Path, default=Path("clips"), help="folder to write to")
    args = parser.parse_args()
    if args.list:
        print("\n".join(KINDS))
        return
    for kind in args.kinds:
        spec = clip(kind, args.seed, **({"seconds": args.seconds} if args.seconds else {}))
        start_s = time.perf_counter()
        paths = make_clip(spec, args.out)
        size, took_s = paths.video.stat().st_size / 1e6, time.perf_counter() - start_s
        print(f"{paths.video} {size:.2f} MB, {took_s:.1f} s", flush=True)


if __name__ == "__main__":
    main()
