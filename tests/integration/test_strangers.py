"""Laws of `serve` against strangers: a page of another site, a rebound name and whoever has no password get nothing.

In a real browser, over HTTP and websockets, with a password and without; the lab's own browser and commands: as ever.
"""

import base64
import http.server
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

from flows.server.definitions import read_definitions
from tests.conftest import make_dataset
from tests.flows.lab import Lab, chromium, listening, stop, until
from unet.images.synthetic import draw_stack

pytestmark = [pytest.mark.prefect, pytest.mark.slow]
REBOUND = "rebound.example"
"""A stranger's name, which leads to this machine."""
ATTACK = """async ([api, id]) => {
    const tried = {}
    const path = `${api}/deployments/${id}/create_flow_run`
    const run = JSON.stringify({name: "attack", parameters: {dataset: "/etc"}, state: {type: "SCHEDULED"}})
    const attempt = (path, options) =>
        fetch(path, options).then((answer) => answer.type + answer.status, () => "refused")
    const json = {"content-type": "application/json"}
    tried.read = await attempt(`${api}/deployments/filter`, {method: "POST", headers: json, body: "{}"})
    tried.start = await attempt(path, {method: "POST", headers: json, body: run})
    tried.blind = await attempt(path, {method: "POST", mode: "no-cors", body: new Blob([run])})
    tried.get = await attempt(`${api}/admin/version`, {})
    for (const [what, protocols] of [["legacy", []], ["prefect", ["prefect"]]])
        for (const stream of ["events/in", "events/out", "logs/out"])
            tried[`${what} ${stream}`] = await new Promise((done) => {
                const socket = new WebSocket(`${api.replace("http", "ws")}/${stream}`, protocols)
                socket.onopen = () => done("opened")
                socket.onerror = () => done("refused")
            })
    return tried
}"""


@dataclass(frozen=True)
class Served:
    """A server that `serve` started, and what it knows."""

    lab: Lab
    dataset: str
    asks: bool

    @property
    def secret(self):
        return (self.lab.home / "secret").read_text().strip()

    def ask(self, what, **asked):
        headers = {"content-type": "application/json"}
        headers["authorization"] = f"Basic {base64.b64encode(self.secret.encode()).decode()}" if self.asks else ""
        request = urllib.request.Request(f"{self.lab.api}/{what}", json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)


@pytest.fixture(scope="module", params=[True, False], ids=["secret", "no-auth"])
def served(request, tmp_path_factory):
    """`serve` of a dataset of one stack, by default and with --no-auth."""
    folder = tmp_path_factory.mktemp("lab")
    lab, dataset = Lab(folder), make_dataset(folder, {"a": (draw_stack(planes=1, side=64, seed=1)[0], None)}).url
    del lab.environment["PREFECT_HOME"]  # the usual one
    more = [] if request.param else ["--no-auth"]
    process = lab.start("flows.commands.app", "serve", dataset, "--port", lab.port, "--watch", "0", *more)
    log = folder / "serve.log"
    try:
        until(lambda: "the UI is at" in log.read_text() or process.poll() is not None, 600)
        assert process.poll() is None, log.read_text()
        served = Served(lab, dataset, request.param)
        until(lambda: len(served.ask("deployments/filter")) == len(read_definitions()), 600)
        yield served
    finally:
        stop(process)
        assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser():
    with chromium(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as opened:
        yield opened


@pytest.fixture(scope="module")
def elsewhere():
    """Address of a page of another origin, on this machine as Jupyter's are."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a nice page</title>")

        def log_message(self, *words):
            pass

    with listening(Page) as port:
        yield f"http://127.0.0.1:{port}/"


def attack(page, served, api):
    """What came of the attempts, each by its name; and no run was started."""
    (deployment,) = [each for each in served.ask("deployments/filter") if "segment" in each["entrypoint"]]
    tried = page.evaluate(ATTACK, [api, deployment["id"]])
    assert served.ask("flow_runs/filter", flow_runs={"name": {"any_": ["attack"]}}) == []
    assert {tried.pop(key) for key in list(tried) if "/" in key} == {"refused"}  # websockets
    return tried


def test_a_page_of_another_origin_reads_nothing_and_starts_nothing(served, browser, elsewhere):
    page = browser.new_page()
    page.goto(elsewhere)
    tried = attack(page, served, served.lab.api)
    assert tried == {"read": "refused", "start": "refused", "blind": "opaque0", "get": "refused"}
    page.close()


def test_a_rebound_name_is_no_name_of_this_server(served, browser):
    page = browser.new_page()
    there = f"http://{REBOUND}:{served.lab.port}"
    assert page.goto(f"{there}/").status == 403
    assert "Host must be a name of this server" in page.inner_text("body")
    assert set(attack(page, served, f"{there}/api").values()) == {"basic403"}
    page.close()


def test_whoever_has_no_password_gets_nothing(served):
    for headers in ({}, {"authorization": "Basic bGFiOmd1ZXNz"}):
        request = urllib.request.Request(f"{served.lab.api}/deployments/count", b"{}", headers, method="POST")
        if not served.asks:
            urllib.request.urlopen(request, timeout=60).close()
            continue
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(request, timeout=60)
        refused.value.close()


def test_the_labs_own_browser_is_asked_once_and_never_elsewhere(served, browser, tmp_path):
    person = browser.new_context()  # whose browser keeps what it was told
    for name in ("127.0.0.1", "localhost"):
        page = person.new_page()
        page.set_default_timeout(240_000)
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(f"http://{name}:{served.lab.port}/deployments")
        if served.asks:
            page.locator("input[type=password]").fill(served.secret)
            page.get_by_role("button", name="Login").or_(page.get_by_role("button").first).first.click()
        try:
            page.get_by_role("link", name="reprocess").first.wait_for()
            page.reload()
            page.get_by_role("link", name="reprocess").first.wait_for()
        finally:
            page.screenshot(path=tmp_path / f"{name}.png")
        own = (f"http://{name}:{served.lab.port}/", "data:", "blob:")
        assert [url for url in asked if not url.startswith(own)] == []
        page.close()


def test_our_own_commands_find_their_way(served):
    ended = served.lab.run("segment", served.dataset, check=False)
    assert ended.returncode in (0, 2), ended.stderr  # there is no model
    assert served.lab.run("unstick").stdout == "0 runs are called crashed\n"
    ended = served.lab.run("ingest", served.dataset, "--force")
    assert ended.stderr == ""
    (run,) = served.ask("flow_runs/filter", flows={"name": {"any_": ["ingest"]}})
    assert run["state_name"] == "Completed"
    told = served.lab.run("deploy", served.dataset, "--dry-run").stdout
    assert "deployment reprocess/dataset" in told


def test_the_password_lies_in_one_file_and_is_told_to_nobody(served):
    if not served.asks:
        return
    holding = [file for file in served.lab.folder.rglob("*") if file.is_file() and served.secret in _text(file)]
    assert holding == [served.lab.home / "secret"]
    assert holding[0].stat().st_mode & 0o077 == 0


def _text(file):
    return file.read_bytes().decode("latin-1")
