"""A video that is looked back over in other stretches gives the same trace."""

from pathlib import Path

import numpy as np

from medpipe.records import Extraction
from medpipe.stages.extract import ExtractConfig, extract
from tests.unit.stages.extract.test_extract import HEIGHT, WIDTH, slide, steady, wander, write_clip

LEARNT_S = 6.0
SHORT, LONG = ExtractConfig(max_chunk_s=6), ExtractConfig(max_chunk_s=45)


def both(tmp_path: Path) -> tuple[Extraction, Extraction]:
    """A pointer that wanders over two pages, hides for two seconds and comes back."""
    pages = slide(31), slide(32)
    path = write_clip(
        tmp_path / "a.mp4",
        lambda t: pages[t >= 8.5],
        lambda t: None if 13 <= t < 15 else wander(t),
        steady(20),
    )
    first, second = tmp_path / "short", tmp_path / "long"
    first.mkdir()
    second.mkdir()
    return extract(path, first, SHORT), extract(path, second, LONG)


def test_chunk_borders_leave_no_mark_on_a_known_pointer(tmp_path: Path) -> None:
    short, long = both(tmp_path)

    a, b = (found.points.between(LEARNT_S, 20) for found in (short, long))

    shared = np.intersect1d(a.t_s, b.t_s)
    assert len(shared) > 0.97 * max(len(a), len(b))
    first, second = np.isin(a.t_s, shared), np.isin(b.t_s, shared)
    apart = np.hypot((a.x[first] - b.x[second]) * WIDTH, (a.y[first] - b.y[second]) * HEIGHT)
    assert np.median(apart) < 1
    assert np.mean(apart < 3) > 0.97


def test_scenes_are_the_same_over_chunk_borders(tmp_path: Path) -> None:
    short, long = both(tmp_path)

    spans = [[(scene.start_s, scene.end_s) for scene in found.scenes] for found in (short, long)]

    assert len(spans[0]) == len(spans[1]) == 2
    assert np.abs(np.subtract(*spans)).max() < 0.2
