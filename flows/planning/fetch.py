"""Remote sources, fetched before a run that takes something from them; what is long shows a bar."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from unet.settings.ingest import Source
from unet.sources.mirror import Mirrored, look_at_remotes

if TYPE_CHECKING:
    from tasks.reporting.progress import Sink

MEGABYTE = 10**6


def fetched(sources: Sequence[Source]) -> Mirrored:
    """What a look at remote sources found, whose copies are what is there now, as far as they could be fetched."""
    sinks: list[Sink] = []

    def show(done: int, total: int, name: str) -> None:
        if not sinks:
            from tasks.reporting.progress import Sink  # it imports Prefect, which most looks do without

            sinks.append(shown.enter_context(Sink("fetch, MB:", -(-total // MEGABYTE))))
        sinks[0](-(-done // MEGABYTE), -(-total // MEGABYTE), name)

    with ExitStack() as shown:
        return look_at_remotes(sources, show)
