"""The machine is told by what Linux says of it, and nothing fails where it says nothing."""

import os
import subprocess
import sys

import pytest

from tests.bench import measure

SAID = """processor	: 0
model name	: Some CPU @ 2.0
flags		: fpu avx2 avx512f avx512_bf16

processor	: 1
model name	: another
flags		: avx512_vnni
"""


def test_a_cpu_its_caches_and_its_instructions_are_told(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(SAID, "utf-8")
    for number, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "32K"), ("3", "Unified", "8M")]
    ):
        folder = tmp_path / f"cache/index{number}"
        folder.mkdir(parents=True)
        for name, value in {"level": level, "type": kind, "size": size, "shared_cpu_list": "0-1"}.items():
            (folder / name).write_text(f"{value}\n", "utf-8")
    monkeypatch.setattr(measure, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(measure, "CACHES", tmp_path / "cache")
    first, caches, instructions, torch = measure.machine().splitlines()
    assert first.startswith("CPU: Some CPU @ 2.0, ")
    assert caches == "caches: L1 32K of CPU 0-1, L3 8M of CPU 0-1"
    assert "avx512_bf16 yes, avx512_vnni no" in instructions
    assert torch.startswith("torch 2")


def test_nothing_is_known_where_linux_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(measure, "CACHES", tmp_path / "none")
    assert "caches: not known\ninstructions: avx2 no" in measure.machine()


@pytest.mark.parametrize(("asked", "threads"), [("tests", "1"), ("python_files=bench_*.py", "None")])
def test_benches_take_all_cores_though_tests_take_one(asked, threads):
    """Else every figure of several cores would be one of a single one, and nothing would tell."""
    code = f"import os, sys; sys.argv = ['pytest', {asked!r}]; import tests.conftest; "
    code += "print(os.environ.get('OMP_NUM_THREADS'))"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [threads]
