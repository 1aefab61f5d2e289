"""Law: suffixes are those that plugins declare as a list; no plugin is imported for them."""

import sys
from importlib.metadata import EntryPoint

import pytest

from unet.sources import declared_suffixes as module

SAYS = "class ReaderMetadata:\n    @staticmethod\n    def get_supported_extensions():\n        return {}\n"


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Installs a plugin: its name, and what it declares."""
    monkeypatch.syspath_prepend(str(tmp_path))
    entries = []
    monkeypatch.setattr(module, "entry_points", lambda group: entries)

    def install(name, declares):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')")
        if declares is not None:
            (tmp_path / name / "reader_metadata.py").write_text(declares)
        entries.append(EntryPoint(name, name, module.GROUP))

    return install


def test_suffixes_of_all_plugins(plugins):
    plugins("bioio", None)
    plugins("bioio_sldy", SAYS.format("['.sldy', 'DIR', '.ome.sldy', '.pdf', 7]"))
    plugins("bioio_odd", SAYS.format("sorted(LIST)"))
    plugins("bioio_broken", "def (")
    assert module.declared_suffixes() == (".dir", ".sldy")
    assert "bioio_sldy" not in sys.modules


def test_none_without_bioio(plugins, monkeypatch):
    plugins("bioio_sldy", SAYS.format("['.sldy']"))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert module.declared_suffixes() == ()
