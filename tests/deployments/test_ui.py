"""What a person sees in the UI: a run at work, what it led to, what failed and why, and a form that runs a flow.

`UNET_FLOWS_SCREENSHOTS=FOLDER` keeps a picture of every page that was looked at; `deployments/ui.png` is one of them.
"""

import io
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.flows.lab import chromium

WIDTH = 1200
NAME = "embryo-cells"
"""Of the dataset, and so of its runs and its summary."""
pytestmark = [pytest.mark.prefect, pytest.mark.slow]
REASON = "thursday.ome.tif is not a readable TIFF"
SETTINGS = {
    "train__steps": 400,
    "train__batch_size": 2,
    "train__tile_size": 64,
    "train__learning_rate": 0.01,
    "train__validate_every": 20,
    "train__architecture": {"base": 8, "depth": 3},
    "segment__max_hole_size": 200,
    "evaluate__bootstrap_resamples": 20,
}
"""A network that is trained within half a minute: long enough to be seen at it."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = Path(os.environ.get("UNET_FLOWS_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def look(browser, server, pictures):
    """Opens a page of the UI, waits for words on it, and keeps its picture: `look("runs", "/runs", "Running")`.

    No page may ask another machine for anything: what a lab does is its own business.
    """
    page, elsewhere = browser.new_page(), []
    own = (server.ui, server.ui.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else elsewhere.append(request.url))

    def opened(name, path, *words):
        page.set_viewport_size({"width": WIDTH, "height": 900})
        page.goto(server.ui + path)
        for word in words:
            page.get_by_text(word).first.wait_for(timeout=60_000)
        opened.keep(name)
        return page

    def keep(name, whole=False):
        page.wait_for_timeout(1500)  # the timeline draws itself at leisure
        if whole:
            page.set_viewport_size({"width": WIDTH, "height": 3000})
            page.wait_for_timeout(500)
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        taken.quantize(96, dither=Image.Dither.NONE).save(pictures / f"{name}.png", optimize=True)

    opened.keep = keep
    yield opened
    assert elsewhere == []


@dataclass(frozen=True)
class Night:
    """A run of `reprocess` that somebody watched, and the dataset it worked on."""

    dataset: str
    run: str
    states: list[str]
    progress: list[float]
    status: int


@pytest.fixture(scope="module")
def night(server, look, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    dataset = _draw(folder)
    command = [sys.executable, "-m", "flows.commands.app", "reprocess", dataset]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=server.env, stdout=log, stderr=log, start_new_session=True)
    try:
        states, progress = _watch(server, look)
        status = process.wait(300)
    finally:
        process.kill()
    (run,) = server.find("flow_runs", flows={"name": {"any_": ["reprocess"]}})[:1]
    return Night(dataset, run["id"], states, progress, status)


def _draw(folder):
    """A dataset of three stacks, and one that cannot be read."""
    from tests.conftest import make_dataset
    from unet.images.synthetic import draw_stack

    days = ("monday", "tuesday", "wednesday")
    stacks = {day: draw_stack(planes=4, side=256, seed=seed) for seed, day in enumerate(days, start=1)}
    dataset = make_dataset(folder, stacks, **SETTINGS)
    (folder / "files/image/thursday.ome.tif").write_bytes(b"II*\0broken")
    return str(Path(dataset.url).rename(folder / NAME))


def _watch(server, look):
    """States of the run, and figures of its progress, as pages showed them while it trained."""
    artifact = _await(lambda: server.find("artifacts", artifacts={"key": {"any_": ["train-progress"]}}))[0]
    page = look("runs", "/runs", f"reprocess {NAME}")
    states = page.locator(".flow-run-list-item", has_text=f"reprocess {NAME}").all_inner_texts()
    seen = []
    for name in ("progress-1", "progress-2"):
        page = look(name, f"/artifacts/artifact/{artifact['id']}", "train-progress")
        seen.append(page.inner_text("body"))
        time.sleep(4)
    return states, seen


def _await(found, seconds=240):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing within {seconds} s"
        time.sleep(0.5)
    return value


def test_a_run_is_seen_running(night):
    (state,) = night.states
    assert "Running" in state.splitlines()


def test_its_progress_moves(night):
    done, later = (float(re.search(r"Progress: ([\d.]+)%", seen)[1]) for seen in night.progress)
    assert 0 < done < later < 100


def test_one_page_tells_what_a_run_led_to_with_pictures(night, server, look):
    (summary,) = server.find("artifacts", artifacts={"key": {"any_": [f"reprocess-{NAME}"]}})
    page = look("summary", f"/artifacts/artifact/{summary['id']}", "average_precision")
    widths = page.locator("img[src^='data:image/png']").evaluate_all("found => found.map(each => each.naturalWidth)")
    assert widths
    assert all(width > 0 for width in widths)
    look.keep("summary-whole", whole=True)


def test_a_stack_that_failed_is_shown_with_its_reason(night, server, look):
    assert night.status == 1
    page = look("failed", f"/runs/flow-run/{night.run}", "Failed", "thursday at ingest")
    assert REASON in page.inner_text("body")
    page.get_by_role("tab", name="Artifacts").or_(page.get_by_text("Artifacts", exact=True)).first.click()
    look.keep("artifacts")
    (summary,) = server.find("artifacts", artifacts={"key": {"any_": [f"reprocess-{NAME}"]}})
    page = look("summary", f"/artifacts/artifact/{summary['id']}", "Set aside")
    assert REASON in page.inner_text("body")


def test_a_form_that_was_filled_in_runs(night, server, look):
    (deployment,) = server.find("deployments", flows={"name": {"any_": ["segment"]}})
    page = look("form-empty", f"/deployments/deployment/{deployment['id']}/run", "Validate parameters")
    _field(page, "dataset").locator("textarea").fill(night.dataset)
    changes = _field(page, "changes (Optional)")
    changes.get_by_role("button", name="list").click()
    changes.get_by_role("button", name="Add item").click()
    changes.locator("textarea").fill("segment.threshold=0.6")
    _field(page, "force (Optional)").locator(".p-toggle__control, [role=switch], input").first.click()
    look.keep("form")
    page.get_by_role("button", name="Submit").click()
    run = _await(lambda: server.find("flow_runs", deployments={"id": {"any_": [deployment["id"]]}}))[0]
    page = look("form-run", f"/runs/flow-run/{run['id']}", "Completed")
    (run,) = server.find("flow_runs", flow_runs={"id": {"any_": [run["id"]]}})
    assert run["state_name"] == "Completed"
    given = {"dataset": night.dataset, "only": None, "changes": ["segment.threshold=0.6"], "force": True}
    assert {key: run["parameters"].get(key) for key in given} == given


def _field(page, label):
    return page.locator(".schema-form-property", has=page.get_by_text(label, exact=True))


def test_postgresql_holds_what_was_run(night, server):
    asked = ["psql", "-At", "-h", "127.0.0.1", "-c", "SELECT name FROM flow_run WHERE state_name = 'Failed'"]
    told = {f"PG{word}": server.env[f"PREFECT_SERVER_DATABASE_{word}"] for word in ("PORT", "USER", "PASSWORD")}
    told["PGDATABASE"] = server.env["PREFECT_SERVER_DATABASE_NAME"]
    said = subprocess.run(asked, env=os.environ | told, check=True, capture_output=True, text=True, timeout=60).stdout
    assert f"reprocess {NAME}" in said.splitlines()
