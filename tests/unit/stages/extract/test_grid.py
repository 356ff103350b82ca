import numpy as np

from medpipe.stages.extract.grid import ChangeGrid, Chunk, Layout, Replay


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
