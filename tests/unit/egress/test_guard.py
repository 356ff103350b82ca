import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import requests
import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking._urllib import UrllibRH

from medpipe.egress import Policy, blocked_because, gateway, guard
from medpipe.errors import Rejected
from tests.support.site import PRIVATE, Site, free_port

LOCAL = Policy(networks=(ip_network("127.0.0.1/32"),))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "localhost",
        "",
    ],
)
def test_addresses_that_are_not_the_public_internet_are_blocked(address: str) -> None:
    assert blocked_because(address, Policy())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_reached(address: str) -> None:
    assert blocked_because(address, Policy()) is None


def test_a_policy_opens_one_network_or_all() -> None:
    some = Policy(networks=(ip_network("10.1.0.0/16"), ip_network("fd12::/16")))

    assert blocked_because("10.1.2.3", some) is None
    assert blocked_because("::ffff:10.1.2.3", some) is None
    assert blocked_because("fd12::1", some) is None
    assert blocked_because("10.2.0.1", some) == "private"
    assert blocked_because("169.254.169.254", Policy(allow_private=True)) is None


def by_socket(url: str) -> None:
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    socket.create_connection((host, int(port)), timeout=2).close()


def by_urllib(url: str) -> None:
    urllib.request.urlopen(url, timeout=2).close()


def by_requests(url: str) -> None:
    requests.get(url, timeout=2)


def by_yt_dlp(handler: Any) -> Callable[[str], None]:
    def call(url: str) -> None:
        ydl = yt_dlp.YoutubeDL({"quiet": True, "proxy": "", "socket_timeout": 2})
        ydl.build_request_director([handler]).send(Request(url)).close()

    return call


WAYS = {
    "socket": by_socket,
    "urllib": by_urllib,
    "requests": by_requests,
    "yt-dlp urllib": by_yt_dlp(UrllibRH),
    "yt-dlp requests": by_yt_dlp(RequestsRH),
}


@pytest.mark.parametrize("call", WAYS.values(), ids=WAYS)
def test_every_way_to_connect_is_guarded(site: Site, call: Callable[[str], None]) -> None:
    before = len(site.hits)

    with pytest.raises(Rejected, match=r"127\.0\.0\.1 is loopback") as caught, guard(Policy()):
        call(f"{site.url}/good.mp4")

    assert caught.value.code == "blocked_address"
    assert len(site.hits) == before


@pytest.mark.parametrize("name", [name for name in WAYS if name != "socket"])
def test_redirects_are_guarded_at_every_hop(site: Site, name: str) -> None:
    with pytest.raises(Rejected, match="is loopback") as caught, guard(LOCAL) as watch:
        WAYS[name](f"{site.url}/to-other-host")

    assert caught.value.code == "blocked_address"
    assert PRIVATE in caught.value.detail
    assert set(watch.connected) == {"127.0.0.1"}


@pytest.mark.parametrize("call", WAYS.values(), ids=WAYS)
def test_a_name_that_turns_out_to_be_private_is_blocked(
    site: Site, monkeypatch: pytest.MonkeyPatch, call: Callable[[str], None]
) -> None:
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", site.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: private)

    with pytest.raises(Rejected, match=r"10\.0\.0\.1 is private"), guard(LOCAL):
        call(f"http://innocent.example:{site.port}/good.mp4")


def test_what_the_policy_allows_is_let_through_and_noted(site: Site) -> None:
    with guard(LOCAL) as watch:
        by_urllib(f"{site.url}/good.mp4")

    assert watch.connected == ["127.0.0.1"]
    assert watch.refused == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://8.8.8.8/a"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(Rejected) as caught, guard(Policy(allow_private=True)):
        urllib.request.urlopen(url, timeout=1)

    assert caught.value.code == "unsupported_scheme"


def test_sockets_that_are_not_of_the_internet_are_refused() -> None:
    with (
        pytest.raises(Rejected, match="not an internet address"),
        guard(Policy()),
        socket.socket(socket.AF_UNIX) as sock,
    ):
        sock.connect("/var/run/docker.sock")


def test_a_datagram_is_guarded_too() -> None:
    with (
        pytest.raises(Rejected, match="link-local"),
        guard(Policy()),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.sendto(b"x", ("169.254.169.254", 80))


def test_a_name_that_nobody_resolved_is_not_connected_to() -> None:
    with (
        pytest.raises(Rejected, match="not resolved"),
        guard(Policy()),
        socket.socket() as sock,
    ):
        sock.connect(("localhost", 80))


def test_only_named_programs_are_started() -> None:
    with guard(Policy(programs=frozenset({"node"}))), pytest.raises(PermissionError):
        subprocess.run([sys.executable, "-c", ""], check=False)
    with guard(Policy(programs=frozenset({Path(sys.executable).name}))):
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_the_guard_ends_with_its_block_and_nests(site: Site) -> None:
    with guard(LOCAL):
        with pytest.raises(Rejected), guard(Policy()):
            by_socket(site.url)
        by_socket(site.url)

    by_socket(site.url)


def connects_elsewhere(url: str) -> bool:
    reached: list[bool] = []

    def attempt() -> None:
        try:
            by_socket(url)
        except OSError:
            reached.append(False)
        else:
            reached.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return reached[0]


def test_a_guard_leaves_other_threads_alone_unless_it_is_for_all(site: Site) -> None:
    with guard(Policy()):
        beside = connects_elsewhere(site.url)
    with guard(Policy(), every_thread=True):
        within = connects_elsewhere(site.url)
    after = connects_elsewhere(site.url)

    assert (beside, within, after) == (True, False, True)


def refused_and_then_broken(url: str) -> None:
    with pytest.raises(OSError, match="loopback"):
        by_socket(url)
    raise ZeroDivisionError


def test_a_failure_of_another_kind_keeps_its_own_name(site: Site) -> None:
    with guard(Policy()) as watch, pytest.raises(ZeroDivisionError):
        refused_and_then_broken(site.url)

    assert [reason.code for reason in watch.refused] == ["blocked_address"]


def test_a_proxy_is_reached_wherever_it_is_and_private_targets_behind_it_are_not() -> None:
    port = free_port()
    policy = Policy(gateways=gateway(f"http://127.0.0.1:{port}"))

    with pytest.raises(Rejected, match=r"10\.0\.0\.1 is private"), guard(policy):
        urllib.request.urlopen("http://10.0.0.1/", timeout=1)
    with pytest.raises(ConnectionRefusedError), guard(policy):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with pytest.raises(Rejected, match="loopback"), guard(policy):
        socket.create_connection(("127.0.0.1", port - 1), timeout=1)
