"""Every command and example that the README shows is run, in its order, in one folder; it prints what is shown."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command

from flows.commands.app import app
from unet.settings.renamed import RENAMED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
MAKE = {"make demo": "unet-flows demo --small"}
"""What stands in for a command that would take minutes."""


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command in the README's console blocks, and the lines that it shows below it; and each block of Python."""
    for language, block in re.findall(r"```(console|python)\n(.*?)```", README, re.DOTALL):
        if language == "python":
            yield f"python -c {shlex.quote(block)}", []
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield command, shown


def test_every_make_target_of_the_readme_is_one() -> None:
    targets = set(re.findall(r"`make ([a-z-]+)", README)) | {c.split()[1] for c, _ in commands() if c[:4] == "make"}
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_path_of_a_page_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert [path for path in re.findall(r"\]\(([^)#:]+)\)", text) if not (ROOT / path).exists()] == []


def test_every_verb_and_option_of_the_readme_is_there() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    ours = [shlex.split(command, comments=True) for command, _ in commands() if command.startswith("unet-flows")]
    assert ours
    for _, verb, *words in ours:
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.prefect
def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "UNET_FLOWS_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
    for command, shown in commands():
        if command.startswith("make") and command not in MAKE:
            continue  # it would run this test again
        run = MAKE.get(command, command)
        answer = subprocess.run(
            run, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert answer.returncode == 0, f"{run}\n{answer.stdout}\n{answer.stderr}"
        assert "Traceback" not in answer.stderr
        said = {_kind(line) for line in answer.stdout.splitlines()}
        assert [line for line in shown if line != "…" and _kind(line) not in said] == [], answer.stdout
    shutil.rmtree(tmp_path)


def _kind(line: str) -> str:
    """A line with its numbers, and how they are padded, left out."""
    return " ".join(re.sub(r"[\d.,]+|nan", "#", line).split())


def test_the_citation_is_valid_and_of_this_version() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    subprocess.run([*check, "CITATION.cff"], cwd=ROOT, check=True, capture_output=True)
    assert f"\nversion: {version('unet-flows')}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_changelog_names_every_setting_that_was_renamed() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for section, names in RENAMED.items():
        inner = section.partition(".")[2]
        for old, new in names.items():
            assert f"`{inner and inner + '.'}{old}` → `{inner and inner + '.'}{new}`" in text
