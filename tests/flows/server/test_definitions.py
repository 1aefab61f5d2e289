"""Laws of the deployments that are defined: every flow once, on the pool of its work, under a name of its dataset."""

import pytest

from flows.server.definitions import definitions_file, names_of, read_definitions
from unet.ledger.outcome import STAGES


def test_every_flow_is_defined_once_where_its_work_is():
    pools = {each.flow: each.pool for each in read_definitions()}
    assert set(pools) == {"reprocess", "watch", *STAGES}
    assert {flow for flow, pool in pools.items() if pool == "gpu"} == {"reprocess", "train", "predict"}
    assert {each.flow: each.cron for each in read_definitions() if each.cron} == {
        "reprocess": "0 2 * * *",
        "watch": "*/5 * * * *",
    }
    assert definitions_file().name == "prefect.yaml"


def test_datasets_have_names_of_their_own():
    assert names_of(["/d/a"]) == {"/d/a": "a"}
    assert names_of(["/d/a", "/e/a", "/e/b"]) == {"/d/a": "d__a", "/e/a": "e__a", "/e/b": "b"}
    assert names_of(["/x/d/a", "/y/d/a"]) == {"/x/d/a": "x__d__a", "/y/d/a": "y__d__a"}
    with pytest.raises(ValueError, match="paths of datasets must differ, got /lab/a, s3://lab/a; rename a folder"):
        names_of(["/lab/a", "s3://lab/a"])
