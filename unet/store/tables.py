"""The tables of segments, as pyarrow reads them."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unet.dataset.folder import Dataset
from unet.ledger.results import TABLE, labels_of


def read_table(dataset: Dataset, model: str, name: str) -> Any:
    """A stack's table, of the segments that are committed; LookupError where there is none.

    Arrow reads from memory of its own: its threads would outlive the interpreter with an object of Python's in their
    hands, and letting go of that one aborts the process as it ends.
    """
    result = labels_of(dataset, name, model)
    stamp = result.stamp()
    inside = (result.folder / stamp.generation / TABLE).read() if stamp else None
    content = dataset.table(model, name).read() if inside is None else inside  # of before tables lay there
    if stamp is None or content is None:
        raise LookupError(f"{name} must be segmented by {model} to have a table; run `unet-flows segment` first")
    memory = pa.BufferOutputStream()
    memory.write(content)
    return pq.read_table(pa.BufferReader(memory.getvalue()))
