"""What a batch holds, and that it is the same whoever reads it."""

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

from benchmarks.pairs import Pair, region_pairs, write_pairs  # noqa: E402
from medpipe.dataset import Committer, write_item  # noqa: E402
from medpipe.errors import ConfigError, Transient  # noqa: E402
from medpipe.genmedclip import DataConfig, ModelConfig  # noqa: E402
from medpipe.genmedclip.groups import Groups  # noqa: E402
from medpipe.genmedclip.index import Index, build_index  # noqa: E402
from medpipe.genmedclip.loader import Batch, Loader, Wanted  # noqa: E402
from medpipe.genmedclip.models import build  # noqa: E402
from medpipe.genmedclip.order import Cursor  # noqa: E402
from medpipe.storage import ObjectStore, StorageConfig, open_store  # noqa: E402
from medpipe.storage.objects import FolderStore  # noqa: E402
from tests.support import training  # noqa: E402
from tests.support.rows import put_item, rows_of  # noqa: E402
from tests.support.s3 import KEYS, make_bucket, s3_server  # noqa: E402

TOKENIZE = build(ModelConfig(name="tiny")).tokenize


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return training.dataset(tmp_path_factory.mktemp("pairs"), 40, an_item=5)


def loader(data: ObjectStore, *, rank: int = 0, world_size: int = 1, **settings: Any) -> Loader:
    grid = settings.pop("grid", None)
    config = DataConfig(uri=data.uri, **{"validation_share": 0.0, **settings})
    return Loader(
        data, build_index(data, config), config, Wanted(32, grid), TOKENIZE,
        seed=3, global_batch=8, rank=rank, world_size=world_size,
    )  # fmt: skip


START = Cursor(0, 0)


def read(made: Loader, cursor: Cursor = START, epochs: int = 2) -> list[Batch]:
    return [batch for _, batch in made.batches(cursor, epochs)]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_the_global_batches_are_the_same_for_any_number_of_workers(
    data: ObjectStore, world_size: int
) -> None:
    alone = read(loader(data))
    shared = [read(loader(data, rank=r, world_size=world_size)) for r in range(world_size)]
    for number, whole in enumerate(alone):
        parts = [batches[number] for batches in shared]
        for field in ("rows", "images", "tokens", "keys"):
            together = torch.cat([getattr(part, field) for part in parts])
            assert torch.equal(together, getattr(whole, field)), field


def test_a_reader_that_starts_late_reads_what_the_others_read(data: ObjectStore) -> None:
    everything = read(loader(data))
    late = read(loader(data, threads=3), Cursor(1, 3))
    assert len(late) == 2
    for one, other in zip(late, everything[-2:], strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.tokens, other.tokens)


def test_every_epoch_shows_each_row_once_with_another_cut(data: ObjectStore) -> None:
    batches = read(loader(data))
    for epoch in (batches[:5], batches[5:]):
        assert sorted(torch.cat([b.rows for b in epoch]).tolist()) == list(range(40))
    first, second = (
        {int(row): image for b in epoch for row, image in zip(b.rows, b.images, strict=True)}
        for epoch in (batches[:5], batches[5:])
    )
    assert not any(torch.equal(first[row], second[row]) for row in first)


def test_a_cache_that_holds_a_part_of_the_data_reads_the_same(tmp_path: Path) -> None:
    data = open_store(str(tmp_path))
    write_pairs(data, region_pairs(80, side_px=640), an_item=8)
    tight, wide = loader(data, cache_bytes=1 << 20), loader(data)
    small, large = read(tight), read(wide)
    assert 0 < tight.held_bytes < 0.7 * wide.held_bytes  # the row group read last, of several
    assert all(torch.equal(a.images, b.images) for a, b in zip(small, large, strict=True))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """96 pictures of half a megabyte, so that a file has several groups."""
    random = np.random.default_rng(0)
    data = open_store(str(tmp_path_factory.mktemp("large")))
    noise = random.integers(0, 256, (96, 420, 420, 3), np.uint8)
    images = (cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1] for image in noise)
    told = ("a scan of noise",)
    write_pairs(data, (Pair(image.tobytes(), told, "ct") for image in images), an_item=48)
    return data


