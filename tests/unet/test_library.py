"""`import unet`: what it offers is there, is documented, is typed, and costs nothing until it is used."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unet

FOLDER = Path(unet.__file__).parent


def stubbed():
    """Public name → module that the stub takes it from."""
    lines = ast.parse((FOLDER / "__init__.pyi").read_text("utf-8")).body
    assert all(isinstance(line, ast.ImportFrom) and line.level == 1 for line in lines)
    return {alias.asname: f"unet.{line.module}" for line in lines for alias in line.names if alias.asname == alias.name}


def documented():
    """Names that the list in the docstring gives, in its paragraphs of four spaces."""
    library = unet.__doc__.split("As a library", 1)[1].split("No flow calls", 1)[0]
    return set(re.findall(r"`([A-Za-z_]+)`", "\n".join(re.findall(r"^    .*$", library, re.MULTILINE))))


def test_what_is_documented_is_what_is_offered():
    assert documented() == set(stubbed()) == set(unet.__all__) == set(dir(unet))


@pytest.mark.parametrize("name", sorted(stubbed()))
def test_every_name_is_there_with_a_docstring(name):
    found = getattr(unet, name)
    assert found.__doc__
    assert found is getattr(unet, name)
    if name != "metrics":
        assert found.__module__ == stubbed()[name]


def test_all_metrics_are_there():
    assert all(callable(getattr(unet.metrics, name)) for name in unet.metrics.__all__)


def test_a_name_that_is_not_there_is_told():
    with pytest.raises(AttributeError, match="weighs"):
        _ = unet.weighs


def test_what_is_listed_as_for_readers_alone_is_called_by_no_stage():
    said = unet.__doc__.split("No flow calls", 1)[1].split(":", 1)[0]
    names = set(re.findall(r"`([A-Za-z_]+)`", said)) - {"metrics"}
    assert {"predict_image", "border_weights", "part_touching"} <= names
    called = set()
    for folder in ("tasks", "flows"):
        for file in (FOLDER.parent / folder).rglob("*.py"):
            called |= {node.id for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert names & called == set()


def test_importing_it_loads_nothing_heavy():
    heavy = {"numpy", "scipy", "torch", "zarr", "dask", "pydantic", "prefect", "fsspec", "pyarrow"}
    code = "import json, sys; import unet; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, capture_output=True, check=True)
    modules = json.loads(answer.stdout)
    assert heavy.isdisjoint(modules)
    assert [module for module in modules if module.startswith(("unet.", "tasks", "flows"))] == []


def test_editors_find_its_types():
    assert (FOLDER / "py.typed").exists()
