"""Which addresses and names are the public internet, and which are somebody's inside."""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from medpipe.egress.policy import Network, Policy

_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, section 6.1

# Names that never lead to the public internet (RFC 2606, 6761, 6762, 8375; clouds' own `internal`).
_INSIDE = (
    "localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private",
    "home.arpa", "test", "invalid",
)  # fmt: skip

Address = IPv4Address | IPv6Address


def policy_for(
    allow: bool | Iterable[Network], proxy: str | None = None, programs: Iterable[str] | None = None
) -> Policy:
    """Return the policy that a configuration means.

    Args:
        allow: True: any address. Networks: those besides public ones. False: public ones only.
        proxy: URL of the proxy that fetches go through.
        programs: Names of programs that may be started; None: not looked at.
    """
    return Policy(
        allow_private=allow is True,
        networks=() if isinstance(allow, bool) else tuple(allow),
        gateways=gateway(proxy) if proxy else frozenset(),
        programs=None if programs is None else frozenset(programs),
    )


def gateway(url: str) -> frozenset[tuple[str, int]]:
    """Return the (address, port) pairs behind a proxy's URL."""
    parts = urlsplit(url)
    port = parts.port or (1080 if parts.scheme.startswith("socks") else 80)
    return frozenset((address, port) for address in addresses_of(parts.hostname or ""))


def addresses_of(name: str) -> set[str]:
    """Look a name up; nothing where it is not known here."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except (OSError, UnicodeError):
        return set()


def blocked_behind_proxy(name: str, policy: Policy) -> str | None:
    """Return why a proxy must not be asked for a host, or None where it may.

    The proxy connects, not we: so the name is looked up here as well, and one that is not known
    here must at least look like a public one.
    """
    if policy.allow_private:
        return None
    found = addresses_of(name)
    reasons = (blocked_because(host, policy) for host in sorted(found))
    reason = next((one for one in reasons if one), None)
    plain = name.rstrip(".").lower()
    inside = "." not in plain or any(plain.endswith(f".{suffix}") for suffix in _INSIDE)
    if reason is None and not found and inside:
        return "a name of some inside network"
    return reason


def blocked_because(host: str, policy: Policy) -> str | None:
    """Return why an address must not be reached, or None where it may.

    Args:
        host: A numeric address; a name is refused, since nobody knows where it leads.
        policy: What may be reached.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None if policy.allow_private else "a name that was not resolved before connecting"
    if policy.allow_private:
        return None
    inner = _inner(address)
    if any(one in network for network in policy.networks for one in (address, inner)):
        return None
    return _kind(address) or _kind(inner)


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    low = int(address) & 0xFFFFFFFF
    embeds = address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if embeds or (int(address) >> 32 == 0 and low > 1):
        return IPv4Address(low)
    return address


def _kind(address: Address) -> str | None:
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    checks = (
        (address.is_unspecified, "unspecified"),
        (address.is_loopback, "loopback"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (isinstance(address, IPv6Address) and address.is_site_local, "private"),
        (address in _LOCAL_NAT64, "private"),
        (address.is_private and not mapped, "private"),
        (address.is_reserved and not mapped and address not in _NAT64, "reserved"),
        (not address.is_global and not mapped and address not in _NAT64, "not public"),
    )
    return next((name for hit, name in checks if hit), None)