class Counting(FolderStore):
    """A folder that notes which parts of files are read, and fails at some."""

    def __init__(self, root: Path, failures: int = 0) -> None:
        super().__init__(root)
        self.parts: Counter[tuple[str, int]] = Counter()
        self._failures = failures

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        if self._failures:
            self._failures -= 1
            raise Transient("store_unavailable", "try again")
        self.parts[key, start] += 1
        return super().read_range(key, start, stop)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_epoch_reads_each_group_once_though_not_all_stay_in_memory(
    large: ObjectStore, threads: int
) -> None:
    store = Counting(Path(large.uri))
    made = loader(store, window_rows=16, cache_bytes=40 << 20, threads=threads, prefetch=1)
    index = build_index(large, DataConfig(validation_share=0.0))
    assert len(read(made, epochs=1)) == 12
    groups = [
        (index.files[file], start)
        for file, start in zip(index.group_file, index.group_start.tolist(), strict=True)
    ]
    assert len(groups) >= 6
    assert [store.parts[group] for group in groups] == [1] * len(groups)
    assert made.held_bytes <= 40 << 20


def test_a_group_that_could_not_be_read_ahead_is_read_when_it_is_wanted(
    tmp_path: Path, data: ObjectStore
) -> None:
    index = build_index(data, DataConfig(validation_share=0.0))
    rows = np.arange(8)
    groups = Groups(Counting(Path(data.uri), failures=1), index, 1 << 20, places=False)
    with ThreadPoolExecutor(1) as pool:
        groups.ahead(rows[:1], pool)
    assert groups.group(0).record(0).size_px == (48, 48)


def test_a_batch_keeps_its_pictures_and_leaves_its_memory_to_later_ones(data: ObjectStore) -> None:
    made = loader(data)
    kept = read(made)
    assert len({batch.images.data_ptr() for batch in kept}) == len(kept)
    seen = [batch.images.data_ptr() for _, batch in made.batches(START, 20)]
    assert len(set(seen)) < len(seen) / 2
    again = read(loader(data))
    assert all(torch.equal(a.images, b.images) for a, b in zip(kept, again, strict=True))


def test_a_window_of_large_pictures_holds_fewer_rows(large: ObjectStore) -> None:
    group = build_index(large, DataConfig(validation_share=0.0)).group

    def groups_met(**settings: int) -> int:
        made = loader(large, **settings)
        batches = [made.global_rows(Cursor(0, number)) for number in range(12)]
        return sum(len(set(group[rows].tolist())) for rows in batches)

    assert groups_met(window_bytes=8 << 20) < groups_met() - 12


def test_small_row_groups_are_read_as_one_and_large_ones_alone(
    data: ObjectStore, large: ObjectStore
) -> None:
    small = build_index(data, DataConfig(validation_share=0.0))
    assert len(small.group_file) < 40 / 5
    index = build_index(large, DataConfig(validation_share=0.0))
    spans = index.group_stop - index.group_start
    assert (spans <= 8 << 20).all() or (index.group_count[spans > 8 << 20] == 1).all()
    for number in range(len(spans)):
        rows = index.row_in_group[index.group == number]
        assert rows.tolist() == list(range(len(rows)))


def test_phrases_come_with_boxes_and_densities_over_the_finding(data: ObjectStore) -> None:
    batch = read(loader(data, grid=(8, 8), min_scale=1.0))[0]
    assert batch.pointed is not None
    assert batch.boxes is not None
    assert batch.density is not None
    assert batch.pointed.all()
    assert torch.allclose(batch.density.sum(dim=(1, 2)), torch.ones(8))
    for box, heat in zip(batch.boxes, batch.density, strict=True):
        row, column = divmod(int(heat.argmax()), 8)
        assert box[0] - 0.1 <= (column + 0.5) / 8 <= box[2] + 0.1
        assert box[1] - 0.1 <= (row + 0.5) / 8 <= box[3] + 0.1


def test_cuts_around_boxes_carry_the_phrase_as_caption(data: ObjectStore) -> None:
    cut = read(loader(data, crop_share=1.0, grid=(4, 4)))[0]
    assert cut.phrases is not None
    assert torch.equal(cut.tokens, cut.phrases)
    assert cut.boxes is not None
    assert (cut.boxes[:, 2] - cut.boxes[:, 0] > 0.3).all()  # the box fills much of the cut


