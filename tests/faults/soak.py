"""The soak: `python -m tests.faults.soak FOLDER [--minutes 120] [--every 20] [--seed 0]`.

`serve` watches a small dataset below FOLDER; every few seconds a stack comes, and in between faults do, at random.
Then no more come, what was damaged is verified and mended, and all that came whole must be segmented. Memory and
descriptors of every process stand in FOLDER/samples.jsonl; their slopes are printed, which must be flat.
"""

import argparse
import io
import json
import os
import random
import re
import sched
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil
import tifffile

from flows.planning.plan import make_plan
from flows.server import address
from tests.conftest import QUICK, SAID, make_dataset
from tests.faults.growth import print_growth, take_samples
from tests.faults.test_damage import flip
from tests.flows.lab import free_port
from unet.dataset.arrivals import Memory, Sighting
from unet.dataset.folder import DRAFT
from unet.dataset.lease import LEASE
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger.fingerprint import sizes_and_times
from unet.ledger.results import image_of
from unet.store import ome
from unet.store.arrays import open_array

SAMPLE, FAULT, PATIENCE = 10, 20, 3600
"""Seconds between two samples and two faults, and seconds after which what is not taken never will be."""
QUIET = {"watch.quiet_seconds": 3, "watch.give_up_after_seconds": 60}
FAILED = re.compile(r"' - Encountered exception during execution: (?!SetAside)(.*)")
"""What ends a run and is not that a stack was set aside."""
SERVE = ("--watch", "0.2", "--cron", "*/15 * * * *")


