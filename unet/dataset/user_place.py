"""The place of who runs this: the one folder whose files may name programs, since nobody else writes there."""

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from unet.dataset.filesystem import read_regular
from unet.dataset.safe_load import LARGEST_YAML, load_yaml
from unet.settings.cluster import Cluster, is_name, is_of_this_machine


class StartedCluster(NamedTuple):
    """A cluster that is to be started: a class by its dotted name, and what it is called with."""

    cls: str
    options: dict[str, Any]


def user_home() -> Path:
    """The per-user place of server, database and `clusters.yaml`; `UNET_FLOWS_HOME` overrides it."""
    return Path(os.environ.get("UNET_FLOWS_HOME") or platformdirs.user_state_path("unet-flows")).absolute()


def mirror_home() -> Path:
    """Where files of remote sources are kept; `UNET_FLOWS_SOURCES` overrides it, and `UNET_FLOWS_HOME` moves it."""
    if given := os.environ.get("UNET_FLOWS_SOURCES"):
        return Path(given).absolute()
    moved = os.environ.get("UNET_FLOWS_HOME")
    return (Path(moved).absolute() if moved else platformdirs.user_cache_path("unet-flows")) / "sources"


def trusted_cluster(cluster: str | Cluster) -> str | StartedCluster:
    """A scheduler's address, or the cluster to be started, of what a record says and this machine's owner allows.

    Raises:
        ValueError: a name is not in `clusters.yaml`, that file is wrong, or an address leads to another machine.
    """
    if isinstance(cluster, Cluster):
        return StartedCluster(cluster.cls, cluster.options)
    file = user_home() / "clusters.yaml"
    if is_name(cluster):
        return _owned(file, cluster)
    if not is_of_this_machine(cluster):
        raise ValueError(
            f"cluster must be a name where its scheduler is on another machine, got {cluster}; who answers there "
            f"can run code here: write `NAME: {cluster}` into {file}, and `cluster: NAME` into dataset.yaml"
        )
    return cluster


def _owned(file: Path, name: str) -> str | StartedCluster:
    """What `clusters.yaml` says of a cluster."""
    named = _read_clusters(file)
    if name not in named:
        raise ValueError(f"cluster must be a name in {file}, got {name!r}; known are {', '.join(named) or 'none'}")
    match named[name]:
        case str(address):
            return address
        case {"cls": str(cls), "options": dict(options), **rest} if not rest:
            return StartedCluster(cls, options)
    raise ValueError(f"{name} in {file} must be a scheduler's address or {{cls: CLASS, options: {{…}}}}")


def _read_clusters(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    if os.name == "posix" and file.stat().st_mode & stat.S_IWOTH:
        raise ValueError(f"{file} must be written by its owner alone, as it may name programs; run chmod o-w on it")
    values = load_yaml(read_regular(str(file), 4 * LARGEST_YAML).decode(errors="replace"), str(file)) or {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"{file} must hold clusters by name")
    return values
