"""The tokens are open_clip's own, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

import open_clip  # noqa: E402

from medpipe.genmedclip.tokens import WordTokenizer  # noqa: E402

OURS, PEER = WordTokenizer(32), open_clip.SimpleTokenizer(context_length=32)
WORDS = [
    "the", "Chest", "X-ray's", "T2", "3.5cm", "&amp;", "<start_of_text>", "  ", "naïve", "肺",
    "it's", "!!", "12", "\u00a0", "o\u2019clock", "<|x|>", "\x1b[0m", "\t", "lung\u2014base",
]  # fmt: skip


@given(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
        st.text(max_size=60),
        st.text(alphabet=st.characters(max_codepoint=127), max_size=60),
    )
)
def test_any_text_has_the_tokens_that_open_clip_gives_it(text: str) -> None:
    assert torch.equal(OURS([text]), PEER([text]))


def test_words_that_were_seen_before_keep_their_tokens() -> None:
    texts = ["a film of the chest", "the chest, a film", ""]
    assert torch.equal(OURS(texts), PEER(texts))
    assert torch.equal(OURS(texts), PEER(texts))
