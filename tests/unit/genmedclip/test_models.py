"""Models are open_clip's: they are built by name, saved as folders it loads, and embed."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

import open_clip  # noqa: E402

from medpipe.errors import ConfigError  # noqa: E402
from medpipe.genmedclip import ModelConfig  # noqa: E402
from medpipe.genmedclip.models import Clip, build, load, patch_grid  # noqa: E402

TINY = ModelConfig(name="tiny", image_px=32)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of our own, as the hub would lay it down: config, vocabulary and weights."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "chest", "film", "of", "the", "a"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=256,
    )  # fmt: skip
    torch.manual_seed(0)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_a_saved_model_loads_in_plain_open_clip_with_the_same_answers(tmp_path: Path) -> None:
    built = build(TINY, seed=5)
    built.save(tmp_path)
    peer = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    tokenize = open_clip.get_tokenizer(f"local-dir:{tmp_path}")
    images, texts = torch.rand(2, 3, 32, 32), ["a film of the chest", "liver"]
    ours = built.model.eval()
    with torch.inference_mode():
        assert torch.equal(peer.encode_image(images), ours.encode_image(images))
        assert torch.equal(
            peer.encode_text(tokenize(texts)), ours.encode_text(built.tokenize(texts))
        )


def test_a_saved_model_is_a_start_for_another_and_something_to_judge(tmp_path: Path) -> None:
    built = build(TINY, seed=5)
    built.save(tmp_path)
    again = build(ModelConfig(name="tiny", init=str(tmp_path)))
    images = [np.full((20, 30, 3), 90, np.uint8)]
    assert np.array_equal(
        Clip(again, "again").embed_images(images), load(str(tmp_path)).embed_images(images)
    )


@pytest.mark.parametrize(("name", "px", "context"), [("ViT-B-32", 224, 77), ("tiny", 48, 48)])
def test_presets_have_the_size_they_are_named_for(name: str, px: int, context: int) -> None:
    built = build(ModelConfig(name=name))
    assert built.image_px == px
    assert built.tokenize(["a"]).shape == (1, context)


def test_the_pubmedbert_tower_is_built_from_a_folder_and_saved_with_its_vocabulary(
    bert: Path, tmp_path: Path
) -> None:
    config = ModelConfig(name="ViT-B-16-PMB", text_dir=str(bert), image_px=32)
    built = build(config, seed=1)
    tokens = built.tokenize(["a film of the chest"])
    assert tokens.shape == (1, 256)
    assert tokens[0, :7].tolist() == [2, 9, 6, 7, 8, 5, 3]
    built.save(tmp_path / "saved")
    again = build(ModelConfig(name="ViT-B-16-PMB", init=str(tmp_path / "saved")))
    with torch.inference_mode():
        assert torch.equal(
            built.model.eval().encode_text(tokens), again.model.eval().encode_text(tokens)
        )
    peer = open_clip.create_model(f"local-dir:{tmp_path / 'saved'}").eval()
    with torch.inference_mode():
        assert torch.equal(peer.encode_text(tokens), again.model.encode_text(tokens))


def test_embeddings_are_unit_vectors_whatever_the_size_of_the_picture() -> None:
    clip = Clip(build(TINY), "tiny", batch=2)
    sizes = [(10, 40), (64, 64), (33, 17)]
    images = [np.full((*size, 3), 40 * n, np.uint8) for n, size in enumerate(sizes)]
    for vectors in (clip.embed_images(images), clip.embed_texts(["a", "b", "c"])):
        assert vectors.shape == (3, 128)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_heat_maps_cover_the_picture_and_not_the_border_around_it() -> None:
    clip = Clip(build(TINY), "tiny")
    wide = np.zeros((20, 40, 3), np.uint8)
    (heat,) = clip.heat_maps([wide], ["a nodule"])
    assert heat.shape[1] == 2 * heat.shape[0]
    assert np.abs(heat).max() <= 1 + 1e-5


def test_fingerprints_tell_weights_apart() -> None:
    one, same, other = (Clip(build(TINY, seed=seed), "x").fingerprint for seed in (0, 0, 1))
    assert one == same != other


def test_towers_without_patches_cannot_learn_from_places() -> None:
    with pytest.raises(ConfigError, match="vision transformer"):
        patch_grid(build(ModelConfig(name="RN50", image_px=64)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(name="ViT-Z-99"), "no model 'ViT-Z-99'; there are tiny"),
        (ModelConfig(name="tiny", init="somewhere"), "model.init 'somewhere' is no file"),
        (ModelConfig(name="tiny", text_dir="x"), "text_dir is for text towers"),
        (ModelConfig(name="ViT-B-16-PMB", text_dir="x"), "text_dir 'x' holds no config.json"),
    ],
)
def test_a_model_that_cannot_be_had_says_why(config: ModelConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config)


def test_a_folder_with_a_broken_config_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 3}}))
    with pytest.raises(ConfigError, match="holds no open_clip model"):
        load(str(tmp_path))


def test_a_pickled_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)  # type: ignore[return-value]

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError):
        build(ModelConfig(name="tiny", init=str(tmp_path / "evil.pt")))
    assert not (tmp_path / "ran").exists()
