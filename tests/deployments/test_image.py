"""Laws of the image: its file is sound, what it copies is there, its install works, and it runs as nobody special.

Without Docker at hand, a parser of Docker's own reads the file, and what matters of its RUN lines is run here.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import dockerfile
import pytest

from flows.server import address

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deployments/Dockerfile"
LINES = dockerfile.parse_file(str(FILE))
INSTALL = next(n for n, line in enumerate(LINES) if line.cmd == "RUN" and "pip install" in line.value[0])
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def all_of(command):
    return [line.value for line in LINES if line.cmd == command]


def environment():
    (words,) = all_of("ENV")
    return dict(zip(words[::2], words[1::2], strict=True))


def arguments():
    return dict(each.split("=", 1) for (each,) in all_of("ARG"))


def test_hadolint_finds_nothing():
    subprocess.run([shutil.which("hadolint", path=TOOLS), FILE], check=True, timeout=60)


def test_all_that_is_copied_is_there_and_is_sent_to_docker():
    sent = {line[1:] for line in FILE.with_name("Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {source for *sources, _ in all_of("COPY") for source in sources}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {source.split("/")[0] for source in copied} == sent


def test_packages_are_installed_before_our_code_is_copied():
    """Or a changed line of ours would install gigabytes again."""
    copied_before = {source for line in LINES[:INSTALL] if line.cmd == "COPY" for source in line.value[:-1]}
    assert copied_before == {"pyproject.toml", "constraints.txt", "README.md", "deployments/prefect.yaml"}
    assert {"flows", "tasks", "unet"} <= {
        source for line in LINES[INSTALL:] if line.cmd == "COPY" for source in line.value
    }


@pytest.fixture
def built(tmp_path, monkeypatch):
    """What lies in the image's folder as packages are installed, and the words of the command that installs them."""
    for line in LINES[:INSTALL]:
        for source in line.value[:-1] if line.cmd == "COPY" else ():
            place = tmp_path / line.value[-1] / Path(source).name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    made, _, installed = LINES[INSTALL].value[0].rpartition("&&")
    subprocess.run(made, shell=True, cwd=tmp_path, check=True, timeout=60)
    text = re.sub(r"\$\{(\w+)\}", lambda found: arguments()[found[1]], installed)
    words = shlex.split(text)
    assert words[:2] == ["pip", "install"]
    words.remove("--no-cache-dir")
    at = words.index("--extra-index-url")
    assert words[at : at + 2] == ["--extra-index-url", arguments()["TORCH_INDEX"]]
    return tmp_path, [sys.executable, "-m", "pip", *words[1:at], *words[at + 2 :]]


def test_what_is_installed_is_what_the_constraints_say_and_all_of_it_is_there(built):
    """In an environment that `make install` made nothing is missing, or other, but for ourselves."""
    folder, command = built
    said = subprocess.run(
        [*command, "--dry-run", "--report", "-", "-q"],
        cwd=folder, check=True, capture_output=True, text=True, timeout=300,
    ).stdout  # fmt: skip
    assert re.findall(r'"name": "([\w.-]+)",\s+"version"', said) or "unet-flows" in said
    names = re.findall(r'"metadata": \{.*?"name": "([\w.-]+)"', said, re.DOTALL)
    assert names == ["unet-flows"]


def test_our_code_is_found_where_it_is_copied_to_afterwards(built):
    """In an environment of its own: `--prefix` would take us out of the one that runs this test."""
    folder, (python, _, _, *words) = built  # PYTHON -m pip install …
    subprocess.run([python, "-m", "venv", "--without-pip", "there"], cwd=folder, check=True, timeout=60)
    pip = [python, "-m", "pip", "--python", "there/bin/python"]
    subprocess.run([*pip, *words, "--no-deps"], cwd=folder, check=True, capture_output=True, timeout=300)
    for room in ("flows", "tasks", "unet"):
        (folder / room / "__init__.py").write_text(f"copied = {room!r}")
    asked = "import flows, tasks, unet; print(flows.copied, tasks.copied, unet.copied)"
    said = subprocess.run(
        [folder / "there/bin/python", "-c", asked], cwd="/", check=True, capture_output=True, timeout=60
    )
    assert said.stdout == b"flows tasks unet\n"
    assert (folder / "there/bin/unet-flows").exists()


def test_extras_are_those_of_the_project():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(arguments()["EXTRAS"].split(",")) <= set(extras)


def test_it_runs_as_a_user_without_rights_in_places_that_any_user_may_write():
    assert all_of("USER") == [("1000:1000",)]
    made = next(value for (value,) in all_of("RUN") if "install -d" in value)
    writable = shlex.split(made.split("install -d -m 1777")[1])
    assert environment()["HOME"] in writable
    assert environment()["PREFECT_UI_STATIC_DIRECTORY"] in writable
    assert environment()["PREFECT_HOME"].startswith(environment()["HOME"])


def test_it_says_what_every_command_of_ours_says_to_prefect_and_no_secret():
    said = environment()
    wanted = ("DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED", "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW")
    assert {key: said[key] for key in wanted} == {key: address.SETTINGS[key] for key in wanted}
    assert sorted(said["PREFECT_LOGGING_EXTRA_LOGGERS"].split(",")) == ["flows", "tasks", "unet"]
    assert not [key for key in [*said, *arguments()] if re.search("PASSWORD|SECRET|TOKEN|AUTH|KEY", key)]
