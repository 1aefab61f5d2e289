"""Versions of packages and a digest of our own source: what a process computes with."""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

Versions = Mapping[str, str | None]

TALK = ("dask", "distributed", "msgpack", "cloudpickle")
"""Packages by which a client, a scheduler and workers talk."""
COMPUTE = ("unet-flows", "numpy", "numcodecs", "numba", "scikit-image", "scipy", "torch", "zarr")
"""Packages that decide the values."""
SOURCES = ("unet", "tasks")
"""Our packages that workers run."""


@cache
def of_here() -> dict[str, str | None]:
    """Versions in this process; None where a package is not installed."""
    found = {package: _version(package) for package in (*TALK, *COMPUTE)}
    return tidy({"python": sys.version.split()[0], **found}) | {"source": _source()}


@cache
def computing() -> dict[str, str]:
    """Versions of the packages that decide the values, those that are installed: what a stamp keeps."""
    return {package: found for package in COMPUTE if (found := _version(package))}


def tidy(versions: Versions) -> dict[str, str | None]:
    """Versions as they are compared: Python's without its last number, others without the build (`+cpu`, `+cu128`).

    >>> tidy({"python": "3.11.2.final.0", "torch": "2.13.0+cpu"})
    {'python': '3.11', 'torch': '2.13.0'}
    """
    told = {package: found and found.split("+")[0] for package, found in versions.items()}
    python = told.get("python")
    return told | ({"python": ".".join(python.split(".")[:2])} if python else {})


def difference(theirs: Versions, ours: Versions) -> str:
    """What differs, for a sentence that begins with who they are; empty where nothing does.

    >>> difference({"zarr": "3.0.8", "numpy": "2.4.0"}, {"zarr": "3.1.6", "numpy": "2.4.0"})
    'runs zarr 3.0.8, this process 3.1.6'
    """
    theirs, ours = tidy(theirs), tidy(ours)
    other = [package for package in ours if package in theirs and theirs[package] != ours[package]]
    told = ", ".join(f"{_named(package, theirs)}, this process {ours[package] or 'none'}" for package in other)
    return told and f"runs {told}"


def _named(package: str, versions: Versions) -> str:
    found = versions[package]
    return f"{package} {found}" if found else f"no {package}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _source() -> str:
    """Digest of our own source: two checkouts of one version may differ."""
    whole = hashlib.blake2b(digest_size=6)
    for package in SOURCES:
        spec = find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        for file in sorted(folder.glob("**/*.py")) if spec else []:
            whole.update(f"{package}/{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return whole.hexdigest()
