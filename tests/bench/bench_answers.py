"""How long a person waits for an answer when there is nothing to do: medians of whole processes, in seconds."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from unet.dataset.folder import Dataset
from unet.dataset.record_file import write_record
from unet.settings.ingest import Source

RUNS = 5
COMMAND = [sys.executable, "-m", "flows.commands.app"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset of drawn stacks, ingested, so that planning reads stamps."""
    from flows.planning.plan import make_plan
    from tasks.ingest import ingest_stack
    from unet.dataset.record_file import read_record
    from unet.images.synthetic import write_dataset

    folder = tmp_path_factory.mktemp("bench")
    write_dataset(folder / "microscope", small=True)
    place = Dataset(str(folder / "dataset"))
    write_record(place, [Source(str(folder / "microscope/stacks/image"))])
    record = read_record(place)
    for stack in make_plan(place, record).stacks.values():
        ingest_stack(place, stack, record.ingest)
    return place.url


@pytest.mark.parametrize("verb", [["--help"], ["status"], ["reprocess"]])
def test_seconds_to_an_answer(verb: list[str], dataset: str) -> None:
    arguments = verb if verb == ["--help"] else [*verb, dataset]
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        answer = subprocess.run([*COMMAND, *arguments], capture_output=True, check=False, cwd=Path.cwd())
        times.append(time.perf_counter() - began)
        assert answer.returncode == 0, answer.stderr
    print(f"\nunet-flows {' '.join(verb)}: {median(times):.2f} s ({min(times):.2f} – {max(times):.2f})")


def test_seconds_to_import_the_library() -> None:
    code = "import time; began = time.perf_counter(); import unet; print(time.perf_counter() - began)"
    answers = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(RUNS)]
    times = [float(answer.stdout) for answer in answers]
    print(f"\nimport unet: {median(times):.3f} s ({min(times):.3f} – {max(times):.3f})")
