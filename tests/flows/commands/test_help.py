"""Every verb explains itself, in the words of its flow, at once."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows.commands.app import app, first_line
from unet.ledger.outcome import STAGES

VERBS = sorted(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_its_options(verb):
    answer = CliRunner().invoke(app, [verb, "--help"])
    assert answer.exit_code == 0
    command = get_command(app).commands[verb]  # type: ignore[attr-defined]
    assert all(parameter.help for parameter in command.params)
    assert command.help.endswith(".")


@pytest.mark.parametrize("verb", [*STAGES, "reprocess", "reproduce", "demo", "serve"])
def test_the_first_line_of_help_is_that_of_the_flow(verb):
    answer = CliRunner().invoke(app, [verb, "--help"])
    module = {"demo": "commands.demo", "serve": "server.serve"}.get(verb, verb)
    assert " ".join(first_line(module).split()) in " ".join(answer.output.split())


def test_help_imports_nothing_heavy():
    heavy = ["numpy", "torch", "zarr", "dask", "prefect", "distributed"]
    code = f"""
import sys
from importlib.metadata import version
from flows.commands.app import main
sys.argv = ["unet-flows", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == "[]"
    assert "reprocess" in answer.stdout


def test_the_version_is_that_of_the_package_and_a_verb_takes_h():
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"unet-flows {version('unet-flows')}\n")
    assert CliRunner().invoke(app, ["-h"]).output == CliRunner().invoke(app, ["--help"]).output
    assert CliRunner().invoke(app, ["predict", "-h"]).exit_code == 0


def test_a_shell_completes_verbs():
    asked = {"_UNET_FLOWS_COMPLETE": "complete_bash", "COMP_WORDS": "unet-flows re", "COMP_CWORD": "1"}
    answer = CliRunner().invoke(app, env=asked, prog_name="unet-flows")
    assert answer.output.split() == ["reprocess", "remove", "reproduce"]
