"""Log lines, for people and for machines: who says what about which item, without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from medpipe import logs
from medpipe.logs import LogConfig, bound, set_up

logger = logging.getLogger("medpipe.somewhere")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("medpipe")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])
    logs._process.clear()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_all_that_is_known() -> None:
    stream = io.StringIO()
    set_up(LogConfig(format="json", level="info"), stream, worker="extract-3")

    with bound(item_id="yt:abc", attempt=2, stage="extract"):
        logger.info("two\nlines and %s", "an argument")
    logger.warning("nobody's")

    first, second = lines(stream)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info", "logger": "medpipe.somewhere", "message": "two\nlines and an argument",
        "worker": "extract-3", "item_id": "yt:abc", "attempt": 2, "stage": "extract",
    }  # fmt: skip
    assert "item_id" not in second


def test_a_traceback_is_part_of_its_line() -> None:
    stream = io.StringIO()
    set_up(LogConfig(format="json"), stream)

    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("it failed")

    (line,) = lines(stream)
    assert line["exception"].endswith("ValueError: wrong")
    assert "Traceback" in line["exception"]


@pytest.mark.parametrize("how", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    ["http://user:pa55word@proxy.example:3128", "AKIAIOSFODNN7EXAMPLE",
     "Authorization: Bearer abcdefgh12345678"],
)  # fmt: skip
def test_secrets_are_masked_wherever_they_stand(how: Any, secret: str) -> None:
    stream = io.StringIO()
    set_up(LogConfig(format=how), stream)

    try:
        raise ValueError(f"in a traceback: {secret}")
    except ValueError:
        logger.exception("in a message: %s", secret)

    said = stream.getvalue()
    assert "***" in said
    for part in ("pa55word", "AKIAIOSFODNN7EXAMPLE", "abcdefgh12345678"):
        assert part not in said


def test_people_get_a_short_line_with_the_item_behind_it() -> None:
    stream = io.StringIO()
    set_up(LogConfig(), stream)

    with bound(item_id="yt:abc", attempt=1):
        logger.warning("again in 3 s")

    assert stream.getvalue() == (
        "WARNING medpipe.somewhere: again in 3 s [item_id=yt:abc attempt=1]\n"
    )


def test_the_level_is_medpipes_own_and_libraries_stay_quiet() -> None:
    stream = io.StringIO()
    set_up(LogConfig(level="debug"), stream)

    logger.debug("ours")
    logging.getLogger("botocore").debug("theirs")

    assert stream.getvalue() == "DEBUG medpipe.somewhere: ours\n"


def test_setting_up_again_replaces_what_was() -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up(LogConfig(), first)
    assert not logs.for_machines()

    set_up(LogConfig(format="json"), second)
    logger.warning("once")

    assert first.getvalue() == ""
    assert len(lines(second)) == 1
    assert logs.for_machines()


def test_what_is_bound_inside_is_gone_outside() -> None:
    stream = io.StringIO()
    set_up(LogConfig(format="json"), stream)

    with bound(item_id="a", stage="write"), bound(item_id="b"):
        logger.warning("inner")
    logger.warning("outer")

    inner, outer = lines(stream)
    assert (inner["item_id"], inner["stage"]) == ("b", "write")
    assert "stage" not in outer
