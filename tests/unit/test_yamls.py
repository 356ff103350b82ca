import pickle
from pathlib import Path

import pytest

from medpipe.config import load_config
from medpipe.errors import ConfigError
from medpipe.yamls import YAMLError, load_yaml

LAUGHS = "a: &a [lol, lol, lol]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(12)
)

HOSTILE = {
    "billion laughs": LAUGHS,
    "deep brackets": "[" * 100_000 + "]" * 100_000,
    "deep mappings": "\n".join(f"{' ' * n}a:" for n in range(200)),
    "too many aliases": "a: &a [1]\nb: [" + ", ".join(["*a"] * 100) + "]",
    "too large": "a: " + "x" * 2**21,
    "a Python object": "a: !!python/object/apply:os.system ['touch pwned']",
    "a Python name": "a: !!python/name:os.system",
    "an alias of itself": "a: &a [*a]",
    "a pickle": pickle.dumps({"a": 1}, 0).decode("ascii"),
    "no YAML": "a: [",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_recipe_is_the_users_error_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)

    with pytest.raises(ConfigError):
        load_config(str(recipe))

    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize("name", ["billion laughs", "deep brackets", "too large", "a Python name"])
def test_the_reader_says_what_is_wrong(name: str) -> None:
    with pytest.raises(YAMLError):
        load_yaml(HOSTILE[name])


def test_plain_yaml_with_a_few_aliases_is_read() -> None:
    text = "base: &base {a: 1, b: [x, 2.5, null, true]}\none: *base\ntwo: {<<: *base, a: 2}"

    assert load_yaml(text) == {
        "base": {"a": 1, "b": ["x", 2.5, None, True]},
        "one": {"a": 1, "b": ["x", 2.5, None, True]},
        "two": {"a": 2, "b": ["x", 2.5, None, True]},
    }
