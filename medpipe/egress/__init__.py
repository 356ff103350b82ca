"""What medpipe may reach: one guard over every fetch, and a cell without a network for scripts."""

from medpipe.egress.addresses import blocked_because, gateway, policy_for
from medpipe.egress.causes import causes
from medpipe.egress.guard import AccessRefusedError, Watch, guard
from medpipe.egress.policy import Policy

__all__ = [
    "AccessRefusedError",
    "Policy",
    "Watch",
    "blocked_because",
    "causes",
    "gateway",
    "guard",
    "policy_for",
]
