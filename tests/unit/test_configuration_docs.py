"""docs/configuration.md is what the code says."""

from pathlib import Path

from medpipe.config import explain

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_settings_page_is_made_from_the_code() -> None:
    advice = "run: python -m medpipe.config > docs/configuration.md"
    assert DOCS.read_text("utf-8") == explain(), advice
