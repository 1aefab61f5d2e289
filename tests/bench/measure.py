"""What every bench measures: seconds of a piece of work, a process's memory at its peak, and on which machine."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "sve")
"""Instructions by which a CPU's rate at a network's arithmetic is known, as Linux names them."""


def seconds(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak() -> float:
    """GB of this process at its peak; not ru_maxrss, which a new process takes over from its parent."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def machine() -> str:
    """Lines that say on what a figure was measured: the CPU, its caches and instructions, its load, and torch's build.

    A figure without them is of no use on another machine: a network's rate follows the instructions, and what blocks of
    it gain follows the caches.
    """
    import torch

    facts = _cpu_facts()
    known = set(facts.get("flags", facts.get("Features", "")).split())
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    instructions = ", ".join(f"{name} {'yes' if name in known else 'no'}" for name in FLAGS)
    return "\n".join([
        f"CPU: {facts.get('model name', platform.machine())}, {os.cpu_count()} cores, load {load}",
        f"caches: {', '.join(_caches()) or 'not known'}",
        f"instructions: {instructions}",
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}, "
        f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}, MKL "
        f"{'on' if torch.backends.mkl.is_available() else 'off'}; "
        f"GPU: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}",
    ])  # fmt: skip


def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first CPU; nothing elsewhere."""
    if not CPU_INFO.exists():
        return {}
    first = CPU_INFO.read_text("utf-8").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _caches() -> list[str]:
    """Sizes of the first CPU's caches, each with the CPUs that share it; none where Linux does not say."""
    found = []
    for cache in sorted(CACHES.glob("index*")):
        level, kind, size, shared = (
            (cache / name).read_text("utf-8").strip() for name in ("level", "type", "size", "shared_cpu_list")
        )
        if kind != "Instruction":
            found.append(f"L{level} {size} of CPU {shared}")
    return found
