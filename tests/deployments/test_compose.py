"""Laws of compose.yaml: Docker's schema admits it, nothing is reachable that should not be, and its commands run.

Without Docker at hand, its server and its worker are started here, with the commands and the environment it gives them.
"""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deployments/compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES = COMPOSE["services"]
DOTENV = {"POSTGRES_PASSWORD": "p/s:w@rd %", "UNET_FLOWS_AUTH": "lab:secret", "UNET_FLOWS_DATASETS": "/data"}


def test_the_schema_of_compose_admits_it():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_it_is_built_from_what_is_there():
    for name in ("server", "cpu", "gpu"):
        build = SERVICES[name]["build"]
        context = FILE.parent / build["context"]
        assert (context / build["dockerfile"]).samefile(ROOT / "deployments/Dockerfile")
        said = (context / build["dockerfile"]).read_text("utf-8")
        assert all(f"ARG {argument}=" in said for argument in build.get("args", {}))
    assert SERVICES["gpu"]["image"] != SERVICES["cpu"]["image"]


def test_only_the_server_is_reached_and_from_this_machine_alone():
    assert {name for name, each in SERVICES.items() if "ports" in each} == {"server"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["server"]["ports"])
    assert {name for name, each in SERVICES.items() if "database" in each.get("networks", ())} == {"server", "postgres"}
    assert COMPOSE["networks"]["database"] == {"internal": True}


def test_what_is_secret_must_be_said_and_is_said_nowhere_here():
    required = set(re.findall(r"\$\{(\w+):\?[^}]+\}", FILE.read_text("utf-8")))
    assert required == set(DOTENV)
    for each in SERVICES.values():
        for key, value in each["environment"].items():
            assert value.startswith("${") or not re.search("PASSWORD|AUTH", key)


def test_each_waits_until_what_it_needs_is_healthy():
    waits = {
        name: {on: how["condition"] for on, how in each.get("depends_on", {}).items()}
        for name, each in SERVICES.items()
    }
    healthy = "service_healthy"
    assert waits == {
        "postgres": {},
        "server": {"postgres": healthy},
        "cpu": {"server": healthy},
        "gpu": {"server": healthy},
    }
    assert all("healthcheck" in each for each in SERVICES.values())


def test_a_gpu_is_reserved_where_there_is_one_alone():
    (device,) = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["capabilities"], device["count"]) == (["gpu"], 1)
    assert {name: each.get("profiles") for name, each in SERVICES.items()}["gpu"] == ["gpu"]
    assert not [name for name in ("postgres", "server", "cpu") if "profiles" in SERVICES[name]]


def test_each_pool_of_the_deployments_has_a_worker_and_all_see_the_same_data():
    pools = {
        each["work_pool"]["name"]
        for each in yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]
    }
    workers = {
        name: each["command"][each["command"].index("--pool") + 1]
        for name, each in SERVICES.items()
        if "--pool" in each.get("command", ())
    }
    assert workers == {pool: pool for pool in pools}
    assert SERVICES["cpu"]["volumes"] == SERVICES["gpu"]["volumes"]


def here(text, **hosts):
    """A value as compose fills it in, where all containers are this machine."""
    filled = re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", lambda found: DOTENV.get(found[1], found[3] or ""), str(text))
    for there, found in hosts.items():
        filled = filled.replace(there, found)
    return filled


@pytest.fixture
def service(tmp_path, serving):
    """Starts a service's command with its environment, and runs its health check: `service("server", {…})`."""

    def start(name, moved, **hosts):
        said = {key: here(value, **hosts) for key, value in SERVICES[name]["environment"].items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        own = {"PREFECT_HOME": str(tmp_path / name), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        env = inherited | own | said | moved
        serving([sys.executable, "-m", *SERVICES[name]["command"]], env=env)
        return lambda port: _check(name, env, port)

    return start


def _check(name, env, port):
    """Whether the health check succeeds, at another port than that of the container."""
    words = [re.sub(r":(4200|8080)/", f":{port}/", word) for word in SERVICES[name]["healthcheck"]["test"]]
    assert words[:2] == ["CMD", "python"]
    return (
        subprocess.run([sys.executable, *words[2:]], env=env, check=False, capture_output=True, timeout=60).returncode
        == 0
    )


@pytest.mark.prefect
@pytest.mark.slow
def test_server_and_worker_start_are_healthy_and_ask_for_the_password(postgres, service, free_ports, await_true):
    port, web = free_ports(2)
    told = {key: value for key, value in postgres.items() if not key.endswith(("USER", "NAME", "DRIVER"))}
    healthy = service("server", told | {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": port})
    await_true(lambda: healthy(port))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _pools(port, "lab:wrong")
    healthy = service("cpu", {"PREFECT_WORKER_WEBSERVER_PORT": web}, **{"server:4200": f"127.0.0.1:{port}"})
    await_true(lambda: healthy(web))
    await_true(lambda: _pools(port, DOTENV["UNET_FLOWS_AUTH"]) == {"cpu"})


def _pools(port, auth):
    """Names of the server's work pools."""
    headers = {"content-type": "application/json", "authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/work_pools/filter", b"{}", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return {pool["name"] for pool in json.load(answer)}
