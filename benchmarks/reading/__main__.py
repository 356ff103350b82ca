"""What the reader makes of teachers' sentences: assertions, phrases and talk, judged by hand.

    python -m benchmarks.reading [--tuning] [--mistakes]

`judged/` was written before the rules were tuned and is never tuned on (`--mistakes` shows those
of `tuning/` only); one author wrote both, and the rules.
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.machine import about
from benchmarks.reading import score
from benchmarks.reading.marked import HERE, marked_sentences, talk, transcript
from medpipe.stages.refine import RefineConfig, refine

RESULT = Path(__file__).parents[1] / "results" / "reading.json"
HOUR_WORDS = 9000  # 150 words a minute


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuning", action="store_true", help="the sentences to tune on")
    parser.add_argument("--mistakes", action="store_true", help="with --tuning: print each mistake")
    args = parser.parse_args()
    if args.mistakes and not args.tuning:
        parser.error("--mistakes goes with --tuning: nobody looks at those of the judged sentences")
    folder = HERE / ("tuning" if args.tuning else "judged")
    claims = marked_sentences(folder / "assertions.txt")
    pointed = marked_sentences(folder / "phrases.txt")
    lines = talk(folder / "talk.tsv")
    figures = {
        "assertions": (len(claims), *score.assertions(claims)),
        "phrases": (len(pointed), *score.phrases(pointed)),
        "talk": (len(lines), *score.dropped(lines)),
    }
    for name, (count, rates, wrong) in figures.items():
        shown = "  ".join(f"{key} {value:.3g}" for key, value in rates.items())
        print(f"{name} ({count} sentences)  {shown}")
        if args.mistakes:
            print(*(f"    {each}" for each in wrong), sep="\n")
    hour_s = _hour_s([each.text for each in (*claims, *pointed)])
    print(f"CPU seconds for an hour of speech: {hour_s:.2f}")
    if not args.tuning:
        body = {name: {"sentences": count, **rates} for name, (count, rates, _) in figures.items()}
        kept = {**about(), "cpu_s_an_hour_of_speech": hour_s, **body}
        RESULT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _hour_s(texts: list[str]) -> float:
    words = " ".join(texts).split()
    said = (words * (HOUR_WORDS // len(words) + 1))[:HOUR_WORDS]
    heard = transcript(" ".join(said))
    began_s = time.process_time()
    refine(heard, RefineConfig())
    return time.process_time() - began_s


if __name__ == "__main__":
    main()