class Soak:
    """A dataset that is served, what came into its source, and what was done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Make the dataset, all stages done."""
        self.folder, self.chance, self.begun = folder, random.Random(seed), time.monotonic()
        self.clock = sched.scheduler(time.monotonic, time.sleep)
        self.good: dict[str, Path] = {}
        self.done: Counter[str] = Counter()
        drawn = {name: draw_stack(planes=2, side=64, seed=i) for i, name in enumerate(("first", "second", "third"))}
        settings = {key.replace(".", "__"): value for key, value in (QUICK | QUIET).items()}
        self.dataset = make_dataset(folder, drawn, **settings)
        self.source = folder / "files/image"
        self.log, self.samples = folder / "serve.log", folder / "samples.jsonl"
        self.good |= {name: self.source / f"{name}.ome.tif" for name in drawn}
        assert self.command("reprocess").returncode == 0

    def say(self, what: str) -> None:
        """Print something, and when."""
        print(timedelta(seconds=round(time.monotonic() - self.begun)), what, flush=True)

    def command(self, verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """One of our commands on the dataset, run to its end."""
        line = [sys.executable, "-m", "flows.commands.app", verb, self.dataset.url, *words]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE)

    def begin_serving(self) -> None:
        """Start `serve`, and wait until it has its server."""
        line = [sys.executable, "-m", "flows.commands.app", "serve", self.dataset.url, "--port", str(free_port())]
        with self.log.open("wb") as log:
            self.serve = psutil.Popen([*line, *SERVE], stdout=log, stderr=log, start_new_session=True)
        while not address.server_file().exists():
            assert self.serve.poll() is None, self.log.read_text()
            time.sleep(0.5)
        self.server = psutil.Process(json.loads(address.server_file().read_text())["pid"])

    def runs(self) -> list[psutil.Process]:
        """Processes of runs, the newest last."""
        return [child for child in self.serve.children() if child != self.server]

    def drive(self, seconds: float, every: float) -> None:
        """Let stacks and faults come for so long, and wait until every stack that came whole was taken."""
        end = time.monotonic() + seconds
        self.repeat(every, self.put_stack, lambda: time.monotonic() < end)
        self.repeat(FAULT, self.do_harm, lambda: time.monotonic() < end)
        self.repeat(SAMPLE, self.sample, lambda: time.monotonic() < end or self.is_waiting(end + PATIENCE))
        self.clock.run()

    def repeat(self, seconds: float, action: Callable[[], None], is_going: Callable[[], bool]) -> None:
        """Do something now, and every so many seconds."""
        action()
        if is_going():
            self.clock.enter(seconds, 0, self.repeat, (seconds, action, is_going))

    def is_waiting(self, until: float) -> bool:
        """Whether a run has still to take what came; not for ever."""
        assert self.serve.poll() is None, f"serve ended: {self.log.read_text()[-2000:]}"
        seen = Memory.of((self.dataset / "watch.json").read_json()).files
        there = sizes_and_times([str(path) for path in self.good.values()])
        late = [path for path, facts in there.items() if path not in seen or not _is_taken(seen[path], facts)]
        assert time.monotonic() < until, f"never taken: {late}"
        return bool(late) or not self.clock.empty()

    def put_stack(self) -> None:
        """A microscope writes a stack; one in five is cut short at first."""
        name = f"stack-{len(self.good):04}"
        path = self.good[name] = self.source / f"{name}.ome.tif"
        file = io.BytesIO()
        image, _ = draw_stack(planes=2, side=64, seed=len(self.good))
        tifffile.imwrite(file, image, ome=True, metadata={"axes": "ZYX", **SAID})
        content = file.getvalue()
        if self.chance.random() < 0.2:
            path.write_bytes(content[: self.chance.randrange(len(content))])
            self.note("cut short", name)
            self.clock.enter(self.chance.uniform(5, 120), 0, path.write_bytes, (content,))
        else:
            path.write_bytes(content)

    def do_harm(self) -> None:
        """One fault, at random; none where what it is done to is being replaced just now."""
        kind = self.chance.choice(list(FAULTS))
        with suppress(FileNotFoundError, psutil.NoSuchProcess, IndexError):
            self.note(kind, FAULTS[kind](self))

    def note(self, kind: str, what: str) -> None:
        """Tell of a fault, and count it."""
        self.done[kind] += 1
        self.say(f"{kind}: {what.removeprefix(f'{self.folder}/')}")

    def any_of(self, *patterns: str) -> Path:
        """Some file of the dataset."""
        found = {path for pattern in patterns for path in Path(self.dataset.url).glob(pattern) if path.is_file()}
        return self.chance.choice(sorted(found))

    def sample(self) -> None:
        """Write down what each process takes now."""
        servers = [("server", self.server), ("serve", self.serve)]
        take_samples(self.samples, time.monotonic() - self.begun, servers, self.runs())

    def mend(self) -> Iterator[str]:
        """Verify and reprocess; what is wrong after that."""
        self.say(f"{len(self.damaged())} files are damaged")
        told = self.command("reprocess", "--wait")
        self.say(f"reprocess ends with status {told.returncode}: {(told.stdout + told.stderr).strip()[-200:]}")
        yield from self.damaged()

    def damaged(self) -> list[str]:
        """Files that `status --verify` names."""
        lines = self.command("status", "--verify").stderr.splitlines()
        return [line for line in lines if "damaged" in line or "missing" in line]

    def wrong_results(self) -> Iterator[str]:
        """Good stacks that are not segmented or not what came, what else was set aside, and what lies about."""
        plan = make_plan(self.dataset, read_record(self.dataset))
        for name, path in self.good.items():
            if plan.state("segment", name) != "fresh":
                yield f"{name} must be segmented, got {plan.statuses.get(('segment', name))}"
            elif not np.array_equal(open_array(ome.full_level(image_of(self.dataset, name)))[:], tifffile.imread(path)):
                yield f"{name} is not what came"
        yield from (f"set aside: {each}" for each in plan.set_aside() if not each.name.startswith("stranger"))
        yield from (f"to be made: {each}" for each in plan.pending())
        paths = (path.as_posix() for path in Path(self.dataset.url).rglob("*"))
        yield from (f"left: {path}" for path in paths if DRAFT.search(path) or path.endswith(LEASE))

    def end_serving(self) -> Iterator[str]:
        """Ctrl-C; what is wrong with how it ended."""
        self.serve.send_signal(signal.SIGINT)
        if status := self.serve.wait(120):
            yield f"serve must end with status 0, got {status}"
        psutil.wait_procs(_bearing_our_home(), 30)
        yield from (f"left: process {' '.join(process.cmdline())}" for process in _bearing_our_home())
        yield from (f"a run failed: {error}" for error in FAILED.findall(self.log.read_text()))


