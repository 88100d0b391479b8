"""deploy/k8s/base: valid by Kubernetes' schemas, restricted, in step with the settings. Not run here: no cluster."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.dispatcher.connectors.file import parse_connectors
from services.dispatcher.providers import parse_providers
from services.evaluator.core.catalog import build_catalog
from shared.journeys.files import load_definitions
from tests.unit.deploy.files import (
    BASE,
    ROOT,
    SETTINGS,
    kubernetes_fault,
    load,
    load_all,
    port,
    variables,
    version,
)

_WORKLOADS = ("Deployment", "StatefulSet")


def _compose() -> list[Any]:
    """What kustomize makes of the base, but for the hashes in names: that needs no program that may be missing here."""
    root = load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {"apiVersion", "kind", "resources", "configMapGenerator"} == set(root), "teach _compose the new field"
    found = [resource for name in root["resources"] for resource in load_all((BASE / name).read_text(encoding="utf-8"))]
    for generator in root["configMapGenerator"]:
        data = dict(literal.split("=", 1) for literal in generator.get("literals", []))
        for entry in generator.get("files", []):
            key, path = entry.split("=", 1)
            data[key] = (BASE / path).read_text(encoding="utf-8")
        name = {"name": generator["name"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data})
    return found


RESOURCES = _compose()
WORKLOADS = {
    resource["metadata"]["name"].removeprefix("kikkake-"): resource
    for resource in RESOURCES
    if resource["kind"] in _WORKLOADS
}


def _of(kind: str, name: str) -> Any:
    (found,) = [it for it in RESOURCES if (kind, name) == (it["kind"], it["metadata"]["name"])]
    return found


def _pod(service: str) -> Any:
    return WORKLOADS[service]["spec"]["template"]["spec"]


def _container(service: str) -> Any:
    (container,) = _pod(service)["containers"]
    return container


def _identity(resource: Any) -> tuple[str, str]:
    """Kind and name, without the hash (in letters of its own) that kustomize puts behind a generated one."""
    name = resource["metadata"]["name"]
    return resource["kind"], re.sub(r"-[2456789bcdfghkmt]{10}$", "", name) if resource["kind"] == "ConfigMap" else name


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda it: "/".join(_identity(it)))
def test_it_is_valid_by_the_schemas_of_kubernetes(resource: Any) -> None:
    assert kubernetes_fault(resource) is None


@pytest.mark.parametrize(
    ("service", "path", "value"),
    [
        ("dispatcher", ("spec", "replicas"), "four"),
        ("dispatcher", ("spec", "replica"), 4),
        ("evaluator", ("spec", "selector", "matchLabels"), ["kikkake-evaluator"]),
        ("evaluator", ("spec", "template", "spec", "securityContext", "runAsNonRoot"), "yes"),
        ("ingest", ("spec", "template", "spec", "containers", 0, "livenessProbe", "httpGet", "prot"), 1),
        ("ingest", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "45s"),
    ],
)
def test_the_check_of_the_schemas_can_fail(service: str, path: tuple[Any, ...], value: object) -> None:
    resource = copy.deepcopy(WORKLOADS[service])
    place = resource
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert kubernetes_fault(resource) is not None


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_makes_the_same_of_it() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(BASE)], check=False, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    rendered = load_all(done.stdout)
    assert sorted(map(_identity, RESOURCES)) == sorted(map(_identity, rendered))
    assert [] == [fault for resource in rendered if (fault := kubernetes_fault(resource))]
    # The pods read the generated ConfigMaps under their new names.
    generated = {it["metadata"]["name"] for it in rendered if it["kind"] == "ConfigMap"}
    used = set(re.findall(r"(?:configMapRef|configMap):\n(?: +items:\n(?: +.*\n)*?)? +name: (\S+)", done.stdout))
    assert generated == used


def test_there_is_a_workload_for_every_service() -> None:
    assert {"ingest": "Deployment", "evaluator": "StatefulSet", "dispatcher": "Deployment"} == {
        name: workload["kind"] for name, workload in WORKLOADS.items()
    }
    assert set(SETTINGS) == set(WORKLOADS)


@pytest.mark.parametrize("service", SETTINGS)
def test_pods_meet_the_restricted_pod_security_standard(service: str) -> None:
    pod, container = _pod(service), _container(service)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert 10001 == pod["securityContext"]["runAsUser"]
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


@pytest.mark.parametrize("service", SETTINGS)
def test_pods_cannot_reach_the_kubernetes_api_nor_inherit_its_variables(service: str) -> None:
    pod = _pod(service)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert _of("ServiceAccount", pod["serviceAccountName"])["automountServiceAccountToken"] is False


@pytest.mark.parametrize("service", SETTINGS)
def test_every_mount_has_its_volume_and_tmp_is_writable(service: str) -> None:
    volumes = {volume["name"] for volume in _pod(service)["volumes"]}
    claims = {claim["metadata"]["name"] for claim in WORKLOADS[service]["spec"].get("volumeClaimTemplates", [])}
    mounts = {mount["name"]: mount["mountPath"] for mount in _container(service)["volumeMounts"]}
    assert volumes | claims == set(mounts)
    assert "/tmp" == mounts["tmp"]


@pytest.mark.parametrize("service", SETTINGS)
def test_probes_ask_on_the_port_that_is_served(service: str) -> None:
    """Liveness never asks Kafka; readiness does."""
    container = _container(service)
    (exposed,) = container["ports"]
    assert port(service) == exposed["containerPort"]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"} == {
        kind: get["path"] for kind, get in asked.items()
    }
    assert {exposed["name"]} == {get["port"] for get in asked.values()}


@pytest.mark.parametrize("service", SETTINGS)
def test_prometheus_finds_the_metrics(service: str) -> None:
    annotations = WORKLOADS[service]["spec"]["template"]["metadata"]["annotations"]
    assert {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port(service)),
        "prometheus.io/path": "/metrics",
    } == annotations


@pytest.mark.parametrize("service", SETTINGS)
def test_resources_are_requested_and_only_memory_is_limited(service: str) -> None:
    resources = _container(service)["resources"]
    assert {"cpu", "memory"} == set(resources["requests"])
    assert {"memory"} == set(resources["limits"])


@pytest.mark.parametrize("service", SETTINGS)
def test_every_selector_finds_the_pods(service: str) -> None:
    name = f"kikkake-{service}"
    labels = WORKLOADS[service]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        WORKLOADS[service]["spec"]["selector"]["matchLabels"],
        _of("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
        *[spread["labelSelector"]["matchLabels"] for spread in _pod(service)["topologySpreadConstraints"]],
    ]
    selectors += [
        it["spec"]["selector"] for it in RESOURCES if ("Service", name) == (it["kind"], it["metadata"]["name"])
    ]
    assert 4 <= len(selectors)
    assert [] == [selector for selector in selectors if not selector.items() <= labels.items()]


@pytest.mark.parametrize("service", SETTINGS)
def test_one_pod_at_a_time_is_disrupted(service: str) -> None:
    assert 1 == _of("PodDisruptionBudget", f"kikkake-{service}")["spec"]["maxUnavailable"]


def test_ingest_is_scaled_by_its_autoscaler_alone() -> None:
    spec = _of("HorizontalPodAutoscaler", "kikkake-ingest")["spec"]
    assert {"apiVersion": "apps/v1", "kind": "Deployment", "name": "kikkake-ingest"} == spec["scaleTargetRef"]
    assert 2 <= spec["minReplicas"] < spec["maxReplicas"]
    assert "replicas" not in WORKLOADS["ingest"]["spec"]
    assert ["kikkake-ingest"] == [it["metadata"]["name"] for it in RESOURCES if it["kind"] == "HorizontalPodAutoscaler"]


def test_a_pod_has_longer_to_stop_than_it_takes() -> None:
    """Cut short, an evaluator leaves its last epoch to be restored and a dispatcher its sends unsure."""
    sleep = _container("ingest")["lifecycle"]["preStop"]["sleep"]["seconds"]
    ingest = SETTINGS["ingest"].model_fields["shutdown_seconds"].default
    # Then KafkaPublisher closes: 10 s.
    assert sleep + ingest + 10 < _pod("ingest")["terminationGracePeriodSeconds"]
    # Drains for 20 s (transport.py), then as long for the commit and leaving.
    assert 20 + 20 < _pod("evaluator")["terminationGracePeriodSeconds"]
    drain = SETTINGS["dispatcher"].model_fields["drain_timeout"].default
    assert drain + 20 < _pod("dispatcher")["terminationGracePeriodSeconds"]


def test_an_evaluator_keeps_its_name_over_a_restart() -> None:
    spec = WORKLOADS["evaluator"]["spec"]
    (instance,) = [it for it in _container("evaluator")["env"] if it["name"] == "KIKKAKE_EVALUATOR_INSTANCE"]
    assert {"fieldRef": {"fieldPath": "metadata.name"}} == instance["valueFrom"]
    assert "None" == _of("Service", spec["serviceName"])["spec"]["clusterIP"]
    partitions = int(_of("ConfigMap", "kikkake")["data"]["KIKKAKE_PARTITIONS"])
    assert spec["replicas"] <= partitions, "more workers than partitions have nothing to do"


@pytest.mark.parametrize("service", SETTINGS)
def test_every_variable_is_a_setting_of_its_service(service: str) -> None:
    container = _container(service)
    config = {source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source}
    assert {"kikkake"} == config
    own = {it["name"] for it in container["env"]}
    assert set() == (own | set(_of("ConfigMap", "kikkake")["data"])) - variables(service)


@pytest.mark.parametrize("service", SETTINGS)
def test_the_services_accept_their_configuration(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _of("ConfigMap", "kikkake")["data"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KIKKAKE_WRITE_KEYS", "from-the-secret")
    assert 3 == SETTINGS[service]().model_dump()["replication_factor"]


def test_secrets_are_referred_to_and_not_held() -> None:
    assert [] == [resource for resource in RESOURCES if resource["kind"] == "Secret"]
    secret = {
        "KIKKAKE_WRITE_KEYS": "write-keys",
        "KIKKAKE_ADMIN_TOKEN": "admin-token",
        "KIKKAKE_READ_TOKENS": "read-tokens",
        "KIKKAKE_INTERNAL_TOKEN": "internal-token",
        "KIKKAKE_PUBLIC_URL": "public-url",
        "KIKKAKE_LINK_SECRET": "link-secret",
        "KIKKAKE_SMTP_URL": "smtp-url",
        "KIKKAKE_REDIS_URL": "redis-url",
    }
    assert not set(secret) & set(_of("ConfigMap", "kikkake")["data"])
    given = [it for name in SETTINGS for it in _container(name)["env"] if it["name"] in secret]
    references = [(it["name"], it["valueFrom"]["secretKeyRef"]) for it in given]
    assert set(secret.items()) == {(name, reference["key"]) for name, reference in references}
    assert {"kikkake"} == {reference["name"] for _, reference in references}
    documented = set(re.findall(r"--from-literal=([a-z-]+)=", (ROOT / "docs/deploy.md").read_text(encoding="utf-8")))
    assert set(secret.values()) | {"email-from"} == documented


def test_a_feature_that_nobody_set_up_keeps_no_pod_from_starting() -> None:
    """Before tokens came there were Secrets without them."""
    optional = {
        it["name"]
        for name in SETTINGS
        for it in _container(name)["env"]
        if it.get("valueFrom", {}).get("secretKeyRef", {}).get("optional")
    }
    tokens = {"KIKKAKE_ADMIN_TOKEN", "KIKKAKE_READ_TOKENS", "KIKKAKE_INTERNAL_TOKEN"}
    assert tokens | {"KIKKAKE_PUBLIC_URL", "KIKKAKE_LINK_SECRET"} == optional


def test_ingest_finds_every_evaluator_also_while_it_is_not_ready() -> None:
    [given] = [it["value"] for it in _container("ingest")["env"] if it["name"] == "KIKKAKE_EVALUATORS"]
    host, _, number = given.partition(":")
    spec = _of("Service", host)["spec"]
    assert ("None", True) == (spec["clusterIP"], spec["publishNotReadyAddresses"])
    assert port("evaluator") == int(number)
    assert WORKLOADS["evaluator"]["spec"]["serviceName"] == host


@pytest.mark.parametrize(("what", "parse"), [("connectors", parse_connectors), ("providers", parse_providers)])
def test_the_dispatcher_reads_its_files_where_they_are_mounted(
    what: str, parse: Callable[[str, str, dict[str, str]], Any]
) -> None:
    [given] = [it["value"] for it in _container("dispatcher")["env"] if it["name"] == f"KIKKAKE_{what.upper()}"]
    folder, _, name = given.rpartition("/")
    [volume] = [it for it in _pod("dispatcher")["volumes"] if it["name"] == what]
    assert [folder] == [it["mountPath"] for it in _container("dispatcher")["volumeMounts"] if it["name"] == what]
    content = _of("ConfigMap", volume["configMap"]["name"])["data"][name]
    assert {} == parse(name, content, {})
    secrets = [source["secretRef"] for source in _container("dispatcher")["envFrom"] if "secretRef" in source]
    assert {"name": f"kikkake-{what}", "optional": True} in secrets


@pytest.mark.parametrize("service", SETTINGS)
def test_the_image_is_the_projects_version(service: str) -> None:
    assert f"kikkake/{service}:{version()}" == _container(service)["image"]


def test_the_evaluator_can_load_the_journeys_as_they_are_mounted(tmp_path: Path) -> None:
    """A ConfigMap's files lie behind links, as kubelet makes them: ..data, and a link for each first part of a path."""
    (volume,) = [it for it in _pod("evaluator")["volumes"] if it["name"] == "journeys"]
    config = _of("ConfigMap", volume["configMap"]["name"])["data"]
    assert set(config) == {item["key"] for item in volume["configMap"]["items"]}, "each file has its place"
    mounted = tmp_path / "journeys"
    for item in volume["configMap"]["items"]:
        file = mounted / "..2026_01_01" / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(config[item["key"]], encoding="utf-8")
    (mounted / "..data").symlink_to("..2026_01_01")
    for first in {Path(item["path"]).parts[0] for item in volume["configMap"]["items"]}:
        (mounted / first).symlink_to(Path("..data") / first)
    journeys = load_definitions(mounted).journeys
    build_catalog(journeys)
    assert ["order_confirmation"] == [journey.id for journey in journeys]
