"""The loop over names that every stage shares: one outcome a name, whatever happens to one of them."""

import errno
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event

from unet.dataset.folder import Dataset
from unet.ledger.fingerprint import Fingerprint
from unet.ledger.outcome import Outcome, set_aside
from unet.ledger.stamp import Recipe
from unet.sources.arrivals import UnfinishedError
from unet.sources.stack_names import printable

log = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
REMADE = "what it is made of was made again meanwhile, by another run"


class SetAside(RuntimeError):  # noqa: N818  # an outcome with a name of its own, not an error of ours
    """Some stacks were set aside with the reason, and are listed in `failed`; the others are done, listed in `done`."""

    def __init__(self, outcomes: Sequence[Outcome], done: Sequence[Outcome] = ()) -> None:
        listed = "; ".join(f"{o.name} at {o.stage}: {o.why}" for o in outcomes[:5])
        more = f"; and {len(outcomes) - 5} more" if len(outcomes) > 5 else ""
        super().__init__(f"{len(outcomes)} set aside: {listed}{more}")
        self.outcomes = [*done, *outcomes]
        self.failed, self.done = list(outcomes), list(done)


def outcome_of_each(
    dataset: Dataset,
    names: Sequence[str],
    recipe: Callable[[str], Recipe],
    work: Callable[[str, Recipe], str],
    at_once: int = 1,
    sources: Callable[[str], Sequence[Fingerprint]] | None = None,
) -> list[Outcome]:
    """Outcomes of `work` for each name; a bad stack is set aside with the reason, and the others go on.

    A stack whose source is still being written waits for the next run.

    Args:
        dataset: that holds them.
        names: of stacks, or the model.
        recipe: what each is made of now.
        work: makes it, and says in words what was done.
        at_once: how many threads work.
        sources: fingerprints of a stack's source files, where they are read.

    Raises:
        OSError: the first one, after all other names were done; a retry finds those fresh.
        ValueError: a metadata file is damaged: there is no recipe to set the stack aside under. After all others.
    """
    context, stopped = copy_context(), Event()  # what is logged in a thread belongs to this task run too

    def one(name: str) -> Outcome | Exception:
        return context.copy().run(outcome_or_error, dataset, name, recipe, work, stopped.is_set, sources)

    if at_once == 1:  # in the task's own thread, where Ctrl-C is heard
        return outcomes_or_raise([one(name) for name in names])
    pool = ThreadPoolExecutor(at_once)
    try:
        return outcomes_or_raise(list(pool.map(one, names)))
    except BaseException:  # cancelled, or at its limit: whoever hangs is not waited for
        stopped.set()
        raise
    finally:
        pool.shutdown(wait=not stopped.is_set(), cancel_futures=True)


def outcomes_or_raise(results: Sequence[Outcome | Exception]) -> list[Outcome]:
    """The outcomes, if there is no error among the results; else the first error is raised."""
    failures = [result for result in results if isinstance(result, Exception)]
    if failures:
        raise failures[0]
    return [result for result in results if isinstance(result, Outcome)]


def outcome_or_error(
    dataset: Dataset,
    name: str,
    recipe: Callable[[str], Recipe],
    work: Callable[[str, Recipe], str],
    is_stopped: Callable[[], bool] = lambda: False,
    sources: Callable[[str], Sequence[Fingerprint]] | None = None,
) -> Outcome | Exception:
    """Outcome of one name, or the error that is to be raised after all others were done.

    Whatever fails once the run is stopped fails because of that, and sets nothing aside; and what fails while another
    run makes its inputs again waits for the next one.
    """
    of_now: Recipe | None = None
    try:
        of_now = recipe(name)
        word = work(name, of_now)
    except UnfinishedError as error:
        why = printable(str(error))
        log.warning("%s waits: %s", name, why)
        return Outcome(of_now.stage if of_now else "", name, "waiting", why)
    except OSError as error:
        failed = _full(dataset, error) if error.errno in NO_ROOM else error
        log.warning("%s: %s", name, printable(str(failed)))
        return failed
    except Exception as error:
        if of_now is None or is_stopped():
            return error
        if _is_other_now(recipe, name, of_now):
            log.warning("%s waits: %s", name, REMADE)
            return Outcome(of_now.stage, name, "waiting", REMADE)
        expected = isinstance(error, ValueError | LookupError)
        told = set_aside(dataset, of_now, name, error, sources(name) if sources else ())
        log.warning("%s set aside at %s: %s", name, told.stage, told.why, exc_info=None if expected else error)
        return told
    dataset.set_aside(of_now.stage, name).remove()
    return Outcome(of_now.stage, name, "done", word)


def _is_other_now(recipe: Callable[[str], Recipe], name: str, before: Recipe) -> bool:
    """Whether what a result is made of was made again while it was made, so that reading it may well have failed."""
    try:
        return recipe(name) != before
    except Exception:
        return False


def _full(dataset: Dataset, error: OSError) -> OSError:
    """The error of a full disk, with what to do; what was written by then is whole, and a next run goes on from it."""
    said = f"the disk of {dataset.url} must have room for what is written, got none; make room and run again"
    full = OSError(error.errno, said)
    full.__cause__ = error
    return full
