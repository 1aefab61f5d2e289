"""Laws of arrivals: quiet is what was seen to be the same at every look over the time."""

from hypothesis import given
from hypothesis import strategies as st

from unet.sources.arrivals import Memory

looks = st.lists(
    st.tuples(st.floats(-5, 50), st.dictionaries(st.sampled_from("ab"), st.tuples(st.integers(0, 2), st.just(7)))),
    min_size=1,
    max_size=12,
)


def spans(looks, path):
    """The slow way: seconds over which the last looks, back from the newest, saw a file the same, by a sane clock."""
    (newest, seen), *before = reversed(looks)
    oldest, later = newest, newest
    for now, files in before:
        if files.get(path) != seen[path] or now > later:
            break
        oldest = later = now
    return newest - oldest


@given(looks, st.floats(0, 60))
def test_a_file_is_quiet_exactly_when_every_look_over_the_time_saw_the_same(steps, seconds):
    clock, memory, looked = 0.0, Memory({}), []
    for step, files in steps:
        clock += step
        memory = memory.updated(files, clock)
        looked.append((clock, files))
    for path in looked[-1][1]:
        assert memory.is_quiet(path, clock, seconds) == (spans(looked, path) >= seconds)


@given(looks)
def test_what_is_remembered_is_what_was_written_down(steps):
    memory = Memory({})
    for now, files in steps:
        memory = memory.updated(files, now)
    assert Memory.of(memory.plain()) == memory


def test_one_look_is_never_enough():
    memory = Memory({}).updated({"a": (10, 1)}, now=1e9)
    assert not memory.is_quiet("a", 1e9, 60)
    assert not memory.is_quiet("b", 1e9, 0)


def test_a_copy_that_bears_its_originals_time_is_watched_like_any_other():
    memory = Memory({}).updated({"a": (10, 1)}, now=1000)
    memory = memory.updated({"a": (20, 1)}, now=1060)
    assert not memory.is_quiet("a", 1060, 60)
    assert memory.updated({"a": (20, 1)}, now=1120).is_quiet("a", 1120, 60)


def test_what_was_taken_is_new_again_when_it_changes():
    memory = Memory({}).updated({"a": (10, 1), "b": (10, 1)}, now=0).taking(["a"])
    assert memory.new() == ["b"]
    assert memory.is_quiet("a", 0, 60)
    memory = memory.updated({"a": (10, 2), "b": (10, 1)}, now=60)
    assert memory.new() == ["a", "b"]
    assert memory.gone(["b"]) == ["a"]


def test_damaged_notes_are_none():
    for values in (None, {}, {"files": 3}, {"files": {"a": {"size": 1}}}, {"files": {"a": 1}}):
        assert Memory.of(values).files == {}


def test_a_clock_that_was_set_back_counts_anew_and_what_was_taken_stays_so():
    memory = Memory({})
    for now in (0, 90, 70):  # it had been put forward between the first two looks
        memory = memory.updated({"a": (10, 1)}, now)
    assert not memory.is_quiet("a", 70, 60)
    assert memory.taking(["a"]).updated({"a": (10, 1)}, 10).new() == []
