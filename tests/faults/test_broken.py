"""Law of broken files: each gives one sentence that says which file it is, in bounded time and memory.

Whatever of a broken file is read is what the whole one holds: never a shorter stack, never zeros.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.broken import broken_files
from tests.faults.parsers import KINDS

MEMORY = 2**30
WHOLE = 600
"""Seconds for all of them on a machine that does other things, too."""


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """What is heard of each file, in a process of its own: by its place, why, what was read, bytes."""
    folder = tmp_path_factory.mktemp("broken")
    files = [str(file) for file in broken_files(folder)]
    for name, whole in KINDS.items():
        (folder / "whole" / name).mkdir(parents=True)
        (folder / "whole" / name / name).write_bytes(whole())
        files.append(str(folder / "whole" / name / name))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.faults.broken"]
    done = subprocess.run(
        command, input="\n".join(files), capture_output=True, text=True, check=True, cwd=root, timeout=WHOLE
    )
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == files
    return {str(Path(file).relative_to(folder)): rest for file, *rest in lines}


def of_broken(heard):
    return {file: rest for file, rest in heard.items() if not file.startswith("whole")}


def test_there_are_many(heard):
    assert len(of_broken(heard)) >= 100
    assert all(not why and read for file, (why, read, _) in heard.items() if file.startswith("whole"))


def test_each_gives_one_sentence_that_names_its_file(heard):
    for file, (why, _, _) in of_broken(heard).items():
        place = Path(file).parts[0]
        assert why.startswith(("ValueError: ", "LookupError: ", "OSError: ")) or not why, (file, why)
        assert place in why or not why, (file, why)
        assert "\n" not in why, (file, why)
        assert len(why) < 800, (file, why)


def test_what_is_read_of_one_is_what_the_whole_one_holds(heard):
    read = {file: found for file, (why, found, _) in of_broken(heard).items() if not why}
    for file, found in read.items():
        assert found == heard[f"whole/{Path(file).name}/{Path(file).name}"][1], file
    assert len(read) < len(of_broken(heard)) / 10, sorted(read)


def test_none_takes_much_memory(heard):
    for file, (_, _, memory) in heard.items():
        assert memory < MEMORY, (file, memory)
