"""Laws of a session: one whole plan a run, made again only where another run worked meanwhile; the lease held once."""

import threading
from contextlib import ExitStack

import pytest
import tifffile

from flows.planning import session as module
from flows.planning.plan import make_plan
from flows.planning.session import Session, open_session
from unet.dataset.lease import HeldError, lease
from unet.dataset.record_file import read_record, set_values
from unet.images.synthetic import draw_stack
from unet.ledger.outcome import STAGES, set_aside
from unet.ledger.recipes import segment_recipe


@pytest.fixture
def planned(monkeypatch):
    """Whole plans that sessions make."""
    plans = []

    def make(*asked):
        plans.append(make_plan(*asked))
        return plans[-1]

    monkeypatch.setattr(module, "make_plan", make)
    return plans


def add_stack(dataset, tmp_path, truth):
    for kind, pixels in zip(("image", "truth")[: 1 + truth], draw_stack(planes=2, side=64, seed=9), strict=False):
        tifffile.imwrite(tmp_path / f"copy/files/{kind}/new.ome.tif", pixels, ome=True, metadata={"axes": "ZYX"})


def break_stack(dataset, tmp_path):
    (tmp_path / "copy/files/image/a.ome.tif").write_bytes(b"II*\0not a picture")


CHANGES = {
    "nothing": lambda *_: None,
    "a new stack": lambda dataset, tmp_path: add_stack(dataset, tmp_path, truth=False),
    "a new stack with truth": lambda dataset, tmp_path: add_stack(dataset, tmp_path, truth=True),
    "a broken stack": break_stack,
    "a setting of segment": lambda dataset, _: set_values(dataset, {"segment.threshold": 0.37}),
    "a setting of weigh": lambda dataset, _: set_values(dataset, {"weigh.sigma": 3.0}),
    "scores are not kept": lambda dataset, _: set_values(dataset, {"predict.keep_scores": False}),
}


@pytest.mark.parametrize(
    ("change", "force"), [*((change, None) for change in CHANGES), *(("nothing", stage) for stage in STAGES)]
)
def test_after_each_stage_the_plan_equals_a_new_one(dataset, tmp_path, stage, planned, change, force):
    CHANGES[change](dataset, tmp_path)
    record, session = read_record(dataset), Session(dataset.url, force=force)
    made = set()
    for at, this in enumerate(STAGES):
        forced = force if force in STAGES[at:] else None
        plan = session.plan_for(this)
        assert plan == make_plan(dataset, record, forced, STAGES[:at])
        names = [status.name for status in plan.pending(this)]
        assert {outcome.name for outcome in stage(dataset, this, force=this if force == this else None)} == set(names)
        session.touched |= {(this, name) for name in names}
        made |= {(this, name) for name in names}
    assert session.whole_plan() == make_plan(dataset, record)
    assert not session.plan.pending()
    assert bool(made) == (change != "nothing" or force is not None)
    assert len(planned) == 1


@pytest.mark.parametrize(
    "result", ["images/b.ome.zarr", "images/b.ome.zarr/labels/unet", "weights/b.zarr", "scores/unet/b.ome.zarr"]
)
def test_a_run_of_new_stacks_goes_its_way_whatever_is_damaged_of_others(dataset, tmp_path, stage, result):
    """What is made of all stacks waits for the run that mends those."""
    add_stack(dataset, tmp_path, truth=False)
    card = tmp_path / "copy/dataset" / result / "zarr.json"
    card.write_bytes(card.read_bytes()[:-20])
    session, due = Session(dataset.url), []
    for this in STAGES:
        if session.plan_for(this).is_due(this, ["new"]):
            due.append(this)
            assert [outcome.state for outcome in stage(dataset, this, only=["new"])] == ["done"]
            session.touched.add((this, "new"))
    assert due == ["ingest", "predict", "segment"]
    stage.all(dataset)
    assert make_plan(dataset, read_record(dataset)).pending() == []


def test_the_plan_made_before_the_lease_holds_where_nobody_else_worked(dataset, planned):
    session = Session(dataset.url)
    with session.leased("reprocess"), open_session(dataset.url, (), "weigh", alone=True) as found:
        assert found is session
        assert (dataset / "lease.json").read_json()["what"] == "reprocess"
    assert len(planned) == 1
    assert not (dataset / "lease.json").exists()


def test_it_is_made_again_where_another_run_worked_meanwhile(dataset, planned, monkeypatch):
    monkeypatch.setattr("unet.dataset.lease.LOOK", 0.05)
    session = Session(dataset.url)
    with lease(dataset, "train"):
        set_values(dataset, {"segment.threshold": 0.37})
    with session.leased("reprocess"):
        assert session.record.segment.threshold == 0.37
        assert {status.stage for status in session.plan.pending()} == {"segment", "evaluate"}
    with ExitStack() as other:
        other.enter_context(lease(dataset, "train"))
        session = Session(dataset.url)
        set_values(dataset, {"segment.threshold": "auto"})
        threading.Timer(0.3, other.pop_all().close).start()
        with session.leased("reprocess", wait=True, say=lambda _: None):
            assert session.plan.pending() == []
    assert len(planned) == 4


def test_who_asks_for_another_dataset_or_after_the_end_is_given_a_session_of_its_own(dataset, tmp_path, planned):
    with open_session(dataset.url, (), "reprocess") as session, pytest.raises(HeldError):
        Session(dataset.url).leased("weigh").__enter__()
    with open_session(dataset.url, ("segment.threshold=0.37",), "segment", alone=True) as alone:
        assert alone is not session
        assert {status.stage for status in alone.plan.pending()} == {"segment"}
    assert read_record(dataset).segment.threshold == "auto"


def test_one_stage_alone_has_nothing_to_do_where_nothing_was_made(make):
    dataset = make({"a": (draw_stack(planes=1, side=64, seed=1)[0], None)})
    with pytest.raises(LookupError, match="segment must find what the stages before it make, got nothing"):
        Session(dataset.url, stage="segment")


def test_what_is_forced_hides_what_was_set_aside_until_the_last_look(dataset):
    recipe = segment_recipe(dataset, "unet", "b", read_record(dataset).segment)
    set_aside(dataset, recipe, "b", ValueError("its scores are broken"))
    session = Session(dataset.url, force="segment")
    assert session.plan.set_aside() == []
    assert [status.name for status in session.plan_for("segment").pending("segment")] == ["a", "b", "c"]
    session.touched |= {("segment", "a")}
    assert {status.why for status in session.plan_for("evaluate").set_aside()} == {"its scores are broken"}
    assert [(status.stage, status.name) for status in session.whole_plan().set_aside()] == [("segment", "b")]
