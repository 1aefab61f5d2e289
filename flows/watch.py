"""The flow that looks for new stacks every few minutes, and reprocesses what they touch."""

import logging

from prefect import flow

from flows.backlog import skip_late
from flows.planning.arrivals import Arrivals, is_news, look_at_sources, mark_taken
from flows.planning.session import open_session
from flows.stage_run import run_name
from unet.dataset.folder import Dataset
from unet.dataset.lease import HeldError
from unet.dataset.record_file import read_record
from unet.ledger.outcome import Outcome
from unet.sources.stack_names import printable

log = logging.getLogger(__name__)


@flow(flow_run_name=run_name)
def watch(dataset: str) -> list[Outcome]:
    """Take stacks that came or changed, once they are finished, and reprocess what they touch.

    Args:
        dataset: the dataset's folder as the machine sees it that runs this, or an fsspec URL such as s3://bucket/mine.
    """
    skip_late()
    place = Dataset(dataset)
    arrivals = _find_arrivals(place)
    for line in arrivals.lines():
        log.info("%s", line)
    if not arrivals.ready:
        return []
    try:
        with open_session(dataset, arrivals.changes, "watch"):
            outcomes = _reprocess_ready(place, arrivals)
    except HeldError as error:
        log.info("%s; the next look takes what is ready", error)
        return []
    return outcomes


def _find_arrivals(place: Dataset) -> Arrivals:
    """What a look finds; a fault that the last look had too is told, and not raised again."""
    try:
        arrivals = look_at_sources(place, read_record(place))
    except (ValueError, LookupError, OSError) as error:
        if is_news(place, str(error)):
            raise
        log.warning("still so: %s", printable(str(error)))
        return Arrivals()
    is_news(place, "")
    return arrivals


def _reprocess_ready(place: Dataset, arrivals: Arrivals) -> list[Outcome]:
    """Outcomes of what is ready, which is taken whatever fails of it; what failed before is no news."""
    from flows.reprocess import reprocess  # torch and zarr, which a look that finds nothing can do without
    from tasks.execution.outcomes import SetAside

    try:
        outcomes = reprocess(place.url, list(arrivals.ready), list(arrivals.changes))
    except SetAside:
        mark_taken(place, arrivals)
        raise
    mark_taken(place, arrivals)
    return outcomes
