"""Builds open_clip models with their tokenizers, and embeds pictures and texts with them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import cv2
import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from medpipe.errors import ConfigError
from medpipe.genmedclip.config import ModelConfig
from medpipe.genmedclip.tokens import WordTokenizer

_T = TypeVar("_T")
Image = NDArray[np.uint8]
Tokenizer = Callable[[Sequence[str]], Tensor]

# What reading weights raises that are torn, of another model, or no weights at all.
_UNUSABLE = (
    OSError, KeyError, TypeError, RuntimeError, ValueError, AttributeError,
    UnpicklingError, SafetensorError,
)  # fmt: skip

WEIGHTS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)

_PUBMEDBERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"

# Architectures of ours, in open_clip's own terms; any other name is looked up there.
_PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": 48, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 48, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2,
        },
    },
    "ViT-B-16-PMB": {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 16},
        "text_cfg": {
            "hf_model_name": _PUBMEDBERT,
            "hf_tokenizer_name": _PUBMEDBERT,
            "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "context_length": 256,
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Built:
    """A model ready to train.

    Attributes:
        model: An `open_clip.CLIP` or `CustomTextCLIP`; a torch module.
        tokenize: Texts -> (n, context) int64 tokens.
        config: Of the model, in open_clip's terms; with the weights it makes a folder that
            `open_clip.create_model("local-dir:...")` loads.
        image_px: Side of the square input.
    """

    model: Any
    tokenize: Tokenizer
    config: dict[str, Any]
    image_px: int

    def save(self, folder: Path) -> None:
        """Write weights and config as open_clip reads them from a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {k: v.detach().cpu().contiguous() for k, v in self.model.state_dict().items()}
        save_file(state, folder / WEIGHTS)
        text = json.dumps(
            {"model_cfg": self.config, "preprocess_cfg": {"mean": _MEAN, "std": _STD}}, indent=1
        )
        (folder / CONFIG).write_text(text, encoding="utf-8")
        inner = getattr(self.tokenize, "tokenizer", None)
        if inner is not None:  # a Hugging Face tokenizer lives in the folder too
            inner.save_pretrained(folder)
            text_model = getattr(self.model, "text", None)
            text_model.config.save_pretrained(folder)  # type: ignore[union-attr]


def build(config: ModelConfig, *, seed: int = 0) -> Built:
    """Make a model with the weights that the config names, or with fresh ones.

    Args:
        config: Which model.
        seed: Of fresh weights.

    Raises:
        ConfigError: open_clip knows no such name, or the weights cannot be had.
    """
    if config.init and Path(config.init, CONFIG).is_file():
        return _from_folder(Path(config.init))
    architecture = _architecture(config)
    torch.manual_seed(seed)
    try:
        model = _create(architecture)
        tokenize = _tokenizer(architecture)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"cannot build model {config.name!r}: {error}") from error
    if config.init:
        _load(model, config)
    return Built(model, tokenize, architecture, _image_px(architecture))


def _architecture(config: ModelConfig) -> dict[str, Any]:
    """The model's config in open_clip's terms, with what the user changed."""
    known = _PRESETS.get(config.name) or open_clip.get_model_config(config.name)
    if known is None:
        some = ", ".join([*_PRESETS, "ViT-B-32", "ViT-B-16", "ViT-L-14"])
        raise ConfigError(f"no model {config.name!r}; there are {some} and all of open_clip's")
    architecture: dict[str, Any] = json.loads(json.dumps(known))
    if config.image_px is not None:
        architecture["vision_cfg"]["image_size"] = config.image_px
    text = architecture["text_cfg"]
    if config.text_dir is not None:
        if "hf_model_name" not in text:
            raise ConfigError(f"text_dir is for text towers of Hugging Face, not {config.name!r}")
        if not Path(config.text_dir, "config.json").is_file():
            raise ConfigError(f"text_dir {config.text_dir!r} holds no config.json")
        text["hf_model_name"] = text["hf_tokenizer_name"] = config.text_dir
        text["hf_model_pretrained"] = any(
            Path(config.text_dir, name).is_file()
            for name in ("model.safetensors", "pytorch_model.bin")
        )
    return architecture


