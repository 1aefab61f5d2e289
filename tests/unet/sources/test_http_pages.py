"""Laws of pages of links: what lies below an address is found, once, and nothing else, whatever a page says."""

import threading

import pytest

from tests.unet.sources.conftest import FILES, put
from unet.sources import http_pages
from unet.sources.http_pages import HttpFiles
from unet.sources.http_server import HttpServer
from unet.sources.remote_files import legal_listing

APACHE = """<html><head><title>Index of /raw</title></head><body><h1>Index of /raw</h1><table>
<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/">Parent Directory</a></td></tr>
<tr><td><img src="/icons/image2.gif"></td><td><a href="a.tif">a.tif</a></td><td>2026-01-01 10:00</td><td>300 </td></tr>
<tr><td><a href="day1/">day1/</a></td></tr></table></body></html>"""
NGINX = """<html><body><h1>Index of /raw/</h1><hr><pre><a href="../">../</a>
<a href="day1/">day1/</a>                     01-Jan-2026 10:00       -
<A HREF='a.tif'>a.tif</A>                     01-Jan-2026 10:00     300
</pre><hr></body></html>"""
ABSOLUTE = """<a href="/raw/a.tif">a</a> <a href="{address}/raw/day1">no slash</a> <a href="a.tif#top">again</a>"""
UNQUOTED = """<a\n class=x href=a.tif>a</a> <A title="b" HREF = "/raw/day1/b c.tif">b</A>
<a href='day1/notes&#46;txt'>c</a>"""
EVIL = """<a href="..%2f..%2fescaped.tif">1</a> <a href="%2e%2e/up.tif">2</a> <a href="../truth/a.tif">3</a>
<a href="/etc/passwd">4</a> <a href="//other.example/raw/a.tif">5</a> <a href="file:///etc/passwd">6</a>
<a href="a%00.tif">7</a> <a href="a%1b[31m.tif">8</a> <a href="b%5c..%5cc.tif">9</a> <a href="http://[bad/">10</a>
<a href="{long}.tif">11</a> <a>12</a> <a href="">13</a> <a href="javascript:alert(1)">14</a> <a href="a.tif">15</a>"""


def listing(web, below="raw"):
    with HttpServer(web.address, threading.Event()) as server:
        return legal_listing(HttpFiles(server, f"{web.address}/{below}").listing())


RAW = ["a.tif", "day1/b c.tif", "day1/notes.txt"]


@pytest.mark.parametrize("page", [None, APACHE, NGINX, ABSOLUTE, UNQUOTED])
def test_pages_of_all_servers_are_read(web, page):
    if page:
        web.pages["/raw/"] = page.replace("{address}", web.address)
    found = listing(web)
    assert sorted(found.files) == RAW
    assert [found.files[name].size for name in RAW] == [len(FILES[f"raw/{name}"]) for name in RAW]
    assert (found.failed, found.left_out) == ({}, ())


def test_names_that_lead_out_or_hide_something_are_left_out_and_told(web):
    web.pages["/raw/"] = EVIL.replace("{long}", "x" * 300)
    found = listing(web)
    assert list(found.files) == ["a.tif"]
    (told,) = found.left_out
    assert told.startswith("names that no file can have here are left out: ../../escaped.tif, ")
    assert "\\x1b[31m" in told
    assert not any("truth" in path or "passwd" in path for _, path in web.paths)


@pytest.mark.parametrize("name", ["a.tif", "Index.idx.xml"])
def test_an_address_of_a_file_is_that_file(web, name):
    put(web.folder / "raw" / name, b"x" * 7, 1_700_000_000)
    assert {key: file.size for key, file in listing(web, f"raw/{name}").files.items()} == {"": 7}
    assert web.asked == {"HEAD": 1}


@pytest.mark.parametrize("below", ["none", "none.tif", "raw/day1/notes.txt", "none.zarr"])
def test_what_is_nothing_that_is_read_is_told(web, below):
    with pytest.raises(FileNotFoundError, match=f"{web.address}/{below} must be"):
        listing(web, below)


def test_files_that_nobody_looks_at_are_not_listed(web):
    for name in (".hidden.tif", ".git/a.tif", "Thumbs.db", "a.zarr/.zarray", "a.zarr/.hidden", "plain/.zarray"):
        put(web.folder / "raw" / name, b"x", 1_700_000_000)
    assert sorted(listing(web).files) == sorted([*RAW, "a.zarr/.hidden", "a.zarr/.zarray", "plain/.zarray"])


def test_pages_that_lead_in_a_circle_end(web, monkeypatch):
    monkeypatch.setattr(http_pages, "DEEPEST", 4)
    page = "<a href='a/'>a</a><a href='a.tif'>a.tif</a>"
    web.pages |= {f"/raw/{'a/' * depth}": page for depth in range(20)}
    found = listing(web)
    paths = {path for _, path in web.paths}
    assert "/raw/a/a/a/a/" in paths
    assert "/raw/a/a/a/a/a/" not in paths
    assert sorted([*found.files, *found.failed]) == ["a.tif", "a/a.tif", "a/a/a.tif", "a/a/a/a.tif"]


def test_too_many_links_are_refused(web, monkeypatch):
    monkeypatch.setattr(http_pages, "MOST_LINKS", 2)
    with pytest.raises(ValueError, match="must hold at most 2 files, got more"):
        listing(web)


def test_a_redirect_elsewhere_leads_to_no_files_of_elsewhere(web):
    web.fault = lambda method, path: "to /truth/" if path == "/raw/day1/" else None
    found = listing(web)
    assert list(found.files) == ["a.tif"]
    assert found.failed == {"day1": "the server lists nothing there"}


def test_names_in_latin_1_are_read_as_such_and_none_takes_the_place_of_another(web):
    web.pages["/raw/"] = (
        "<a href='%FC.tif'>1</a> <a href='%E4.tif'>2</a> <a href='%C3%B6.tif'>3</a> <a href='a.tif'>4</a>"
    )
    found = listing(web)
    assert {*found.files, *found.failed} == {"ü.tif", "ä.tif", "ö.tif", "a.tif"}


def test_a_tag_that_is_not_closed_ends_where_the_next_begins():
    assert http_pages.LINK.search('<a x <a href="a.tif">').start() == 5  # else each looks through all that follow


@pytest.mark.parametrize(
    "page", ["<a href='forgot'>forgot</a>", "<a href='help/'>help</a>", "<a href='day1/notes.txt'>"]
)
def test_a_page_of_which_nothing_is_read_is_no_folder_of_images(web, page):
    web.pages["/raw/"] = page
    with pytest.raises(FileNotFoundError, match=f"{web.address}/raw must be a page that lists image files"):
        listing(web)
