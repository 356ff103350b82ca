import numpy as np

from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout, Replay
from medpipe.stages.extract.hold import states_of


def noise(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


def test_blocks_keep_the_coarse_picture_within_the_asked_width() -> None:
    layout = Layout.of(1920, 1080, 640)

    assert layout == Layout(24, 45, 80)
    assert layout.coarse(np.zeros((1080, 1920), np.uint8)).shape == (360, 640)


def test_a_small_video_is_looked_at_as_it_is() -> None:
    assert Layout.of(320, 240, 640) == Layout(8, 30, 40)


def test_the_rim_that_fills_no_block_is_left_out() -> None:
    layout = Layout.of(853, 481, 640)

    cropped = layout.crop(np.zeros((481, 853), np.uint8))

    assert cropped.shape == (layout.rows * layout.block, layout.columns * layout.block)
    assert 853 - cropped.shape[1] < layout.block


def test_a_chunk_replays_what_was_seen() -> None:
    layout = Layout.of(64, 48, 640)
    pictures = [np.full((48, 64), 100, np.uint8) for _ in range(3)]
    pictures[1][8:20, 16:30] = 200
    pictures[2][:] = noise(0, (48, 64))
    grid, chunk = ChangeGrid(layout, pictures[0], 16), Chunk(layout, pictures[0].copy())

    for k, picture in enumerate(pictures):
        chunk.add(k / 10, *grid.see(picture))

    replayed = [picture.copy() for _, picture in Replay(chunk).over(0, 3)]
    assert chunk.deltas[0] is None
    assert all((a == b).all() for a, b in zip(pictures, replayed, strict=True))


def test_a_slow_fade_adds_up_to_a_change() -> None:
    layout = Layout.of(64, 48, 640)
    grid = ChangeGrid(layout, np.full((48, 64), 100, np.uint8), 16)

    seen = [grid.see(np.full((48, 64), 100 + k, np.uint8))[0] for k in range(8)]

    assert seen[3] is None
    assert any(delta is not None and delta.moved.all() for delta in seen)


def test_a_picture_shown_again_changes_nothing_and_one_that_comes_back_does() -> None:
    layout = Layout.of(64, 48, 640)
    first = np.full((48, 64), 100, np.uint8)
    other = first.copy()
    other[8:24, 16:32] = 160
    grid = ChangeGrid(layout, first, 16)

    seen = [grid.see(picture)[0] for picture in (first, first, other, other, first)]

    assert [delta is not None for delta in seen] == [False, False, True, False, True]


def test_a_change_says_the_mean_of_each_block_that_it_renews() -> None:
    layout = Layout.of(1280, 720, 640)
    first, second = (np.full((720, 1280), 100, np.uint8) for _ in range(2))
    second[160:320, 320:640] = noise(1, (160, 320))
    grid = ChangeGrid(layout, first, 16)

    delta, _ = grid.see(second)

    assert delta is not None
    assert np.abs(delta.pixels.mean((1, 2)) - delta.means).max() < 1.5


def test_a_chunk_knows_which_samples_renewed_a_place() -> None:
    layout = Layout.of(256, 192, 640)
    calm = np.full((192, 256), 100, np.uint8)
    left, right = calm.copy(), calm.copy()
    left[16:32, 16:32] = 200
    right[160:176, 224:240] = 200
    shown = [calm, left, left, calm, right, 255 - calm]
    grid, chunk = ChangeGrid(layout, calm, 16), Chunk(layout, calm.copy())
    for k, picture in enumerate(shown):
        chunk.add(k / 10, *grid.see(picture))

    there = slice(16 // layout.block, 32 // layout.block)

    assert chunk.renewing(there, there).tolist() == [1, 3, 5]
    assert [chunk.last_whole(k) for k in range(6)] == [0, 0, 0, 0, 0, 5]


def test_a_replay_that_leaps_over_a_cut_shows_the_same() -> None:
    layout = Layout.of(128, 96, 640)
    pictures = [noise(k // 4, (96, 128)) for k in range(12)]
    for k, picture in enumerate(pictures):
        picture[8:16, 8 * k : 8 * k + 8] = 0
    grid, chunk = ChangeGrid(layout, pictures[0], 16), Chunk(layout, pictures[0].copy())
    for k, picture in enumerate(pictures):
        chunk.add(k / 10, *grid.see(picture))

    leapt = [Replay(chunk).at(k).copy() for k in range(12)]
    walked = [picture.copy() for _, picture in Replay(chunk).over(0, 12)]

    assert len(chunk.wholes) == 2
    assert all((a == b).all() for a, b in zip(leapt, walked, strict=True))
    assert all((a == b).all() for a, b in zip(leapt, pictures, strict=True))


def test_the_states_of_a_place_are_its_looks_from_a_sample_on() -> None:
    layout = Layout.of(128, 96, 640)
    greys = [100, 100, 150, 150, 150, 40, 100]
    grid, chunk = None, None
    for k, grey in enumerate(greys):
        picture = np.full((96, 128), 100, np.uint8)
        picture[40:56, 40:56] = grey
        if grid is None or chunk is None:
            grid, chunk = ChangeGrid(layout, picture, 16), Chunk(layout, picture.copy())
        chunk.add(k / 10, *grid.see(picture))
    assert chunk is not None
    place = np.s_[42:54, 42:54]

    def told(start: int, end: int) -> list[tuple[int, int]]:
        return [(at, int(look[5, 5])) for at, look in states_of(chunk, place, start, end)]

    assert told(0, 7) == [(0, 100), (2, 150), (5, 40), (6, 100)]
    assert told(3, 6) == [(3, 150), (5, 40)]
    assert told(2, 5) == [(2, 150)]
    assert told(1, 2) == [(1, 100)]