def _create(architecture: dict[str, Any]) -> nn.Module:
    settings = dict(architecture)
    custom = settings.pop("custom_text", False) or "hf_model_name" in settings["text_cfg"]
    make = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    model: nn.Module = make(**settings)
    return model


def _tokenizer(architecture: dict[str, Any]) -> Tokenizer:
    text = architecture["text_cfg"]
    length = text.get("context_length", 77)
    if "hf_tokenizer_name" in text:
        return open_clip.tokenizer.HFTokenizer(  # type: ignore[no-any-return]
            text["hf_tokenizer_name"], context_length=length, **text.get("tokenizer_kwargs", {})
        )
    return WordTokenizer(length)


def _image_px(architecture: dict[str, Any]) -> int:
    size = architecture["vision_cfg"].get("image_size", 224)
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def _load(model: nn.Module, config: ModelConfig) -> None:
    """Fill a model from a checkpoint file, or by a tag that open_clip downloads."""
    init = str(config.init)
    path = Path(init)
    if not path.is_file():
        tags = open_clip.list_pretrained_tags_by_model(config.name)
        if init not in tags:
            raise ConfigError(
                f"model.init {init!r} is no file, no folder with {CONFIG} and no weights of "
                f"{config.name} that open_clip knows ({', '.join(tags) or 'none'})"
            )
        settings = open_clip.get_pretrained_cfg(config.name, init)
        try:
            path = Path(open_clip.download_pretrained(settings))
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"cannot download {config.name}/{init}: {error}") from error
    try:
        open_clip.load_checkpoint(model, str(path), weights_only=True)
    except _UNUSABLE as error:
        raise ConfigError(f"{path} does not fit model {config.name!r}: {error}") from error


