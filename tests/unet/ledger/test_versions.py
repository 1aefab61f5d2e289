"""Laws of versions: two processes differ exactly where a value could, and a change of our own source is one."""

import pytest

from unet.ledger import versions
from unet.ledger.versions import computing, difference, of_here


def test_a_process_does_not_differ_from_itself_and_a_stamp_keeps_what_computes():
    assert difference(of_here(), of_here()) == ""
    assert {"numpy", "torch", "zarr"} <= set(computing()) <= set(of_here())


@pytest.mark.parametrize(
    ("theirs", "ours", "says"),
    [
        ({"torch": "2.13.0+cpu"}, {"torch": "2.13.0+cu128"}, ""),
        ({"python": "3.11.2"}, {"python": "3.11.9"}, ""),
        ({"python": "3.12.2"}, {"python": "3.11.9"}, "runs python 3.12, this process 3.11"),
        ({"zarr": None, "dask": "1"}, {"zarr": "3.1.6", "dask": "2"}, "runs no zarr, this process 3.1.6, dask 1, t"),
        ({"zarr": "3.1.6"}, {"zarr": None}, "runs zarr 3.1.6, this process none"),
        ({}, {"zarr": "3.1.6"}, ""),
    ],
)
def test_what_differs_is_named_and_what_is_not_known_or_only_built_otherwise_is_not(theirs, ours, says):
    assert difference(theirs, ours).startswith(says)
    assert bool(difference(theirs, ours)) == bool(says)


def test_another_file_or_another_byte_is_another_source(tmp_path, monkeypatch):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, "SOURCES", ("ours", "absent"))
    sources = [versions._source()]
    (tmp_path / "ours/more.py").write_text("1")
    sources.append(versions._source())
    (tmp_path / "ours/more.py").write_text("2")
    sources.append(versions._source())
    assert len(set(sources)) == 3
