"""What a fetch may reach, as a value."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be reached.

    Attributes:
        allow_private: Reach any address at all.
        networks: Reach these besides public ones.
        gateways: (address, port) of configured proxies; reached whatever network they are in.
        programs: Names of programs that may be started; None: not looked at.
    """

    allow_private: bool = False
    networks: tuple[Network, ...] = ()
    gateways: frozenset[tuple[str, int]] = frozenset()
    programs: frozenset[str] | None = None
