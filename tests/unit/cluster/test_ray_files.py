"""Ray's own code reads what `ray up` reads; a mock AWS makes the nodes of aws.yaml."""

import json
import logging
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_TYPE
from ray.autoscaler._private.providers import _get_node_provider, _get_node_provider_cls
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.v2.instance_manager.config import FileConfigReader

from cluster.fill import filled

CLUSTER = Path(__file__).parents[3] / "cluster"
FILES = ["aws.yaml", "gcp.yaml", "local.yaml", "onprem.yaml"]
WORKERS = ["cpu-spot", "gpu-spot"]


def read(name: str, values: dict[str, object] | None = None) -> dict[str, Any]:
    text = (CLUSTER / name).read_text("utf-8")
    if values is not None:
        text = filled(text, values)
    return dict(yaml.safe_load(text))


def valid(config: dict[str, Any]) -> dict[str, Any]:
    """As `ray up` prepares and checks it; the types of AWS machines stay unasked."""
    prepared = prepare_config(config)
    validate_config(prepared)
    return dict(prepared)


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_the_file(name: str) -> None:
    config = valid(read(name))

    assert config["cluster_name"].startswith("medpipe")


def test_ray_refuses_a_file_with_a_word_that_it_does_not_know() -> None:
    with pytest.raises(Exception, match="Additional properties are not allowed"):
        valid(read("aws.yaml") | {"idle_timeout_s": 300})


@pytest.mark.parametrize("name", FILES)
def test_each_value_that_must_be_set_is_announced(name: str) -> None:
    lines = (CLUSTER / name).read_text("utf-8").splitlines()
    comments = [line for line in lines if line.lstrip().startswith("#")]

    assert any("Set:" in line or "Nothing needs to be set" in line for line in comments)


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_only_the_head_is_on_demand_and_takes_no_work(name: str) -> None:
    types = read(name)["available_node_types"]

    def is_spot(node: dict[str, Any]) -> bool:
        return "SPOT" in json.dumps(node["node_config"]).upper()

    assert types["head"]["resources"] == {"CPU": 0}
    assert {kind for kind, node in types.items() if is_spot(node)} == set(WORKERS)
    assert all(node["min_workers"] == 0 for node in types.values())


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml", "onprem.yaml"])
def test_nothing_of_ray_answers_without_a_token_or_to_the_world(name: str) -> None:
    config = read(name)
    head = " ".join(config["head_start_ray_commands"])

    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert "/home/medpipe/.ray/auth_token" in config["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in head
    assert "--num-cpus=0" in head


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_a_spot_node_drains_within_the_notice_of_its_cloud(name: str) -> None:
    config = read(name)
    notice_s = {"aws.yaml": 120, "gcp.yaml": 30}[name]
    key = "--env RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S="
    options = config["docker"]["run_options"]
    drain_s = [int(option.removeprefix(key)) for option in options if option.startswith(key)]

    assert len(drain_s) == 1
    assert drain_s[0] < notice_s
    assert "drain_on_notice.py" in " ".join(config["worker_start_ray_commands"])


def test_the_autoscaler_reads_the_local_file_with_its_groups() -> None:
    config = FileConfigReader(str(CLUSTER / "local.yaml")).get_cached_autoscaling_config()

    groups = {name: dict(kind.resources) for name, kind in config.get_node_type_configs().items()}
    assert groups["gpu"]["GPU"] == 1
    # Ray's fake provider gives the head this type; under another name its autoscaler only fails.
    assert config.get_head_node_type() == FAKE_HEAD_NODE_TYPE
    assert config.get_idle_timeout_s() == pytest.approx(12)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Terraform's outputs, as far as a mock AWS has such things."""
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes a key pair there
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return {"region": "us-east-1", "image_cpu": "medpipe:cpu", "image_gpu": "medpipe:gpu",
            "connect_endpoint_id": "eice-1"}  # fmt: skip


def network(values: dict[str, object]) -> None:
    """Make in the mock what infra/terraform makes."""
    ec2, iam = boto3.client("ec2"), boto3.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = zip(("us-east-1a", "us-east-1b"), ("10.0.0.0/20", "10.0.16.0/20"), strict=True)
    values["private_subnet_ids"] = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for zone, block in zones
    ]
    group = ec2.create_security_group(GroupName="medpipe", Description="-", VpcId=vpc)
    values["security_group_id"] = group["GroupId"]
    values["node_image_id"] = ec2.describe_images()["Images"][0]["ImageId"]
    for who in ("head", "worker"):
        made = iam.create_instance_profile(InstanceProfileName=f"medpipe-{who}")
        values[f"{who}_instance_profile_arn"] = made["InstanceProfile"]["Arn"]


@pytest.mark.timeout(600)
def test_on_a_mock_aws_nodes_of_every_type_come_up_private_and_with_their_roles(
    cloud: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        network(cloud)
        config = prepare_config(read("aws.yaml", cloud))
        provider_class = _get_node_provider_cls(config["provider"])
        config = provider_class.fillout_available_node_types_resources(config)
        validate_config(config)
        ready = provider_class.bootstrap_config(config)
        provider = _get_node_provider(ready["provider"], ready["cluster_name"], use_cache=False)
        for kind, node in ready["available_node_types"].items():
            tags = {"ray-node-type": "worker", "ray-user-node-type": kind}
            provider.create_node(node["node_config"], tags, 1)
        made = {
            provider.node_tags(node)["ray-user-node-type"]: provider._get_cached_node(node)
            for node in provider.non_terminated_nodes({})
        }
        roles = {kind: node.iam_instance_profile["Arn"] for kind, node in made.items()}
        public = [kind for kind, node in made.items() if node.public_ip_address]
        disks = {kind: len(node.block_device_mappings) for kind, node in made.items()}
        spot = {kind for kind, node in made.items() if node.instance_lifecycle == "spot"}
        groups = {node.security_groups[0]["GroupId"] for node in made.values()}

    head, worker = (cloud[f"{who}_instance_profile_arn"] for who in ("head", "worker"))
    resources = {kind: node["resources"] for kind, node in ready["available_node_types"].items()}
    assert roles == {"head": head, "cpu-spot": worker, "gpu-spot": worker}
    assert public == []
    assert spot == set(WORKERS)
    assert groups == {cloud["security_group_id"]}
    assert disks["cpu-spot"] >= 2
    assert resources["head"]["CPU"] == 0
    assert resources["cpu-spot"]["CPU"] == 16
    assert resources["gpu-spot"]["GPU"] == 1


def test_a_cluster_file_is_not_filled_by_halves() -> None:
    text = "# Set: SET_region\nregion: SET_region\nids: SET_subnets\nimage: SET_image\n"

    with pytest.raises(ValueError, match="image, subnets"):
        filled(text, {"region": "eu-west-1"})
    assert filled(text, {"region": "eu-west-1", "subnets": ["a", "b"], "image": "x:1"}) == (
        '# Set: SET_region\nregion: eu-west-1\nids: ["a", "b"]\nimage: x:1\n'
    )
