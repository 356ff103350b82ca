"""Build the bundled lectures, or a random one."""

import argparse
import time
from pathlib import Path

from benchmarks.lectures import bundled_specs, make_lecture, random_spec


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lectures", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--bundled", action="store_true", help="the lectures medpipe ships")
    which.add_argument("--seed", type=int, help="a random lecture of this seed")
    parser.add_argument("--only", help="one bundled lecture by name")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--speech", choices=("piper", "none"), default="piper")
    parser.add_argument("--clean", action="store_true", help="also one picture a scene")
    args = parser.parse_args()
    specs = bundled_specs()
    if not args.bundled:
        specs = [random_spec(args.seed, speech=args.speech)]
    for spec in specs:
        if args.only not in (None, spec.name):
            continue
        start_s = time.perf_counter()
        paths = make_lecture(spec, args.out, args.clean)
        took_s = time.perf_counter() - start_s
        print(f"{paths.video} {paths.video.stat().st_size / 1e6:.2f} MB, {took_s:.1f} s")


if __name__ == "__main__":
    main()
