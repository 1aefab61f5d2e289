"""Processes that are watched: what they take, how that grows once they are warm, and which there are."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

Process = psutil.Process


def take_samples(file: Path, seconds: float, processes: Iterable[tuple[str, Process]], runs: Iterable[Process]) -> None:
    """Add a line of JSON for each process and each run, a run with all that it started."""
    families = [(who, process, [process]) for who, process in processes]
    for run in runs:
        with suppress(psutil.Error):  # it has just ended
            families.append(("runs", run, [run, *run.children(recursive=True)]))
    with file.open("a") as lines:
        for who, process, family in families:
            with suppress(psutil.Error):
                figures = {
                    "bytes": sum(each.memory_info().rss for each in family),
                    "descriptors": sum(each.num_fds() for each in family),
                }
                line = {"seconds": round(seconds, 1), "who": who, "pid": process.pid, **figures}
                lines.write(json.dumps(line) + "\n")


def print_growth(file: Path) -> None:
    """Print first, last and largest figures of each kind of process, and their slope over the second half."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    print(f"{'':20}{'of':>5}{'first':>8}{'last':>8}{'max':>8}{'an hour':>10}")
    for who in dict.fromkeys(line["who"] for line in lines):
        times, memory, descriptors = series([line for line in lines if line["who"] == who])
        for what, values in (("MB", memory / 1e6), ("descriptors", descriptors)):
            first, last, most = values[0], values[-1], values.max()
            print(f"{who:8}{what:12}{len(times):5}{first:8.0f}{last:8.0f}{most:8.0f}{slope(times, values):+10.1f}")


def series(lines: list[dict[str, float]]) -> np.ndarray:
    """Seconds, bytes and descriptors of samples; of runs, when each was first seen and the most that it took."""
    rows: dict[float, list[float]] = {}
    for number, line in enumerate(lines):
        row = [line["seconds"], line["bytes"], line["descriptors"]]
        key = line["pid"] if line["who"] == "runs" else -number
        rows[key] = [rows[key][0], *map(max, rows[key][1:], row[1:])] if key in rows else row
    return np.array(list(rows.values())).T


def slope(times: np.ndarray, values: np.ndarray) -> float:
    """Growth an hour, by least squares over the second half; times in seconds.

    >>> round(slope(np.array([0, 3600, 7200, 10800]), np.array([9, 0, 1, 2])), 6)
    1.0
    """
    warm = times >= times.mean()
    return float(np.polyfit(times[warm] / 3600, values[warm], 1)[0]) if warm.sum() > 1 else 0.0


def started_with(key: str, value: str) -> list[Process]:
    """Processes in whose environment this stood when they were started, whosever child they are by now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(key) == value:
                found.append(process)
    return found
