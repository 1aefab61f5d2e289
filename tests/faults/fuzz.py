"""The long form of the fuzz, led by which lines are reached: `python -m tests.faults.fuzz [PARSER …] [--cases N]`.

Each parser runs in a process of its own, a line each in the end. What crashes, hangs or takes too much memory is kept
below `--to`, and `--again FILE` reads it once more.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.parsers import Parser


LONGEST = 10
"""Seconds of the processor's time that one case may take."""


def main() -> int:
    """One run of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "parsers", nargs="*", metavar="PARSER", help="all of `tests.faults.parsers` where none is named"
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--to", type=Path, default=Path("fuzz"))
    parser.add_argument("--again", type=Path, metavar="FILE")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    names = asked.parsers or list(parsers())
    if asked.again:
        with TemporaryDirectory() as folder:
            try_one(names[0], Path(folder), asked.again.read_bytes())
    elif asked.alone:
        fuzz(names[0], asked.cases, asked.to / names[0])
    else:
        return max(run(name, asked.cases, asked.to) for name in names)
    return 0


def parsers() -> "dict[str, Parser]":
    """All of them; imported late, so that they can be told which lines they reach."""
    from tests.faults.parsers import PARSERS

    return PARSERS


def run(name: str, cases: int, to: Path) -> int:
    """Fuzz a parser in a process of its own, and say how that ended."""
    (to / name).mkdir(parents=True, exist_ok=True)
    (to / name / "whole").write_bytes(parsers()[name].whole())
    begun, log = time.monotonic(), to / f"{name}.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "tests.faults.fuzz", name, "--cases", str(cases), "--to", str(to), "--alone"]
        status = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    how = "nothing uncaught" if status == 0 else f"status {status}, see {log}"
    print(f"{name}: {cases:,} cases, {time.monotonic() - begun:.0f} s, {how}", flush=True)
    return abs(status)


def fuzz(name: str, cases: int, corpus: Path) -> None:
    """Try so many cases; the process ends with this."""
    import atheris

    with atheris.instrument_imports(include=["tifffile", "unet"]):
        parsers()
    limits = ["-timeout=200", "-rss_limit_mb=2000", "-malloc_limit_mb=1000"]  # by the clock, which a busy machine slows
    with TemporaryDirectory() as folder:
        kept = f"-artifact_prefix={corpus.parent}/{name}-"
        arguments = [sys.argv[0], f"-runs={cases}", "-max_len=100000", "-verbosity=0", *limits, kept, str(corpus)]
        atheris.Setup(arguments, lambda content: try_one(name, Path(folder), content))
        atheris.Fuzz()


def try_one(name: str, folder: Path, content: bytes) -> None:
    """Read a file, or hear a sentence that names it."""
    from tests.faults.parsers import OURS

    parser, begun = parsers()[name], time.process_time()
    said = parser.name
    try:
        parser.read(folder, content)
    except OURS as error:
        said = str(error)
    assert time.process_time() - begun < LONGEST, f"{parser.name} took too long"
    assert parser.name in said, said
    assert len(said) < 3000, said


if __name__ == "__main__":
    sys.exit(main())
