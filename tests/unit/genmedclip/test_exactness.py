"""Gradients do not depend on how a batch is cut: over workers, over chunks, or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

import open_clip  # noqa: E402
from torch import Tensor, distributed, multiprocessing  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

from medpipe.genmedclip import LossConfig, ModelConfig  # noqa: E402
from medpipe.genmedclip.index import build_index  # noqa: E402
from medpipe.genmedclip.loader import Batch, Loader, Wanted  # noqa: E402
from medpipe.genmedclip.losses import contrast  # noqa: E402
from medpipe.genmedclip.models import build, patch_grid  # noqa: E402
from medpipe.genmedclip.objective import Objective, Towers  # noqa: E402
from medpipe.genmedclip.order import Cursor  # noqa: E402
from medpipe.storage import open_store  # noqa: E402
from tests.support import training  # noqa: E402

GLOBAL_BATCH = 16
LOSSES = {
    "plain": LossConfig(mask_duplicates=()),
    "masked": LossConfig(mask_duplicates=("video", "clip", "caption")),
    "places": LossConfig(region_weight=0.5, trace_weight=0.5),
    "siglip": LossConfig(kind="siglip"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    training.dataset(folder, 32, an_item=4)
    return folder


def batch_of(folder: Path, loss: LossConfig, rank: int = 0, world_size: int = 1) -> Batch:
    store = open_store(str(folder))
    config = training.config(store).data
    built = build(ModelConfig(name="tiny", image_px=32))
    grid = patch_grid(built) if loss.region_weight else None
    loader = Loader(
        store, build_index(store, config), config, Wanted(32, grid), built.tokenize,
        seed=0, global_batch=GLOBAL_BATCH, rank=rank, world_size=world_size,
    )  # fmt: skip
    return next(loader.batches(Cursor(0, 0), 1))[1]


def gradient(
    batch: Batch, loss: LossConfig, chunk: int | None = None, world_size: int = 1
) -> Tensor:
    torch.set_num_threads(1)
    model = build(ModelConfig(name="tiny", image_px=32), seed=1).model.train()
    net: Any = Towers(model, places=loss.region_weight > 0, max_logit_scale=100)
    if world_size > 1:
        net = DistributedDataParallel(net)
    Objective(net, loss, global_batch=GLOBAL_BATCH, world_size=world_size, chunk=chunk).backward(
        batch
    )
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def error(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def _worker(rank: int, world_size: int, folder: Path, name: str, chunk: int | None) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet-{name}-{chunk}", rank=rank, world_size=world_size
    )
    loss = LOSSES[name]
    batch = batch_of(folder, loss, rank, world_size)
    found = gradient(batch, loss, chunk, world_size)
    if rank == 0:
        torch.save(found, folder / f"gradient-{name}-{chunk}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("name", "chunk"), [("masked", None), ("places", 3), ("siglip", None)]
)  # fmt: skip
def test_two_workers_have_the_gradient_of_one_process(
    folder: Path, name: str, chunk: int | None
) -> None:
    multiprocessing.spawn(_worker, args=(2, folder, name, chunk), nprocs=2)
    shared = torch.load(folder / f"gradient-{name}-{chunk}.pt", weights_only=True)
    alone = gradient(batch_of(folder, LOSSES[name]), LOSSES[name])
    assert error(shared, alone) < 1e-5


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("chunk", [5, 1])
def test_cached_gradients_of_chunks_are_those_of_the_whole_batch(
    folder: Path, name: str, chunk: int
) -> None:
    loss = LOSSES[name]
    batch = batch_of(folder, loss)
    assert error(gradient(batch, loss, chunk), gradient(batch, loss)) < 1e-5


def test_adding_up_the_losses_of_small_batches_is_another_gradient(folder: Path) -> None:
    batch = batch_of(folder, LOSSES["plain"])
    whole = gradient(batch, LOSSES["plain"])
    added = sum(gradient(batch.part(s, s + 4), LOSSES["plain"]) for s in range(0, 16, 4))
    assert error(added, whole) > 0.2


def test_chunks_pass_the_gradient_on_through_the_dropout_they_were_embedded_with(
    folder: Path,
) -> None:
    batch = batch_of(folder, LOSSES["plain"])
    cached, direct = (_with_dropout(batch, at_once=at_once) for at_once in (False, True))
    assert error(cached, direct) < 1e-5


def _with_dropout(batch: Batch, *, at_once: bool) -> Tensor:
    """Gradient with half of the patches dropped, two chunks drawn one after the other."""
    torch.set_num_threads(1)
    model = build(ModelConfig(name="tiny", image_px=32), seed=1).model.train()
    model.visual.patch_dropout = open_clip.transformer.PatchDropout(0.5)
    net = Towers(model, places=False, max_logit_scale=100)
    torch.manual_seed(3)
    if at_once:
        first, second = net(*_inputs(batch.part(0, 10))), net(*_inputs(batch.part(10, 16)))
        images, texts = (torch.cat([first[n], second[n]]) for n in (2, 3))
        (contrast(images, texts, first[0]).sum() / GLOBAL_BATCH).backward()
    else:
        Objective(net, LOSSES["plain"], global_batch=GLOBAL_BATCH, chunk=10).backward(batch)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def _inputs(batch: Batch) -> tuple[Tensor | None, ...]:
    return batch.images, batch.tokens, batch.phrases, batch.boxes, batch.density


def unit(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 8, generator=generator), dim=1)


@pytest.mark.parametrize(
    ("kind", "peer"),
    [
        ("clip", open_clip.ClipLoss()),
        ("siglip", lambda i, t, s: open_clip.loss.SigLipLoss()(i, t, s, torch.tensor(-3.0))),
    ],
)
def test_without_masks_the_loss_is_that_of_open_clip(
    kind: str, peer: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> None:
    images, texts, scale = unit(6, 0), unit(6, 1), torch.tensor(9.0)
    ours = contrast(images, texts, scale, bias=torch.tensor(-3.0), kind=kind).mean()
    assert ours.item() == pytest.approx(peer(images, texts, scale).item(), rel=1e-6)


def test_a_duplicate_is_no_negative_of_its_twin() -> None:
    images, texts, scale = unit(4, 0), unit(4, 1), torch.tensor(9.0)
    keys = torch.tensor([[1, 10], [2, 20], [1, 30], [4, 40]])
    masked = contrast(images, texts, scale, keys=keys)
    for row, twins in ((0, [0, 1, 3]), (2, [1, 2, 3])):  # without each other
        own = twins.index(row)
        a = torch.log_softmax(scale * images[row] @ texts[twins].T, 0)[own]
        b = torch.log_softmax(scale * texts[row] @ images[twins].T, 0)[own]
        assert masked[row].item() == pytest.approx(-(a + b).item() / 2, rel=1e-5)
    plain = contrast(images, texts, scale)
    assert torch.equal(masked[[1, 3]], plain[[1, 3]])


def test_rows_that_do_not_count_are_neither_learned_from_nor_negatives() -> None:
    images, texts, scale = unit(5, 0), unit(5, 1), torch.tensor(9.0)
    valid = torch.tensor([True, True, False, True, False])
    loss = contrast(images, texts, scale, valid=valid)
    assert loss[[2, 4]].tolist() == [0, 0]
    assert torch.allclose(loss[valid], contrast(images[valid], texts[valid], scale))
