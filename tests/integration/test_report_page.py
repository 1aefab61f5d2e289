"""The report in a real browser: one file, moved alone, light, dark, printed, on a phone and by keyboard.

`UNET_FLOWS_SCREENSHOTS=FOLDER` keeps a picture of every page that was looked at.
"""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_dataset, run_all
from tests.flows.lab import chromium
from unet.dataset.folder import Folder
from unet.dataset.record_file import set_values
from unet.images.synthetic import draw_stack
from unet.network.model_files import bring_in

pytestmark = pytest.mark.slow
SIZES = {"wide": (1200, 900), "phone": (360, 740)}
PAPER = 703
"""Pixels across an A4 page within margins of 12 mm."""
KINDS = ("with truth", "without truth", "classes")
SMALL = {
    "train__steps": 60,
    "train__batch_size": 2,
    "train__tile_size": 64,
    "train__learning_rate": 0.01,
    "train__validate_every": 20,
    "train__architecture": {"base": 4, "depth": 2},
    "evaluate__bootstrap_resamples": 20,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports by kind, each alone in a folder of its own."""
    at = tmp_path_factory.mktemp("reports")
    judged = make_dataset(at / "judged", {name: draw_stack(2, 128, at) for at, name in enumerate("abc")}, **SMALL)
    run_all(judged)
    drawn = {name: (draw_stack(2, 128, 7 + at)[0], None) for at, name in enumerate("de")}
    unjudged = make_dataset(at / "unjudged", drawn, evaluate__bootstrap_resamples=20)
    bring_in(unjudged, Folder(judged.model("unet").url), "unet")
    set_values(unjudged, {"predict.model": "unet"})
    run_all(unjudged)
    found = {"with truth": (judged, "unet"), "without truth": (unjudged, "unet"), "classes": (_classed(at), "unet")}
    alone = {}
    for kind, (dataset, model) in found.items():
        alone[kind] = at / "alone" / kind.replace(" ", "-") / "mailed report.html"
        alone[kind].parent.mkdir(parents=True)
        shutil.copy(f"{dataset.report(model).url}/report.html", alone[kind])
        shutil.rmtree(dataset.url)
    return alone


def _classed(at):
    """A dataset of two classes: bright and dark cells."""
    drawn = {name: draw_stack(1, 128, seed) for seed, name in enumerate("ab", 3)}
    for name, (_, ids) in drawn.items():
        rows = "".join(f"{each},{'odd' if each % 2 else 'even'}\n" for each in np.unique(ids[ids > 0]))
        (at / "classed/files/class").mkdir(parents=True, exist_ok=True)
        (at / f"classed/files/class/{name}.csv").write_text(f"id,class\n{rows}")
    source = {"class_of": "../files/class", "classes": {1: "odd", 2: "even"}}
    dataset = make_dataset(at / "classed", drawn, source, **SMALL)
    run_all(dataset)
    return dataset


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def opened(browser, pages):
    """Opens a page; no errors, no request to anything but the file, is asserted at the end."""
    contexts, said = [], []

    def open_page(kind, scheme="light", size="wide"):
        width, height = SIZES[size]
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url[:99]))
        own = pages[kind].as_uri()
        page.on("request", lambda r: None if r.url == own or r.url.startswith("data:") else said.append(r.url[:99]))
        page.goto(own)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def keep(page, name):
    """The whole page as a picture, kept where somebody asks for it."""
    taken = page.screenshot(full_page=True, timeout=0)
    if folder := os.environ.get("UNET_FLOWS_SCREENSHOTS"):
        (Path(folder) / f"report-{name}.png").write_bytes(taken)
    return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
def test_moved_alone_every_picture_is_there_and_the_file_is_small(opened, pages, kind):
    page = opened(kind)
    assert pages[kind].stat().st_size <= 5_000_000
    assert [path.name for path in pages[kind].parent.iterdir()] == [pages[kind].name]
    widths = page.locator("img").evaluate_all("found => found.map(each => each.naturalWidth)")
    assert widths
    assert all(widths)
    keep(page, kind.replace(" ", "-"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_page_does_not_scroll_sideways(opened, kind, scheme):
    page = opened(kind, scheme, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES["phone"][0]
    keep(page, f"{kind.replace(' ', '-')}-phone-{scheme}")


@pytest.mark.parametrize("kind", KINDS)
def test_plots_turn_dark_with_the_page(opened, kind):
    colours = "found => found.map(each => getComputedStyle(each)[each.tagName == 'text' ? 'fill' : 'stroke'])"
    said = {}
    for scheme in ("light", "dark"):
        page = opened(kind, scheme)
        keep(page, f"{kind.replace(' ', '-')}-{scheme}")
        said[scheme] = page.locator(".plot text, .plot .grid-line").evaluate_all(colours)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        said[scheme, "page"] = sum(int(each) for each in background[4:-1].split(","))
    assert said["light"]
    assert not set(said["light"]) & set(said["dark"])
    assert said["light", "page"] > 3 * 200 > 3 * 60 > said["dark", "page"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_printed_on_white_with_nothing_cut_off(opened, kind, tmp_path):
    page = opened(kind, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") == PAPER
    keep(page, f"{kind.replace(' ', '-')}-print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    printed = page.pdf(format="A4", path=str(tmp_path / "report.pdf"))
    assert printed.startswith(b"%PDF")


def test_the_keyboard_reaches_all_there_is_and_shows_where_it_is(opened):
    page = opened("with truth")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached, all_of_them = set(), "[...document.querySelectorAll('a, [tabindex]')]"
    for _ in range(1, page.evaluate(f"{all_of_them}.length")):
        page.keyboard.press("Tab")
        look = f"[{all_of_them}.indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle]"
        where, outline = page.evaluate(look)
        reached.add(where)
        assert outline == "solid"
    assert reached == set(range(1, page.evaluate(f"{all_of_them}.length")))


def test_words_stand_out_from_what_is_behind_them(opened):
    """WCAG asks for a contrast of 4.5 for small words."""
    for scheme in ("light", "dark"):
        page = opened("with truth", scheme)
        pairs = page.evaluate(
            """['.soft', 'figcaption', 'td', 'dt', 'small', '.note', 'nav a'].map(which => {
                const each = document.querySelector(which)
                let behind = each
                while (getComputedStyle(behind).backgroundColor == 'rgba(0, 0, 0, 0)') behind = behind.parentElement
                return [getComputedStyle(each).color, getComputedStyle(behind).backgroundColor]
            })"""
        )
        for pair in pairs:
            dark, light = sorted(map(_luminance, pair))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, pair)


def _luminance(colour):
    channels = [int(float(each)) / 255 for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
