"""A table is read whole, and nothing of the reading outlives it."""

import subprocess
import sys

import pytest

READ = """
import sys
from unet.dataset.folder import Dataset
from unet.store.tables import read_table
rows = read_table(Dataset(sys.argv[1]), "unet", "a")
assert rows.num_rows
"""


@pytest.mark.slow
def test_a_process_that_read_a_table_ends_in_peace(walked):
    """Of processes that end right after Arrow read from an object of Python's, every fifth aborted."""
    for _ in range(40):
        ended = subprocess.run(
            [sys.executable, "-c", READ, f"{walked}/dataset"], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