def test_the_same_rows_come_from_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    local = training.dataset(tmp_path / "pairs", 16, an_item=8)
    with s3_server(tmp_path / "server.log") as url:
        make_bucket(url, "pairs")
        remote = open_store("s3://pairs/data", StorageConfig(endpoint_url=url))
        write_pairs(remote, region_pairs(16, side_px=48), an_item=8)
        far = read(loader(remote))
    key = torch.sort(torch.cat([batch.keys[:, 1] for batch in far]))[0]
    near = read(loader(local))
    assert torch.equal(key, torch.sort(torch.cat([batch.keys[:, 1] for batch in near]))[0])
    assert len(far) == len(near) == 4


def test_an_index_of_another_making_is_refused() -> None:
    file = io.BytesIO()
    np.savez(file, files=np.array(["a"]), version=np.array(0), fingerprint=np.array(""))
    with pytest.raises(ConfigError, match="another version"):
        Index.from_bytes(file.getvalue())


def test_an_index_comes_back_from_its_bytes(data: ObjectStore) -> None:
    made = build_index(data, DataConfig())
    again = Index.from_bytes(made.to_bytes())
    assert again.fingerprint == made.fingerprint
    assert again.files == made.files
    assert np.array_equal(again.video, made.video)


def test_items_are_held_back_whole_and_by_their_id(tmp_path: Path) -> None:
    store = training.dataset(tmp_path, 90, an_item=3)
    index = build_index(store, DataConfig(validation_share=0.3))
    held = set(index.video[index.held_back].tolist())
    assert 0 < len(held) < 30
    assert not held & set(index.video[~index.held_back].tolist())


def test_rows_without_a_wanted_caption_or_domain_take_no_part(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    plain = next(region_pairs(1))
    told = {"image": plain.image, "captions": ("a scan",)}
    pairs = [Pair(**told, domain="ct"), Pair(**told, domain="mri"),
             Pair(image=plain.image, captions=(), domain="ct", regions=plain.regions)]  # fmt: skip
    write_pairs(store, pairs)
    assert len(build_index(store, DataConfig())) == 3
    assert len(build_index(store, DataConfig(roi_weight=0))) == 2
    only_ct = build_index(store, DataConfig(domains=("ct",)))
    assert only_ct.domain_counts() == {"ct": 2}


def test_a_pinned_version_does_not_see_what_came_later(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    Committer(store).commit([put_item(store, "yt:first")])
    pinned = build_index(store, DataConfig())
    Committer(store).commit([put_item(store, "yt:second")])
    again = build_index(store, DataConfig(version=pinned.version))
    assert again.fingerprint == pinned.fingerprint
    assert len(build_index(store, DataConfig())) == 2 * len(again)


@pytest.mark.parametrize("version", [None, 99])
def test_a_dataset_that_is_not_there_is_named(tmp_path: Path, version: int | None) -> None:
    store = open_store(str(tmp_path))
    if version is not None:
        Committer(store).commit([put_item(store, "yt:first")])
    with pytest.raises(ConfigError, match=str(tmp_path)):
        build_index(store, DataConfig(version=version))


def test_large_jpeg_is_decoded_small_and_looks_the_same() -> None:
    from medpipe.genmedclip.pictures import cut

    y, x = np.mgrid[0:600, 0:800].astype(np.float32)
    image = np.stack([x / 800 * 255, y / 600 * 255, 128 + 100 * np.sin(x / 90)], axis=-1)
    ok, encoded = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert ok
    crop = (0.1, 0.2, 0.9, 0.9)
    small = np.zeros((64, 64, 3), np.uint8)
    cut(encoded.tobytes(), (800, 600), crop, small)
    whole = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[120:540, 80:720]
    straight = cv2.cvtColor(
        cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
    )
    assert np.abs(small.astype(int) - straight).mean() < 2


@pytest.mark.parametrize(
    ("pictures", "indices"),
    [("best", [1, 2]), ("whole", [0, 1]), ("parts", [2]), ("both", [0, 1, 2])],
)
def test_pictures_cut_out_of_an_image_stand_for_it(
    tmp_path: Path, pictures: str, indices: list[int]
) -> None:
    store = open_store(str(tmp_path))
    rows = rows_of("yt:slides", samples=3)
    whole, _, part = rows["samples"]
    whole["parts"] = 1
    part["part_of"] = whole["id"]
    manifest = write_item(
        store, rows, item_id="yt:slides", generation=1, config_hash="c", verdict="done"
    )
    Committer(store).commit([manifest])

    config = DataConfig(pictures=pictures, validation_share=0.0)
    index = build_index(store, config)

    assert sorted(index.row_in_group.tolist()) == indices
