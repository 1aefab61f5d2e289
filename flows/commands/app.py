"""The command line: a dataset folder in, a verb's flow called, an exit status out.

0 = all fresh, 1 = something was set aside or failed, 2 = the run record or the command is wrong.
"""

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from flows.commands import benchmarks, datasets, models, operations, over_time, sources, stages, tuning
from flows.commands.options import first_line
from flows.commands.show import as_text, err

__all__ = ["app", "first_line", "main"]

app = typer.Typer(
    name="unet-flows",
    help="From the stacks a lab's microscopes write every day to segmented, measured, browsable data.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _group in (sources, stages, datasets, models, tuning, over_time, benchmarks, operations):
    app.add_typer(_group.verbs)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"unet-flows {version('unet-flows')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take what is said before a verb."""


def main() -> None:
    """Run the command line; the exit status says how it ended."""
    logging.raiseExceptions = False  # logs that a server which is gone does not take are no page of traces
    try:
        app()
    except (ValueError, LookupError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        err.print(f"[red]error:[/red] {as_text(text)}")
        sys.exit(2)
    except (OSError, ImportError) as error:  # the disk, or a package that a URL such as s3:// asks for
        err.print(f"[red]failed:[/red] {as_text(error)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
