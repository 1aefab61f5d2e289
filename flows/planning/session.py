"""A session: one run's work on a dataset, from the plan to the last look. It holds the record, the plan and the lease.

Who begins a run opens a session: the command line, `watch`, or a flow that Prefect starts. The plan is made before the
lease is asked for, as most nights there is nothing to do, and made again where another run worked meanwhile. What is
called within (`reprocess` in `watch`, each stage's flow in `reprocess`) finds the session that is open, in a context
variable, and goes on with its plan; after each stage only what it touched is looked at again.

Rejected: the plan as a parameter of the flows (Prefect keeps parameters in its database and asks for them in a form),
and a flow of no parameters for each stage below `reprocess` (its runs could not be started again by themselves).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from flows.planning.fetch import fetched
from flows.planning.plan import Plan, make_plan, require_stage
from flows.planning.status import Key
from unet.dataset.folder import Dataset, Folder
from unet.dataset.lease import LEASE, HeldError, activity, lease
from unet.dataset.record_file import parse_change, read_record
from unet.ledger.outcome import STAGES

log = logging.getLogger(__name__)

_open: ContextVar["Session | None"] = ContextVar("session", default=None)


class Session:
    """One run's work on a dataset: `with session.leased("reprocess"): …`."""

    def __init__(
        self,
        dataset: str,
        changes: Sequence[str] = (),
        stage: str | None = None,
        force: str | None = None,
        fetch: bool = False,
    ) -> None:
        """Plan, as the dataset lies there now.

        Args:
            dataset: folder or URL.
            changes: settings for this run alone, each a `section.key=value`.
            stage: the one that is run alone, on what is there; None = all.
            force: a stage that is made again though it is fresh.
            fetch: whether remote sources are fetched first, where what is run takes something from them.

        Raises:
            LookupError, ValueError: as `make_plan`, and where a stage alone has nothing to work from.
        """
        self.dataset = Dataset(dataset)
        self.changes = dict(parse_change(change) for change in changes)
        self.stage, self.force = stage, force
        self.fetch = fetch and stage in (None, "ingest")
        self.touched: set[Key] = set()
        """What was written or removed, and was not looked at since."""
        self._plan_anew()

    def _plan_anew(self) -> None:
        self._activity = activity(self.dataset)
        self.record = read_record(self.dataset, self.changes)
        self._asked: tuple[str | None, Sequence[str]] = (self.force, STAGES if self.stage else ())
        mirrored = fetched(self.record.sources) if self.fetch else None
        self.plan = make_plan(self.dataset, self.record, *self._asked, mirrored)
        if self.stage is not None:
            require_stage(self.plan, self.stage)

    @contextmanager
    def leased(self, what: str, wait: bool = False, say: Callable[[str], None] = log.warning) -> Iterator["Session"]:
        """Hold the dataset's lease, and be the session that flows find; arguments as those of `lease`."""
        with lease(self.dataset, what, wait, say) as before:
            if before is None or before != self._activity:
                self._plan_anew()
            self._remove_leftovers()
            token = _open.set(self)
            try:
                yield self
            finally:
                _open.reset(token)

    def tidy(self, say: Callable[[str], None] = log.warning) -> None:
        """Remove what killed runs left, where there is nothing else to do; not while another run is at it."""
        if self.plan.killed_leftovers():
            with suppress(HeldError), lease(self.dataset, "tidy", say=say):
                self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for left in self.plan.killed_leftovers():
            if left.name != LEASE:  # which is ours now
                Folder(left.url).remove()

    def plan_for(self, stage: str) -> Plan:
        """The plan now that the stages before this one ran: what they made is taken as it is."""
        if self.stage is None:
            before = STAGES[: STAGES.index(stage)]
            self._replan(None if self.force in before else self.force, before)
        return self.plan

    def whole_plan(self) -> Plan:
        """The plan of all stages, with nothing forced: what is forced hides what was set aside."""
        self._replan(None, ())
        return self.plan

    def _replan(self, force: str | None, trust: Sequence[str]) -> None:
        if self.touched or (force, trust) != self._asked:
            self.plan = self.plan.replanned(self.record, self.touched, force, trust)
            self.touched, self._asked = set(), (force, trust)


@contextmanager
def open_session(
    dataset: str,
    changes: Sequence[str],
    what: str,
    force: str | None = None,
    *,
    alone: bool = False,
    wait: bool = False,
) -> Iterator[Session]:
    """The session that is open on a dataset; where none is, one that lasts as long as this.

    Args:
        dataset: folder or URL.
        changes: settings for this run alone.
        what: the flow's name, for others to read in the lease; of a stage `alone`, that stage.
        force: a stage that is made again though it is fresh.
        alone: whether only this stage is run.
        wait: for another run's lease, instead of leaving.

    Raises:
        HeldError: another run holds the lease.
    """
    session = _open.get()
    if session is not None and session.dataset == Dataset(dataset):
        yield session
        return
    with Session(dataset, changes, what if alone else None, force, fetch=True).leased(what, wait) as session:
        yield session
