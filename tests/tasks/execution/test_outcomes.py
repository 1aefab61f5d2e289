"""Laws of the loop over names: one outcome a name, a bad stack stops no other, a failing world is told at the end."""

import signal
from threading import Event, current_thread, main_thread

import pytest

from flows.planning.plan import make_plan
from tasks.execution.outcomes import outcome_of_each
from unet.dataset.folder import Dataset
from unet.dataset.record_file import read_record
from unet.ledger.outcome import last_failure, why_set_aside
from unet.ledger.source_reading import UnreadableError
from unet.ledger.stamp import Recipe

RECIPE = Recipe("weigh", 1, {}, {})


@pytest.fixture
def place(tmp_path):
    return Dataset(str(tmp_path))


def work_with(errors, done):
    def work(name, recipe):
        if name in errors:
            raise errors[name]
        done.append(name)
        return f"did {name}"

    return work


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("error", [ValueError("it is odd"), LookupError("it is odd"), RuntimeError("it is odd")])
def test_a_bad_stack_is_set_aside_and_the_others_go_on(place, at_once, error):
    outcomes = outcome_of_each(place, ["a", "b", "c"], lambda name: RECIPE, work_with({"b": error}, []), at_once)
    assert [(o.name, o.state, o.why) for o in outcomes] == [
        ("a", "done", "did a"), ("b", "set aside", "it is odd"), ("c", "done", "did c")
    ]  # fmt: skip
    assert place.set_aside("weigh", "b").read_json()["why"] == "it is odd"
    outcome_of_each(place, ["b"], lambda name: RECIPE, work_with({}, []))
    assert not place.set_aside("weigh", "b").exists()


def test_an_error_of_ours_is_logged_with_its_trace_and_a_persons_without(place, caplog):
    errors = {"a": ValueError("mend it"), "b": ZeroDivisionError("our fault")}
    outcome_of_each(place, ["a", "b"], lambda name: RECIPE, work_with(errors, []))
    assert [bool(record.exc_info) for record in caplog.records if "set aside" in record.message] == [False, True]


def test_what_fails_while_its_inputs_are_made_again_waits(place):
    recipes = iter([RECIPE, Recipe("weigh", 1, {}, {"truth": "made again"})])
    work = work_with({"a": LookupError("it is gone")}, [])
    (outcome,) = outcome_of_each(place, ["a"], lambda name: next(recipes), work)
    assert (outcome.state, outcome.why) == ("waiting", "what it is made of was made again meanwhile, by another run")
    assert place.names() == []


def test_a_failing_world_is_raised_after_the_others_were_done(place):
    done = []
    errors = {"a": OSError("the disk is gone"), "c": OSError("again")}
    with pytest.raises(OSError, match="the disk is gone"):
        outcome_of_each(place, ["a", "b", "c", "d"], lambda name: RECIPE, work_with(errors, done))
    assert done == ["b", "d"]
    assert place.names() == []  # nothing was set aside: a retry tries it again


def test_a_damaged_card_is_no_card_and_a_recipe_that_cannot_be_made_is_named(dataset):
    (dataset.weights("a") / "zarr.json").write(b"{")
    assert ("weigh", "a") in {(work.stage, work.name) for work in make_plan(dataset, read_record(dataset)).pending()}

    def recipe(name):
        raise ValueError("its metadata is damaged")

    done = []
    with pytest.raises(ValueError, match="its metadata is damaged"):
        outcome_of_each(dataset, ["a", "b"], lambda name: RECIPE if name == "b" else recipe(name), work_with({}, done))
    assert done == ["b"]


def test_who_stops_a_run_is_not_kept_waiting_and_nothing_is_set_aside(place):
    goes_on, began, threads = Event(), [], []

    def work(name, recipe):
        began.append(name)
        threads.append(current_thread())
        if name == "b":
            signal.pthread_kill(main_thread().ident, signal.SIGINT)  # wakes a thread that waits, as Ctrl-C does
        goes_on.wait(60)
        raise RuntimeError("cannot schedule new futures after shutdown")

    with pytest.raises(KeyboardInterrupt):
        outcome_of_each(place, list("abcdef"), lambda name: RECIPE, work, 2)
    assert not goes_on.is_set()
    goes_on.set()
    for thread in threads:
        thread.join(60)
    assert place.names() == []
    assert began == ["a", "b"]


def test_who_stops_a_stack_in_work_sets_it_not_aside(place):
    def work(name, recipe):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of_each(place, ["a", "b"], lambda name: RECIPE, work)
    assert place.names() == []


def test_what_may_pass_is_tried_again_and_is_news_once(place):
    lost = UnreadableError("a.tif must be readable, got: Input/output error")
    for is_old in (False, True):
        (told,) = outcome_of_each(place, ["a"], lambda name: RECIPE, work_with({"a": lost}, []))
        assert (told.state, told.is_old) == ("set aside", is_old)
        assert why_set_aside(place, RECIPE, "a") is None
        assert last_failure(place, RECIPE, "a") == (str(lost), True)
    other = UnreadableError("a.tif must be readable, got: Stale file handle")
    (told,) = outcome_of_each(place, ["a"], lambda name: RECIPE, work_with({"a": other}, []))
    assert not told.is_old


def test_a_reason_that_the_recipe_tells_of_is_not_tried_again(place):
    told_of = Recipe("ingest", 1, {}, {"source": "unreadable: Permission denied"})
    lost = UnreadableError("a.tif must be readable, got: Permission denied")
    outcome_of_each(place, ["a"], lambda name: told_of, work_with({"a": lost}, []))
    assert why_set_aside(place, told_of, "a") == str(lost)
