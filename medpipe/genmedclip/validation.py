"""How well held-back pictures and captions find each other; told at the end of every epoch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medpipe.genmedclip.index import Index
from medpipe.genmedclip.loader import Loader
from medpipe.genmedclip.models import Built, normalise

_MOST_ROWS = 2_000
_BATCH = 64


class Validation:
    """Retrieval on the held-back rows (by item, never by frame), at most 2,000 of them."""

    def __init__(self, loader: Loader, index: Index, built: Built, device: torch.device) -> None:
        rows = index.rows(held_back=True)
        if len(rows) > _MOST_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))
        self._rows = rows
        self._loader = loader
        self._built = built
        self._device = device

    def figures(self) -> dict[str, float]:
        """Recall at 1 and 10 and the median rank of captions for pictures; empty without rows.

        A caption with the words of the right one counts as right.
        """
        if len(self._rows) < 2:
            return {}
        model = self._built.model
        model.eval()
        images, texts, keys = [], [], []
        with torch.inference_mode():
            for start in range(0, len(self._rows), _BATCH):
                batch = self._loader.read(self._rows[start : start + _BATCH], None)
                pixels = normalise(batch.images.to(self._device))
                images.append(model.encode_image(pixels, normalize=True).float().cpu())
                tokens = batch.tokens.to(self._device)
                texts.append(model.encode_text(tokens, normalize=True).float().cpu())
                keys.append(batch.keys[:, 2])
        model.train()
        ranks = _ranks(torch.cat(images) @ torch.cat(texts).T, torch.cat(keys))
        return {
            "validation/recall_at_1": float((ranks < 1).mean()),
            "validation/recall_at_10": float((ranks < 10).mean()),
            "validation/median_rank": float(np.median(ranks)) + 1,
            "validation/rows": float(len(ranks)),
        }


def _ranks(similarity: Tensor, keys: Tensor) -> NDArray[np.int64]:
    """(n,) captions that come before the right one, those with the same words left out."""
    same = keys[:, None] == keys[None, :]
    right = similarity.diagonal()[:, None]
    before = (similarity >= right) & ~same
    return np.asarray(before.sum(dim=1).numpy(), np.int64)
