"""Laws of addresses: one of a known kind that names files, and nothing that runs, chains or leads out."""

import pytest

from unet.settings.ingest import Source
from unet.settings.remote import is_remote, require_remote


@pytest.mark.parametrize(
    "address",
    ["https://lab.example/raw", "http://127.0.0.1:8000/a b.tif", "s3://lab", "gs://lab/raw/", "s3://lab/what?/#1",
     "abfs://container@account/raw"],
)  # fmt: skip
def test_addresses_of_files_are_taken(address):
    require_remote("images", address)
    assert Source(address, truth=address).images == address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("file:///etc", "must be a path or an address of https"),
        ("reference://raw", "must be a path or an address of https"),
        ("memory://raw", "must be a path or an address of https"),
        ("s3://lab/a.zip::zip://b.tif", "must be one address"),
        ("https://", "must name a host"),
        ("https://../raw", "must name a host"),
        ("https://lab.example/raw/../../etc", "whose parts are names"),
        ("s3://lab//raw", "whose parts are names"),
        ("s3://lab/a\nb", "whose parts are names"),
        ("https://lab.example/raw?day=1", "without [?] and #"),
        ("https://me:hush@lab.example/raw", "no password or token"),
        ("https://lab.example/raw?sig=abc", "no password or token"),
    ],
)
@pytest.mark.parametrize("setting", ["images", "truth"])
def test_others_are_refused_in_a_sentence(address, why, setting):
    with pytest.raises(ValueError, match=f"^{setting} must (.*)?{why.removeprefix('must ')}"):
        Source(**{"images": "raw", setting: address})


def test_a_remote_source_is_never_linked():
    with pytest.raises(ValueError, match="link must be of pixels on this machine, got s3://lab/raw; leave it out"):
        Source("s3://lab/raw", link=True)


def test_paths_are_no_addresses():
    assert not any(map(is_remote, ["raw", "/data/raw", "C:\\raw", "s3:/lab"]))
