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
from tests.conftest import QUICK, SAID, make_dataset
from tests.faults.processes import print_growth, started_with, take_samples
from tests.faults.test_damage import flip
from tests.flows.lab import Lab, until
from unet.dataset.folder import DRAFT
from unet.dataset.lease import LEASE
from unet.dataset.record_file import read_record
from unet.images.synthetic import draw_stack
from unet.ledger.fingerprint import sizes_and_times
from unet.ledger.results import image_of
from unet.sources.arrivals import Memory
from unet.store import ome
from unet.store.arrays import open_array

SAMPLE, FAULT, PATIENCE = 10, 20, 3600
"""Seconds between two samples and two faults, and seconds after which what is not taken never will be."""
FAILED = re.compile(r"' - Encountered exception during execution: (?!SetAside)(.*)")
"""What ends a run and is not that a stack was set aside."""
QUIET = {"watch.quiet_seconds": 3, "watch.give_up_after_seconds": 60}
HOME = "UNET_FLOWS_HOME"
SERVE = ("--watch", "0.2", "--cron", "*/15 * * * *")


class Soak:
    """A dataset that is served, what came into its source, and what was done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Make the dataset, all stages done."""
        self.lab, self.chance, self.begun = Lab(folder), random.Random(seed), time.monotonic()
        self.clock = sched.scheduler(time.monotonic, time.sleep)
        self.good: dict[str, Path] = {}
        self.done: Counter[str] = Counter()
        drawn = {name: draw_stack(planes=2, side=64, seed=i) for i, name in enumerate(("first", "second", "third"))}
        settings = {key.replace(".", "__"): value for key, value in (QUICK | QUIET).items()}
        self.dataset = make_dataset(folder, drawn, **settings)
        self.source, self.samples, self.log = (folder / of for of in ("files/image", "samples.jsonl", "serve.log"))
        self.good |= {name: self.source / f"{name}.ome.tif" for name in drawn}
        self.lab.run("reprocess", self.dataset.url)

    def say(self, what: str) -> None:
        """Print something, and when."""
        print(timedelta(seconds=round(time.monotonic() - self.begun)), what, flush=True)

    def begin_serving(self) -> None:
        """Start `serve`, and wait until it has its server."""
        words = ("serve", self.dataset.url, "--port", self.lab.port, *SERVE)
        self.serve, card = self.lab.start("flows.commands.app", *words), self.lab.home / "server.json"
        until(card.exists, PATIENCE, "a server")
        self.server = psutil.Process(json.loads(card.read_text())["pid"])

    def runs(self) -> list[psutil.Process]:
        """Processes of runs."""
        return [child for child in psutil.Process(self.serve.pid).children() if child != self.server]

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

    def is_waiting(self, deadline: float) -> bool:
        """Whether a run has still to take what came; not for ever."""
        assert self.serve.poll() is None, f"serve ended: {self.log.read_text()[-2000:]}"
        there = sizes_and_times([str(path) for path in self.good.values()])
        late = Memory.of((self.dataset / "watch.json").read_json()).updated(there, now=0).new()
        assert time.monotonic() < deadline, f"never taken: {late}"
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
        self.say(f"{kind}: {what.removeprefix(f'{self.lab.folder}/')}")

    def any_of(self, *patterns: str) -> Path:
        """Some file of the dataset."""
        found = {path for pattern in patterns for path in Path(self.dataset.url).glob(pattern) if path.is_file()}
        return self.chance.choice(sorted(found))

    def sample(self) -> None:
        """Write down what each process takes now."""
        servers = [("server", self.server), ("serve", psutil.Process(self.serve.pid))]
        take_samples(self.samples, time.monotonic() - self.begun, servers, self.runs())

    def mend(self) -> Iterator[str]:
        """Verify and reprocess; what is damaged after that."""
        self.say(f"{len(self.damaged())} files are damaged")
        told = self.lab.run("reprocess", self.dataset.url, "--wait", check=False)
        self.say(f"reprocess ends with status {told.returncode}: {(told.stdout + told.stderr).strip()[-200:]}")
        yield from self.damaged()

    def damaged(self) -> list[str]:
        """Files that `status --verify` names."""
        lines = self.lab.run("status", self.dataset.url, "--verify", check=False).stderr.splitlines()
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
        left = psutil.wait_procs(started_with(HOME, str(self.lab.home)), 30)[1]
        yield from (f"left: process {' '.join(process.cmdline())}" for process in left)
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


def main() -> int:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new one")
    parser.add_argument("--minutes", type=float, default=120, help="for how long stacks and faults come")
    parser.add_argument("--every", type=float, default=20, help="seconds between two stacks")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    soak = Soak(asked.folder.absolute(), asked.seed)
    try:
        soak.begin_serving()
        soak.drive(asked.minutes * 60, asked.every)
        wrong = [*soak.mend(), *soak.end_serving(), *soak.wrong_results()]
    finally:
        for process in started_with(HOME, str(soak.lab.home)):
            process.kill()
    print_growth(soak.samples)
    print(f"{len(soak.good)} stacks;", ", ".join(f"{kind} {count}" for kind, count in sorted(soak.done.items())))
    print("\n".join(wrong) or "all are segmented, and nothing is left")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
