import pytest

from medpipe.egress import Policy, blocked_because, gateway, policy_for
from medpipe.egress.addresses import blocked_behind_proxy

METADATA = ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200"]
EMBEDDED = [
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:102:304:0:0:5601:5601",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
    "::127.0.0.1",
]


@pytest.mark.parametrize("address", [*METADATA, *EMBEDDED])
def test_metadata_services_and_addresses_inside_others_are_blocked(address: str) -> None:
    assert blocked_because(address, Policy())


@pytest.mark.parametrize("text", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "1.1.1.1.", "①.1"])
def test_what_is_no_plain_address_is_a_name_that_nobody_resolved(text: str) -> None:
    assert "not resolved" in (blocked_because(text, Policy()) or "")


@pytest.mark.parametrize(
    "name",
    [
        "metadata.google.internal",
        "metadata.google.internal.",
        "db.corp",
        "printer.local",
        "intranet",
        "unknown-host.home.arpa",
    ],
)
def test_a_proxy_is_not_asked_for_names_of_inside_networks(name: str) -> None:
    assert blocked_behind_proxy(name, Policy())


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_a_proxy_is_not_asked_for_this_machine_however_it_is_spelled(name: str) -> None:
    assert "loopback" in (blocked_behind_proxy(name, Policy()) or "")


def test_a_public_name_that_only_the_proxy_knows_is_left_to_it() -> None:
    assert blocked_behind_proxy("videos.example.org", Policy()) is None
    assert blocked_behind_proxy("localhost", Policy(allow_private=True)) is None


def test_a_configuration_becomes_a_policy() -> None:
    policy = policy_for(False, "socks5://bob:word@127.0.0.1", ("deno",))

    assert policy == Policy(gateways=frozenset({("127.0.0.1", 1080)}), programs=frozenset({"deno"}))
    assert gateway("http://127.0.0.1") == {("127.0.0.1", 80)}
    assert policy_for(True).allow_private
    assert policy_for(True).programs is None
