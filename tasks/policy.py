"""What Prefect is told of every task: retries, tags, names, and that their logs are wanted. The one place that says so.

Exactly OSErrors are retried, since then the world failed (a disk, a network); everything else would fail again. What
was committed before the failure is found fresh by the retry.
"""

import logging
from typing import Any

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun

RETRIES = 2
DELAYS: list[float] = [5, 30]
"""Seconds before the first and the second retry."""

for _room in ("flows", "tasks", "unet"):  # Prefect hands on what these log, but leaves their levels as they are
    logging.getLogger(_room).setLevel(logging.INFO)


def world_failed(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is to be tried again."""
    try:
        state.result()
    except OSError:
        return True
    except Exception:
        return False
    return False


def cpu_task(stage: str) -> Any:
    """Decorator of a stage's task that needs no GPU; its runs are named after the stacks they take."""
    return _stage_task(stage, ["cpu"])


def gpu_task(stage: str) -> Any:
    """Decorator of a stage's task that uses a GPU where one is asked for."""
    return _stage_task(stage, ["gpu"])


def _stage_task(stage: str, tags: list[str]) -> Any:
    return task(
        name=stage,
        task_run_name=run_name,
        tags=tags,
        retries=RETRIES,
        retry_delay_seconds=DELAYS,
        retry_condition_fn=world_failed,
        persist_result=False,
    )


def run_name() -> str:
    """Name of a task run: its stage and its stacks, as many as fit a line."""
    from prefect.runtime import task_run

    names = [str(getattr(n, "name", n)) for n in task_run.parameters.get("names", [])]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{task_run.task_name} {shown or task_run.parameters.get('model', '')}".strip()
