"""Law of deployments/README.md: what it says to type is there, verb by verb and option by option, file by file."""

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deployments/README.md").read_text("utf-8")
BLOCKS = [block.splitlines() for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)]
OUR_TOOLS = ("unet-flows", "prefect", "docker", "kubectl", "sbatch")


def commands():
    """Words of each command of the page: of its blocks, and of its sentences where one begins with a tool's name."""
    lines = [line for block in BLOCKS for line in block]
    lines += [said for said in re.findall(r"`([^`\n]+)`", PAGE) if said.split()[0] in OUR_TOOLS and " " in said]
    for line in lines:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] in OUR_TOOLS:
            yield words
            if words[0] == "docker" and (inner := _inner(words)):
                yield inner


def _inner(words):
    """The command within a container, where one is run there."""
    at = next((n for n, word in enumerate(words) if word in OUR_TOOLS and n), None)
    return words[at:] if at else None


def of(tool):
    return [words for words in commands() if words[0] == tool]


HELP = """
import contextlib, io, json, sys
if sys.argv[1] == "prefect":
    from prefect.cli import app
else:
    from flows.commands.app import main as app
said = {}
for verb in json.loads(sys.argv[2]):
    sys.argv = [sys.argv[0], *verb.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        app()
    said[verb] = told.getvalue()
json.dump(said, sys.stdout)
"""


def verb_of(words):
    """The verb of a command, of one word or two."""
    return " ".join(words[1:3] if words[0] == "prefect" and words[1] != "deploy" else words[1:2])


@cache
def help_of(tool):
    """What Prefect's or our command line says of each verb that the page names, by one process."""
    verbs = json.dumps(sorted({verb_of(plain(words)) for words in of(tool)}))
    ended = subprocess.run(
        [sys.executable, "-c", HELP, tool, verbs], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(ended.stdout)


def plain(words):
    return [word for word in words if word != "--no-prompt"]  # goes before any verb


def options(words):
    return [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]


def test_the_page_has_commands_of_every_kind():
    assert {tool for tool in OUR_TOOLS if of(tool)} == set(OUR_TOOLS)


@pytest.mark.parametrize("words", of("unet-flows"), ids=" ".join)
def test_verbs_and_options_of_ours_are_there(words):
    said = help_of("unet-flows")[verb_of(words)]
    assert "Usage" in said
    assert [option for option in options(words[2:]) if not re.search(rf"{option}\b", said)] == []


@pytest.mark.parametrize("words", of("prefect"), ids=" ".join)
def test_verbs_and_options_of_prefect_are_there(words):
    words = plain(words)
    said = help_of("prefect")[verb_of(words)]
    assert "Usage" in said
    assert [option for option in options(words) if not re.search(rf"(?<!\S){option}\b", said)] == []


@pytest.mark.parametrize("words", of("docker"), ids=" ".join)
def test_docker_is_told_of_services_that_are_there(words):
    assert words[1:4] == ["compose", "-f", "deployments/compose.yaml"]
    services = yaml.safe_load((ROOT / words[3]).read_text("utf-8"))["services"]
    rest = words[4:]
    if rest[0] == "--profile":
        assert rest[1] in {profile for each in services.values() for profile in each.get("profiles", ())}
        rest = rest[2:]
    assert rest[0] in ("up", "exec", "run", "logs")
    named = [word for word in rest[1:] if not word.startswith("-")]
    assert named[:1] == [] or named[0] in services


def test_all_files_it_names_are_there():
    named = re.findall(r"\b(?:deployments/)?((?:kubernetes|slurm)/[\w*]+(?:\.\w+)?|\w+\.yaml|Dockerfile)\b", PAGE)
    folders = (ROOT / "deployments", ROOT / "deployments/kubernetes", ROOT)
    elsewhere = {"dataset.yaml", "clusters.yaml"}  # of each dataset, and of each user
    missing = [name for name in set(named) - elsewhere if not any(list(folder.glob(name)) for folder in folders)]
    assert missing == []


def test_what_docker_wants_to_be_told_is_what_the_page_says():
    compose = (ROOT / "deployments/compose.yaml").read_text("utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", compose))
    (said,) = [block for block in BLOCKS if block[0].startswith("POSTGRES_PASSWORD")]
    assert {line.split("=")[0] for line in said} == required
    assert "UNET_FLOWS_USER" in compose
