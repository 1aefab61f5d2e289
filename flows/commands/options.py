"""What the verbs share: their options, and how a failure ends."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.ending import plainly
from flows.commands.show import as_text, err, out
from flows.planning.plan import Plan

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's folder, or an fsspec URL.")]
DatasetsArgument = Annotated[
    list[str], typer.Argument(metavar="DATASET...", help="The datasets' folders, or fsspec URLs.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting in dataset.yaml and show it."),
]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Narrow it to these stacks.")]
ForceFlag = Annotated[bool, typer.Option("--force", help="Make it again though it is fresh.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why; --set only tries.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Wait for another run on this dataset, instead of leaving.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def first_line(module: str) -> str:
    """First line of the docstring of what a module of `flows` is named after, read without importing it."""
    spec, name = find_spec(f"flows.{module}"), module.rpartition(".")[2]
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").splitlines()[0]
    raise LookupError(f"flows.{module} must define a function of that name")


def absolute(dataset: str) -> str:
    """The dataset as other processes find it, wherever they run."""
    return dataset if "://" in dataset else str(Path(dataset).resolve())


def say(text: str) -> None:
    """Tell a person one line."""
    out.print(as_text(text))


def note(text: str) -> None:
    """Tell a person what to know, beside the answer."""
    err.print(f"note: {as_text(text)}")


@contextmanager
def exit_status() -> Iterator[None]:
    """Whatever the world does wrong becomes one sentence and status 1."""
    try:
        with plainly(note):
            yield
    except (RuntimeError, OSError) as error:
        err.print(f"[red]failed:[/red] {as_text(error)}")
        raise typer.Exit(1) from error


def fail_where_set_aside(plan: Plan) -> None:
    """Status 1 where something was set aside."""
    if plan.set_aside():
        raise typer.Exit(1)
