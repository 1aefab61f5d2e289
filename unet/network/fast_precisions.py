"""Which half precisions a device has arithmetic of, and which of them are faster there than float32.

What torch has fast kernels for is asked; whether they pay is measured, within a second, once for each machine. A CPU
with AVX-512 but without its bfloat16 has the kernels and gains nothing, and an old GPU is slower in float16. The times
lie in the per-user place and are part of no result: a numeric plan holds what was chosen by them. Remove the file, and
they are taken anew.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch

from unet.dataset.folder import Folder
from unet.dataset.safe_load import load_json
from unet.dataset.user_place import user_home
from unet.images.windows import Window
from unet.ledger.stamp import digest
from unet.network.inference import PRECISIONS, Predictor, ready_to_predict
from unet.network.numeric_plan import Precision, block_on
from unet.network.unet import UNet
from unet.settings.architecture import Architecture

FILE = "precisions.json"
"""In the per-user place: by machine, how many times as fast as float32 each precision is."""
FASTER = 1.15
"""Times as fast as float32 from which on a precision is faster; less may be the machine's mood."""
HALVES: tuple[Precision, ...] = ("float16", "bf16")
"""The finer one first: of two that are as fast it is taken."""
TRIED = Architecture(base=32, depth=2, padding="same")
SIDE = 256
"""Network, and side in pixels of a window, that time is taken with."""
ROUNDS = 5
"""Passes of each precision, in turns, of which the shortest counts."""


def own_precisions(device: str) -> tuple[Precision, ...]:
    """Half precisions that a kind of device has arithmetic of, the finer one first."""
    if device == "cuda":
        return HALVES if torch.cuda.is_bf16_supported(including_emulation=False) else ("float16",)
    known: Any = torch.ops.mkldnn
    asked = {"float16": "_is_mkldnn_fp16_supported", "bf16": "_is_mkldnn_bf16_supported"}
    return tuple(half for half in HALVES if _is_said(getattr(known, asked[half], None)))


def _is_said(ask: Callable[[], bool] | None) -> bool:
    """What torch answers; a build that does not know the question has nothing."""
    with suppress(RuntimeError):
        return bool(ask and ask())
    return False


def fast_precisions(device: str) -> tuple[Precision, ...]:
    """Precisions that are faster than float32 on a kind of device of this machine, the fastest first.

    A machine's times are taken once; where a device has no other arithmetic, no time is taken.
    """
    own = own_precisions(device)
    if not own:
        return ()
    file, machine = Folder(str(user_home())) / FILE, _machine(device)
    times = _kept(file)
    gains = times.get(machine)
    if not isinstance(gains, dict) or not all(isinstance(gains.get(half), int | float) for half in own):
        gains = {half: round(gain, 2) for half, gain in measured_gains(device, own).items()}
        with suppress(OSError):  # it is taken again then
            file.write_json({**times, machine: gains})
    return by_gain({half: gains[half] for half in own})


def by_gain(gains: Mapping[Precision, float]) -> tuple[Precision, ...]:
    """Those that are faster, the fastest first; of two that are as fast, to a tenth, the first.

    >>> by_gain({"float16": 1.92, "bf16": 1.94}), by_gain({"float16": 0.4, "bf16": 1.7})
    (('float16', 'bf16'), ('bf16',))
    """
    return tuple(sorted((half for half, gain in gains.items() if gain >= FASTER), key=lambda h: -round(gains[h], 1)))


def measured_gains(device: str, halves: tuple[Precision, ...]) -> dict[Precision, float]:
    """How many times as fast as float32 each precision is here."""
    passes = {each: _one_pass(device, each) for each in ("float32", *halves)}
    shortest = dict.fromkeys(passes, float("inf"))
    for _ in range(ROUNDS):
        for each, run in passes.items():
            shortest[each] = min(shortest[each], _seconds(run))
    return {half: shortest["float32"] / shortest[half] for half in halves}


def _one_pass(device: str, precision: Precision) -> Callable[[], object]:
    """A prediction of one window as the stage makes it, warm: its first pass is made."""
    place, threads = torch.device(device), torch.get_num_threads()
    network = ready_to_predict(UNet(TRIED).eval(), place, PRECISIONS[precision])
    predictor = Predictor(
        network, (SIDE, SIDE), block_on(device, TRIED, (SIDE, SIDE), threads), torch.uint8, threads=threads
    )
    window = Window(0, 0, SIDE, SIDE)
    around = predictor.reading(window)
    pixels = torch.zeros(1, 1, around.height, around.width, device=place)

    def run() -> object:
        return predictor.predict(pixels, around, window).values.cpu()  # which waits for a GPU

    run()
    return run


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return max(time.perf_counter() - start, 1e-9)


def _machine(device: str) -> str:
    """What stands for the device, the threads and the torch that time is taken with."""
    known: Any = getattr(torch.cpu, "get_capabilities", dict)()
    name = torch.cuda.get_device_name() if device == "cuda" else str(known.get("cpu_name", "CPU"))
    return f"{name} {digest([device, torch.get_num_threads(), torch.__version__, sorted(map(str, known.items()))])}"


def _kept(file: Folder) -> dict[str, Any]:
    """Times that were taken before; nothing where the file is not there, or damaged."""
    with suppress(OSError, ValueError):
        content = file.read()
        found: Any = load_json(content, file.url) if content else {}
        return found if isinstance(found, dict) else {}
    return {}
