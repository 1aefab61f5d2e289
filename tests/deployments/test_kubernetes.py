"""Laws of what is given to Kubernetes: a run becomes a job that its schema admits, with the GPU, the data, no secret.

Without a cluster at hand, the models of prefect-kubernetes make the jobs and the schemas of Kubernetes judge them.
"""

import asyncio
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

KUBERNETES = Path(__file__).parents[2] / "deployments/kubernetes"
VERSIONS = ("1.28", "1.37")
"""The oldest and the newest one that is judged by."""
PREFECTS_OWN = {"parallelism", "completions"}
"""What Prefect wants to find in a pod's description, where it does not belong; Kubernetes leaves it out."""


def template(pool):
    return json.loads((KUBERNETES / f"{pool}.json").read_text("utf-8"))


def job(pool, **values):
    """What the worker of a pool would ask for, of a deployment with these job variables."""
    from prefect.client.orchestration import PrefectClient
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    async def make():
        nobody = PrefectClient("http://127.0.0.1:9/api")  # asked for blocks alone, of which there are none
        return await KubernetesWorkerJobConfiguration.from_template_and_values(template(pool), values, client=nobody)

    made = asyncio.run(make())
    run = SimpleNamespace(id="00000000-0000-0000-0000-000000000000", name="reprocess embryo")
    made.prepare_for_flow_run(run)
    return made.job_manifest


def pod(manifest):
    return manifest["spec"]["template"]["spec"]


def judge(manifest):
    import kubernetes_validate

    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_a_run_becomes_a_job_that_kubernetes_admits(pool):
    manifest = job(pool, env={"OMP_NUM_THREADS": "8"})
    assert pod(manifest).keys() >= PREFECTS_OWN
    for key in PREFECTS_OWN:
        del pod(manifest)[key]
    judge(manifest)
    (container,) = pod(manifest)["containers"]
    assert container["image"] == f"unet-flows:{pool}"
    assert {"name": "OMP_NUM_THREADS", "value": "8"} in container["env"]
    assert {each["mountPath"] for each in container["volumeMounts"]} == {"/data", "/dev/shm"}
    assert manifest["metadata"]["namespace"] == "unet-flows"


def test_what_kubernetes_does_not_know_is_refused():
    manifest = job("cpu")
    with pytest.raises(Exception, match="completions"):
        judge(manifest)


@pytest.mark.parametrize(("pool", "given", "gpus"), [("cpu", {}, 0), ("gpu", {}, 1), ("gpu", {"gpus": 4}, 4)])
def test_a_run_has_the_gpus_it_asks_for(pool, given, gpus):
    (container,) = pod(job(pool, **given))["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == gpus


def test_both_pools_differ_in_what_they_ask_for_alone():
    cpu, gpu = template("cpu"), template("gpu")
    differing = {
        key
        for key, said in cpu["variables"]["properties"].items()
        if said.pop("default", None) != gpu["variables"]["properties"][key].pop("default", None)
    }
    assert cpu == gpu
    assert differing == {"image", "gpus", "cpu", "memory"}


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_every_variable_is_used_and_said(pool):
    text = json.dumps(template(pool)["job_configuration"])
    properties = template(pool)["variables"]["properties"]
    assert set(re.findall(r"{{ (\w+) }}", text)) == set(properties)
    assert all(each["description"] for each in properties.values())


def workers():
    return list(yaml.safe_load_all((KUBERNETES / "workers.yaml").read_text("utf-8")))


@pytest.mark.parametrize("each", workers(), ids=lambda each: each["kind"])
def test_what_is_applied_is_admitted(each):
    judge(each)
    assert each["metadata"].get("namespace", each["metadata"]["name"]) == "unet-flows"


def test_workers_may_do_to_jobs_what_they_must_and_see_no_secret():
    (role,) = [each for each in workers() if each["kind"] == "Role"]
    may = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert may >= {("jobs", "create"), ("jobs", "delete"), ("jobs", "watch"), ("pods", "watch"), ("pods/log", "get")}
    assert not [resource for resource, _ in may if resource in ("secrets", "*")]


def test_each_pool_has_a_worker_and_its_jobs_find_their_claim():
    (deployment,) = [each for each in workers() if each["kind"] == "Deployment"]
    (claim,) = [each for each in workers() if each["kind"] == "PersistentVolumeClaim"]
    pools = {each["args"][each["args"].index("--pool") + 1] for each in pod(deployment)["containers"]}
    assert pools == {"cpu", "gpu"}
    for pool in pools:
        volumes = {each["name"]: each for each in pod(job(pool))["volumes"]}
        assert volumes["datasets"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_password_of_the_server_stands_in_no_job():
    """Prefect writes it into every pod's description unless it is told the secret's name."""
    from prefect.settings import temporary_settings
    from prefect_kubernetes.settings import KubernetesSettings

    (deployment,) = [each for each in workers() if each["kind"] == "Deployment"]
    for container in pod(deployment)["containers"]:
        said = {each["name"]: each for each in container["env"]}
        assert "valueFrom" in said["PREFECT_API_AUTH_STRING"]
        with pytest.MonkeyPatch.context() as patch, temporary_settings():
            for name in (name for name in said if name.startswith("PREFECT_INTEGRATIONS")):
                patch.setenv(name, said[name]["value"])
            worker = KubernetesSettings().worker
        secret = said["PREFECT_API_AUTH_STRING"]["valueFrom"]["secretKeyRef"]
        assert (worker.api_auth_string_secret_name, worker.api_auth_string_secret_key) == (
            secret["name"],
            secret["key"],
        )


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_a_server_takes_the_template(server, pool):
    file = KUBERNETES / f"{pool}.json"
    server.run("prefect", "work-pool", "create", f"jobs-{pool}", "--type", "kubernetes", "--base-job-template", file)
    (made,) = server.find("work_pools", work_pools={"name": {"any_": [f"jobs-{pool}"]}})
    assert made["base_job_template"] == template(pool)
