"""Which nodes a worker could run on, by what they have and how they are labelled."""

import pytest

from medpipe.runtime.nodes import Cluster, Node, Wish, selects

L4 = Node({"CPU": 4.0, "GPU": 1.0}, {"ray.io/accelerator-type": "L4", "tier": "spot"})
PLAIN = Node({"CPU": 16.0}, {})


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("L4", "L4", True),
        ("L4", "L40", False),
        ("L4", None, False),
        ("!L4", "L4", False),
        ("!L4", "A100", True),
        ("!L4", None, True),
        ("in(L4, A100)", "A100", True),
        ("in(L4,A100)", "L4", True),
        ("in(L4, A100)", "H100", False),
        ("in(L4, A100)", None, False),
        ("!in(L4, A100)", "L4", False),
        ("!in(L4, A100)", None, True),
        ("in", "in", True),
        ("inner", "ner", False),
        ("in(inner)", "inner", True),
    ],
)
def test_a_selector_means_what_it_means_to_ray(
    wanted: str, value: str | None, expected: bool
) -> None:
    assert selects(wanted, value) is expected


def test_a_node_takes_a_worker_if_it_has_all_that_is_asked() -> None:
    assert L4.takes(Wish(4, 0.5, {"ray.io/accelerator-type": "L4", "tier": "!reserved"}))
    assert not L4.takes(Wish(4.5, 0, {}))
    assert not L4.takes(Wish(1, 2, {}))
    assert not L4.takes(Wish(1, 1, {"ray.io/accelerator-type": "L4", "tier": "reserved"}))
    assert PLAIN.takes(Wish(16, 0, {"tier": "!spot"}))
    assert not PLAIN.takes(Wish(1, 0.1, {}))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Wish(1, 0.5, {"gpu": "in(A100,L4)"}), True),
        (Wish(1, 0.5, {"gpu": "!in(L4, A100)"}), False),
        (Wish(1, 0.5, {}), False),
        (Wish(1, 0, {"gpu": "in(L4, A100)"}), False),
    ],
)
def test_a_refusal_is_known_again_however_its_selector_is_written(other: Wish, same: bool) -> None:
    cluster = Cluster((L4,), scales=True, refused=(Wish(9, 0, {}), other))

    assert cluster.refuses(Wish(1, 0.5, {"gpu": "in(L4, A100)"})) is same
