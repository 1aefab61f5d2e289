"""What Prefect is told of every task: retries, limits, tags, names, logs. The one place that says so.

Exactly OSErrors are retried, since then the world failed (a disk, a network); everything else would fail again. What
was committed before the failure is found fresh by the retry.

A task that hangs, on a disk that does not answer, is ended by its limit, so that it holds no night for ever: twenty
times what the past says it takes, and an hour at least; a week where nothing is known. `UNET_FLOWS_TASK_HOURS` says
another. It sets no stack aside, as it is raised past whatever catches errors, and it is not retried, though a
TimeoutError is an OSError: the hanging call is still in this process, and would be met again. The next run goes on
where it was. A thread that the system itself does not let go of lives on until the disk answers or the process is
killed; by then the run is called failed.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.task_engine import TaskRunTimeoutError
from prefect.tasks import exponential_backoff

RETRIES = 3
DELAYS: Callable[[int], list[float]] = exponential_backoff(10)
"""Seconds before each retry: 10, 20, 40, and by chance less or more."""
JITTER = 0.3
"""Part of a delay by which chance changes it: many workers of one disk do not all come back at once."""
PATIENCE, LEAST_HOURS, MOST_HOURS = 20, 1.0, 7 * 24.0
"""A limit as a multiple of the time expected, the least one, and that where nothing is expected."""

for _room in ("flows", "tasks", "unet"):  # Prefect hands on what these log, but leaves their levels as they are
    logging.getLogger(_room).setLevel(logging.INFO)


def world_failed(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is to be tried again."""
    try:
        state.result()
    except TaskRunTimeoutError:
        return False
    except OSError:
        return True
    except Exception:
        return False
    return False


def is_last_try() -> bool:
    """Whether what fails now is not tried again: the last run of a task, or no task run at all."""
    from prefect.runtime import task_run

    return not task_run.id or (task_run.run_count or 0) > RETRIES


def limit(expected: float | None) -> float:
    """Seconds after which a task run is ended that is expected to take so many.

    >>> limit(10), limit(3600), limit(None) / 3600
    (3600.0, 72000, 168.0)
    """
    given = os.environ.get("UNET_FLOWS_TASK_HOURS")
    try:
        hours = float(given) if given else None
    except ValueError as error:
        raise ValueError(f"UNET_FLOWS_TASK_HOURS must be hours, got {given!r}; unset it or give a number") from error
    if hours is not None:
        return hours * 3600
    return MOST_HOURS * 3600 if expected is None else max(LEAST_HOURS * 3600, expected * PATIENCE)


@contextmanager
def told_plainly(stage: str) -> Iterator[None]:
    """Says of a task that reached its limit what to do."""
    try:
        yield
    except TaskRunTimeoutError as error:
        raise TimeoutError(
            f"{stage} must end within its limit, got no end: {error}; see whether the disk or the cluster hangs and "
            "run again, it goes on where it was; UNET_FLOWS_TASK_HOURS sets another limit"
        ) from error


def cpu_task(stage: str) -> Any:
    """Decorator of a stage's task that needs no GPU; its runs are named after the stacks they take."""
    return _stage_task(stage, ["cpu", stage])


def gpu_task(stage: str) -> Any:
    """Decorator of a stage's task that uses a GPU where one is asked for."""
    return _stage_task(stage, ["gpu", stage])


def _stage_task(stage: str, tags: list[str]) -> Any:
    return task(
        name=stage,
        task_run_name=run_name,
        tags=tags,
        retries=RETRIES,
        retry_delay_seconds=DELAYS,
        retry_jitter_factor=JITTER,
        retry_condition_fn=world_failed,
        persist_result=False,
    )


def run_name() -> str:
    """Name of a task run: its stage and its stacks, as many as fit a line."""
    from prefect.runtime import task_run

    names = [str(getattr(n, "name", n)) for n in task_run.parameters.get("names", [])]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{task_run.task_name} {shown or task_run.parameters.get('model', '')}".strip()
