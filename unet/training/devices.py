"""Where training computes: on one device in this process, or on several, each in a process of its own.

Lightning Fabric does devices, precision and the gradients' mean over processes. Processes are spawned, never forked,
which CUDA would not survive; this one waits for them, hands on what they report, and raises what they raise.

Rejected: `strategy="ddp"`, which starts the command line anew for every device, and so the whole flow; and processes of
a launcher around it (torchrun, Slurm's), since the other stages need only one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.multiprocessing as mp
from torch.multiprocessing.spawn import ProcessRaisedException

from unet.network.inference import choose_device
from unet.settings.train import Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # it brings torch's compiler: a second of a processor for who only reads

Progress = Callable[[int, int, str], None]
"""Told what is done, of how much, and a word."""
DeviceWork = Callable[["Fabric", Progress], bytes]
"""What each process does; it must be picklable where there are several, and what it returns is small or bytes."""
FABRIC_PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"float32": "32-true", "bf16": "bf16-mixed"}
"""What Fabric calls them; `bf16-mixed` keeps parameters, norms' statistics and the loss in float32."""

CPU_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What torch calls a CPU's own arithmetic in bfloat16; without it bfloat16 is slower than float32."""


def on_devices(training: Training, work: DeviceWork, progress: Progress) -> bytes:
    """Result of `work` in the first of `training.devices` processes; it runs in all of them at once.

    Raises:
        ValueError: there are fewer devices, or `work` raised it, in every process alike.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    device = choose_device(training.device)
    if device.type == "cuda" and training.devices > torch.cuda.device_count():
        raise ValueError(
            f"train.devices must be ≤ the GPUs of this machine, {torch.cuda.device_count()}, got {training.devices}; "
            "lower it"
        )
    fabric = Fabric(
        accelerator=device.type,
        devices=training.devices,
        strategy="ddp_spawn" if training.devices > 1 else "auto",
        precision=FABRIC_PRECISIONS[precision_on(device, training.precision)],
        plugins=[LightningEnvironment()],  # else Slurm's variables would have it wait for processes of Slurm's
    )
    return work(fabric, progress) if training.devices == 1 else _spawned(fabric, training.devices, work, progress)


def precision_on(device: torch.device, asked: Literal["auto", "float32", "bf16"]) -> Literal["float32", "bf16"]:
    """The precision that is asked for; of `auto`, bf16 where the device has arithmetic of it, which is twice as fast.

    >>> precision_on(torch.device("cpu"), "float32")
    'float32'
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not in torch before 2.10
    return "bf16" if any(known.get(name) for name in CPU_BF16) else "float32"


@contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Algorithms of a GPU's convolutions chosen by trying, which pays where all batches are of one size."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _spawned(fabric: "Fabric", devices: int, work: DeviceWork, progress: Progress) -> bytes:
    """Result of the first process; it comes by way of a file, as the launcher's own queue stalls on large values."""
    said, over, faults = mp.get_context("spawn").SimpleQueue(), Event(), list[Exception]()
    relay = Thread(target=_relay, args=(said, over, progress, faults), daemon=True)
    relay.start()
    threads = max(torch.get_num_threads() // devices, 1)
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "result"
            fabric.launch(partial(_one_of_many, work=work, said=said, path=path, threads=threads))
            return path.read_bytes()
    except ProcessRaisedException as error:
        _end(relay, over)
        if faults:
            raise faults[0] from error
        raise
    finally:
        _end(relay, over)


def _one_of_many(fabric: "Fabric", work: DeviceWork, said: Any, path: Path, threads: int) -> None:
    """Run in each process. One that fails says why, and ends; the launcher then ends the others, which wait for it."""
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    first = fabric.is_global_zero
    try:
        result = work(fabric, (lambda *words: said.put(words)) if first else (lambda *words: None))
    except (ValueError, LookupError) as error:
        said.put(error)
        raise
    if first:
        path.write_bytes(result)
    _leave(first)


def _leave(first: bool) -> None:
    """Leave the other processes in order; all but the first end at once, as nobody waits for their result.

    Left to the interpreter's end, threads of the process group now and then abort a process that had done its work.
    """
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    if not first:
        os._exit(0)


def _end_with_parent() -> None:
    """End this process once the one that started it is gone, killed perhaps: no other would ever stop it.

    Torch's own way is an interrupt, which processes that a shell put into the background do not hear.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _relay(said: Any, over: Event, progress: Progress, faults: list[Exception]) -> None:
    """Hand on what the first process reports, and keep what any of them failed of, until all of them have ended."""
    while not (over.wait(0.05) and said.empty()):
        while not said.empty():
            words = said.get()
            if isinstance(words, Exception):
                faults.append(words)
            else:
                progress(*words)


def _end(relay: Thread, over: Event) -> None:
    over.set()
    relay.join(timeout=10)  # what a process had half said as it ended would be waited for in vain