def lose_shard(soak: Soak) -> str:
    """A shard of scores or segments is removed."""
    path = soak.any_of("scores/**/c/**/[0-9]*", "images/*/labels/unet/**/c/**/[0-9]*")
    path.unlink()
    return str(path)


def flip_bit(soak: Soak) -> str:
    """A bit of an image, of scores, of segments or of a table is another."""
    path = soak.any_of("images/*/[0-9a-f]*/**/*", "images/*/labels/unet/**/*", "scores/**/*", "tables/**/*")
    path.write_bytes(flip(path.read_bytes(), soak.chance))
    return str(path)


def truncate_card(soak: Soak) -> str:
    """The metadata of segments, which say what was made, lose their end."""
    path = soak.any_of("images/*/labels/unet/zarr.json")
    path.write_bytes(path.read_bytes()[: soak.chance.randrange(1, path.stat().st_size)])
    return str(path)


def kill_run(soak: Soak) -> str:
    """A run is killed, and what it started lives on as it can."""
    run = soak.chance.choice(soak.runs())
    run.kill()
    return f"{run.pid}, {time.time() - run.create_time():.0f} s old"


def hold_server(soak: Soak) -> str:
    """The server stands still for some seconds, as on a machine that swaps."""
    seconds = soak.chance.uniform(2, 30)
    soak.server.suspend()
    soak.clock.enter(seconds, 0, soak.server.resume)
    return f"{seconds:.0f} s"


def put_stranger(soak: Soak) -> str:
    """What bears an image's name and is none: a pipe or a text."""
    path = soak.source / f"stranger-{soak.done['put stranger']:04}.ome.tif"
    if soak.chance.random() < 0.5:
        os.mkfifo(path)
    else:
        path.write_text("to whom it may concern\n" * soak.chance.randrange(100))
    return str(path)


FAULTS: dict[str, Callable[[Soak], str]] = {
    each.__name__.replace("_", " "): each
    for each in (lose_shard, flip_bit, truncate_card, kill_run, hold_server, put_stranger)
}


def _is_taken(sighting: Sighting, facts: tuple[int, int]) -> bool:
    return sighting.taken and (sighting.size, sighting.changed) == facts


def _bearing_our_home() -> list[psutil.Process]:
    """Every process that was started with our home, whosever child it is by now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("UNET_FLOWS_HOME") == os.environ["UNET_FLOWS_HOME"] and process.pid != os.getpid():
                found.append(process)
    return found


def main() -> int:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new one")
    parser.add_argument("--minutes", type=float, default=120, help="for how long stacks and faults come")
    parser.add_argument("--every", type=float, default=20, help="seconds between two stacks")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    for key in [key for key in os.environ if key.startswith("PREFECT_")]:
        del os.environ[key]
    os.environ["UNET_FLOWS_HOME"] = str(asked.folder.absolute() / "home")
    soak = Soak(asked.folder.absolute(), asked.seed)
    soak.begin_serving()
    try:
        soak.drive(asked.minutes * 60, asked.every)
        wrong = [*soak.mend(), *soak.end_serving(), *soak.wrong_results()]
    finally:
        for process in _bearing_our_home():
            process.kill()
    print_growth(soak.samples)
    print(f"{len(soak.good)} stacks;", ", ".join(f"{kind} {count}" for kind, count in sorted(soak.done.items())))
    print("\n".join(wrong) or "all are segmented, and nothing is left")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
