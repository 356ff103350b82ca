"""What a cluster is like for this config, before anything runs on it: for `medpipe doctor`."""

import http.client
import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml

from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError
from medpipe.runtime.cluster import connected
from medpipe.runtime.exits import EXIT_USAGE
from medpipe.runtime.nodes import Cluster, Node, Wish, look
from medpipe.runtime.pools import video_kinds

_ANSWER_S = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        ok: It works.
        needed: The main job cannot do without.
        seen: What was seen.
        advice: What to do when it is not ok.
    """

    what: str
    ok: bool
    needed: bool
    seen: str
    advice: str = ""


def survey(address: str, config: MedpipeConfig, cluster_file: str | None = None) -> list[Finding]:
    """Join a cluster and look; starts nothing there.

    Args:
        address: Of the cluster, as RAY_ADDRESS.
        config: Says what workers ask for.
        cluster_file: What `ray up` read: its node types may come, whatever is there now.

    Raises:
        ConfigError: The file is no cluster config.
    """
    types = node_types(Path(cluster_file)) if cluster_file is not None else None
    runtime = config.runtime.model_copy(update={"address": address})
    try:
        with connected(runtime, EXIT_USAGE):
            cluster = look()
            dashboard = _dashboard()
    except (ConfigError, ray.exceptions.RayError) as error:
        advice = "same Ray, Python and token here as there; is the head up?"
        return [Finding("cluster", False, True, str(error), advice)]
    scaled = "an autoscaler" if cluster.scales else "no autoscaler"
    seen = f"{len(cluster.nodes)} nodes, the largest of {cluster.largest}; {scaled}"
    version = f"Ray {ray.__version__} and the Python of this machine"
    found = [Finding("cluster", True, True, seen), Finding("cluster versions", True, True, version)]
    found += [fits(n, kind.wish, cluster, types) for n, kind in video_kinds(config).items()]
    return [*found, *_doors(dashboard)]


def fits(name: str, wish: Wish, cluster: Cluster, types: tuple[Node, ...] | None = None) -> Finding:
    """Whether a worker of a pool can ever be placed.

    Args:
        name: Of the pool.
        wish: What one of its workers asks for.
        cluster: As it is.
        types: What an autoscaler may launch; None if that is not known.
    """
    what, less = f"pool {name}", f"let runtime.{name}_cpus, _gpus or _labels ask for less"
    if cluster.takes(wish):
        return Finding(what, True, True, f"a node that is there takes a worker ({wish})")
    could = Cluster(types or ())
    if could.takes(wish):
        return Finding(what, True, True, f"a node type of the cluster file takes a worker ({wish})")
    if types is None and cluster.scales and not cluster.refuses(wish):
        seen = f"no node takes a worker ({wish}) now; which the autoscaler may launch is not known"
        return Finding(what, False, False, seen, "name the file that `ray up` read: --cluster FILE")
    most = could.largest if types else cluster.largest
    seen = f"no node can ever take a worker ({wish}): the largest has {most}"
    return Finding(what, False, True, seen, f"{less}, or add such a node type to the cluster")


def node_types(path: Path) -> tuple[Node, ...]:
    """The workers' node types of a file for `ray up`, each once, with what it has.

    Raises:
        ConfigError: The file cannot be read, or a type does not say what it has.
    """
    try:
        read: Any = yaml.safe_load(path.read_text("utf-8"))
        types = read["available_node_types"]
        head = read.get("head_node_type")
        found = {
            name: Node(dict(kind.get("resources") or {}), dict(kind.get("labels") or {}))
            for name, kind in types.items()
            if name != head and kind.get("max_workers", 1) > 0
        }
    except (
        OSError,
        UnicodeDecodeError,
        yaml.YAMLError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise ConfigError(f"{path} is no cluster file: {error}") from error
    untold = [name for name, node in found.items() if "CPU" not in node.resources]
    if untold:
        raise ConfigError(
            f"{path} does not say what {', '.join(untold)} has; what `ray up` found out lies on the"
            " head in ~/ray_bootstrap_config.yaml"
        )
    return tuple(found.values())


def _dashboard() -> str:
    """Host and port of the dashboard of the cluster that this process is connected to, or ""."""
    node: Any = ray._private.worker.global_worker.node  # no public way tells it (2.60)
    return str(node.address_info.get("webui_url") or "")


def _doors(dashboard: str) -> Iterator[Finding]:
    """Who may talk to the cluster: whoever can runs code on it."""
    host, _, port = dashboard.rpartition(":")
    advice = "start every node with RAY_AUTH_MODE=token and set it here too"
    if os.environ.get("RAY_AUTH_MODE") != "token":
        yield Finding("token", False, False, "the cluster lets in who has none", advice)
    elif port:
        status = _status(host, int(port))
        seen = f"its dashboard answers {status or 'nothing'} to who has none"
        yield Finding("token", status in (None, 401, 403), False, seen, advice)
    else:
        yield Finding(
            "token", True, False, "sent; whether it is asked for cannot be seen from here"
        )
    if port:
        yield Finding(
            "dashboard",
            _is_loopback(host),
            False,
            f"listens on {dashboard}",
            "start the head with --dashboard-host=127.0.0.1 and come by ssh or port-forward",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _status(host: str, port: int) -> int | None:
    """What a dashboard answers to a request without a token; None if it cannot be reached."""
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=_ANSWER_S)
    try:
        connection.request("GET", "/api/jobs/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()