def _from_folder(folder: Path) -> Built:
    """A model from a folder with weights and config, as `Built.save` and open_clip's hub write."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))["model_cfg"]
        text = config["text_cfg"]
        if "hf_model_name" in text:
            text["hf_model_name"] = text["hf_tokenizer_name"] = str(folder)
            text["hf_model_pretrained"] = False
        model = _create(config)
        weights = folder / WEIGHTS
        if weights.is_file():
            model.load_state_dict(load_file(weights))
        else:
            file = folder / "open_clip_pytorch_model.bin"
            open_clip.load_checkpoint(model, str(file), weights_only=True)
        return Built(model, _tokenizer(config), config, _image_px(config))
    except _UNUSABLE as error:
        raise ConfigError(f"{folder} holds no open_clip model: {error}") from error


def normalise(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(n, h, w, 3) uint8 on any device -> (n, 3, h, w) normalised floats as CLIP takes them."""
    images = images.permute(0, 3, 1, 2)
    mean = torch.tensor(_MEAN, device=images.device, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.tensor(_STD, device=images.device, dtype=torch.float32).view(1, 3, 1, 1)
    return ((images.float() / 255 - mean) / std).to(dtype)


def fitted(image: Image, side_px: int) -> Image:
    """The whole picture on a square: scaled to fit, grey around; (side, side, 3) uint8."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, size, interpolation=method)
    canvas = np.full((side_px, side_px, 3), 128, np.uint8)
    top, left = (side_px - size[1]) // 2, (side_px - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def towers(model: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Picture features and the features of its patches, in the joint space, not normalised.

    Args:
        model: Its image tower must be open_clip's own vision transformer.
        images: (n, 3, h, w), normalised.

    Returns:
        (n, d) and (n, rows, columns, d).

    Raises:
        ConfigError: The image tower has no patches.
    """
    visual = _vision_transformer(model)
    before, visual.output_tokens = visual.output_tokens, True
    try:
        pooled, tokens = visual(images)
    finally:
        visual.output_tokens = before
    rows, columns = visual.grid_size
    return pooled, (tokens @ visual.proj).unflatten(1, (rows, columns))


def _vision_transformer(model: Any) -> Any:
    visual = model.visual
    if not isinstance(visual, open_clip.transformer.VisionTransformer) or visual.proj is None:
        raise ConfigError("regions and heat maps need open_clip's own vision transformer")
    return visual


def patch_grid(built: Built) -> tuple[int, int]:
    """Rows and columns of patches of the image tower.

    Raises:
        ConfigError: The image tower has no patches.
    """
    rows, columns = _vision_transformer(built.model).grid_size
    return int(rows), int(columns)


class Clip:
    """A trained model that embeds pictures and texts; what the judge sees.

    Attributes:
        name: As the report calls it.
    """

    def __init__(self, built: Built, name: str, *, device: str = "cpu", batch: int = 64) -> None:
        self.name = name
        self._built = built
        self._device = torch.device(device)
        self._batch = batch
        self._model = built.model.eval().to(self._device)

    @cached_property
    def fingerprint(self) -> str:
        """64 hex characters over weights, architecture and input size."""
        digest = hashlib.sha256(json.dumps(self._built.config, sort_keys=True).encode())
        for key, value in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied with before a softmax."""
        return float(self._model.logit_scale.detach().exp())

    def embed_images(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(h, w, 3) uint8 RGB of any size -> (n, d) unit vectors."""
        with torch.inference_mode():
            parts = [
                self._model.encode_image(self._pixels(part), normalize=True)
                for part in _chunks(images, self._batch)
            ]
        return _stacked(parts)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> (n, d) unit vectors."""
        with torch.inference_mode():
            parts = [
                self._model.encode_text(
                    self._built.tokenize(list(part)).to(self._device), normalize=True
                )
                for part in _chunks(texts, self._batch)
            ]
        return _stacked(parts)

    def heat_maps(self, images: Sequence[Image], texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Cosine of every patch with the text, one (h, w) map a pair, over the whole picture."""
        maps: list[NDArray[np.float32]] = []
        for start in range(0, len(images), self._batch):
            part = images[start : start + self._batch]
            words = torch.from_numpy(self.embed_texts(texts[start : start + self._batch]))
            with torch.inference_mode():
                _, patches = towers(self._model, self._pixels(part))
                patches = functional.normalize(patches, dim=-1)
                both = torch.einsum("nhwd,nd->nhw", patches, words.to(self._device))
            maps += [
                _without_border(one, image.shape[0], image.shape[1])
                for one, image in zip(both.float().cpu().numpy(), part, strict=True)
            ]
        return maps

    def _pixels(self, images: Sequence[Image]) -> Tensor:
        stack = np.stack([fitted(image, self._built.image_px) for image in images])
        return normalise(torch.from_numpy(stack).to(self._device))


def load(reference: str, *, device: str = "cpu", batch: int = 64) -> Clip:
    """Load a model to judge.

    Args:
        reference: A checkpoint folder, a preset or open_clip name, or `name:weights`.
        device: Of torch.
        batch: Pictures or texts at a time.

    Raises:
        ConfigError: There is no such model.
    """
    if Path(reference, CONFIG).is_file():
        return Clip(_from_folder(Path(reference)), Path(reference).name, device=device, batch=batch)
    name, _, init = reference.partition(":")
    built = build(ModelConfig(name=name, init=init or None))
    return Clip(built, reference, device=device, batch=batch)


def _chunks(values: Sequence[_T], size: int) -> list[Sequence[_T]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _stacked(parts: list[Tensor]) -> NDArray[np.float32]:
    if not parts:
        return np.zeros((0, 0), np.float32)
    return torch.cat(parts).float().cpu().numpy()


def _without_border(heat: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Cut away what `fitted` put around the picture; a map as large as the longer side allows."""
    side_px = max(heat.shape) * 8
    large = cv2.resize(heat, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    scale = side_px / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side_px - rows) // 2, (side_px - columns) // 2
    return np.ascontiguousarray(large[top : top + rows, left : left + columns])
