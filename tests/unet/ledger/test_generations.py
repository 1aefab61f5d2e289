"""Laws of the ledger: metadata is put last, readers see old or new whole, a kill at any moment costs nothing."""

from dataclasses import asdict, replace

import pytest

from unet.dataset.folder import Dataset, Folder
from unet.ledger.generations import Result
from unet.ledger.metadata_file import KEY
from unet.ledger.results import image_of, labels_of
from unet.ledger.stamp import Recipe, digest

OLD = Recipe("segment", 1, {"threshold": 0.5}, {"scores": "3f2a"})
NEW = Recipe("segment", 2, {"threshold": 0.6}, {"scores": "9c1b"})
PLAN = {"tile": 1024}


@pytest.fixture(params=["zarr.json", "model.json"])
def result(request, tmp_path):
    return Result(Folder(str(tmp_path / "result")), request.param)


def make(result, recipe, plan=PLAN, text="values"):
    """A committed result whose one file says what it was made of."""
    generation = result.begin(recipe, plan)
    for folder in (generation.folder, generation.level(0), generation.level(1)):
        (folder / "values").write(f"{text} {digest(asdict(recipe))}".encode())
    return result.commit(generation, {"made": text})


def seen(result):
    """What a reader finds: the values of the committed generation, in all of its folders."""
    stamp = result.stamp()
    found = {(part / "values").read().decode() for part in result.parts(stamp.generation)}
    assert len(found) == 1
    return found.pop()


def test_a_committed_result_says_what_it_was_made_of(result):
    assert result.stamp() is None
    stamp = make(result, OLD)
    assert result.stamp() == result.committed() == stamp
    assert (stamp.recipe, stamp.plan) == (OLD, PLAN)
    assert stamp.packages["numpy"]
    assert result.attributes()["made"] == "values"


def test_until_the_commit_readers_see_the_generation_before(result):
    generation = result.begin(OLD, PLAN)
    (generation.folder / "values").write(b"half")
    assert result.stamp() is None
    with pytest.raises(LookupError, match="holds no finished result; run `unet-flows reprocess`"):
        result.committed()
    make(result, OLD)
    before = seen(result)
    begun = result.begin(NEW, PLAN)
    for folder in (begun.folder, begun.level(0)):
        (folder / "values").write(b"new")
    assert seen(result) == before
    result.commit(begun, {})
    assert seen(result) == "new"


def test_a_generation_begun_before_is_taken_on_with_its_own_plan(result):
    begun = result.begin(NEW, {"tile": 1024})
    taken = Result(Folder(result.folder.url), result.metadata_file).begin(NEW, {"tile": 64})
    assert taken == begun
    assert taken.plan == {"tile": 1024}
    assert result.begin(OLD, {"tile": 64}).name != begun.name


def test_a_discarded_generation_is_begun_anew_with_the_new_plan(result):
    begun = result.begin(NEW, {"tile": 1024})
    result.discard(begun.name)
    assert result.begin(NEW, {"tile": 512}).plan == {"tile": 512}


def test_a_commit_removes_the_other_generations_and_nothing_else(result):
    make(result, OLD)
    half = result.begin(replace(OLD, version=7), PLAN)
    (half.level(0) / "c/0/0").write(b"half")
    kept = [result.folder / name for name in ("labels/truth/zarr.json", "checkpoints/1", "report.html")]
    (result.folder / "labels/zarr.json").write_json({"attributes": {"ome": {}}})
    for file in kept:
        file.write(b"{}")
    stamp = make(result, NEW)
    assert not half.folder.exists()
    assert not half.level(0).exists()
    assert all(file.exists() for file in kept)
    folders = {"labels", "checkpoints", "report.html", result.metadata_file}
    folders |= {stamp.generation, *(f"{stamp.generation}.{level}" for level in (0, 1))}
    assert set(result.folder.names()) == folders


def test_a_result_within_another_is_no_generation_of_it(tmp_path):
    dataset = Dataset(str(tmp_path))
    make(labels_of(dataset, "a", "truth"), OLD)
    make(image_of(dataset, "a"), OLD)
    make(image_of(dataset, "a"), NEW)
    assert seen(labels_of(dataset, "a", "truth"))


def test_forced_again_it_is_another_generation_and_the_old_one_is_read_until_the_commit(result):
    names = [make(result, OLD, text="first").generation]
    for plan in (PLAN, PLAN, {"tile": 64}, PLAN):
        before = seen(result)
        generation = result.begin(OLD, plan)
        assert generation.plan | plan == generation.plan
        assert seen(result) == before
        names.append(make(result, OLD, text="again").generation)
    assert len(set(names)) == len(names)
    assert result.begin(OLD, {"tile": 1}).recipe == OLD


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("half", [False, True])
def test_killed_at_any_moment_and_run_again(half, tmp_path, monkeypatch):
    """Before each put and each removal in turn; `half`: a folder's removal is killed half-way."""
    left, real = [0], {"write": Folder.write, "remove": Folder.remove}

    def count(folder, act, *content):
        left[0] -= 1
        if left[0] == 0:
            if half and act == "remove" and folder.names():
                real["remove"](folder / folder.names()[0])
            raise KilledError
        real[act](folder, *content)

    for moment in range(1, 60):
        result = Result(Folder(str(tmp_path / str(moment))))
        left[0] = 0
        make(result, OLD)
        before = seen(result)
        monkeypatch.setattr(Folder, "write", lambda folder, content: count(folder, "write", content))
        monkeypatch.setattr(Folder, "remove", lambda folder: count(folder, "remove"))
        left[0] = moment
        try:
            make(result, NEW)
        except KilledError:
            assert seen(result) in (before, f"values {digest(asdict(NEW))}")
        else:
            assert moment > 4
            return
        finally:
            monkeypatch.undo()
        if result.committed().recipe != NEW:
            make(result, NEW)
        assert seen(result) == f"values {digest(asdict(NEW))}"
        last = make(result, replace(NEW, version=3)).generation
        folders = {name.split("/")[0] for name in result.folder.files()}
        assert folders == {last, f"{last}.0", f"{last}.1", "zarr.json"}
    pytest.fail("it was killed every time")


@pytest.mark.parametrize(
    "entry", [{"generation": "3f2a"}, {"generation": "3f2a", "recipe": {"stage": "weigh"}, "plan": {}}, [], "x"]
)
def test_a_damaged_stamp_is_named(entry, result):
    metadata = {KEY: entry} if result.metadata_file == "model.json" else {"attributes": {KEY: entry}}
    (result.folder / result.metadata_file).write_json(metadata)
    with pytest.raises(ValueError, match=rf"{result.metadata_file} is damaged: .*; remove it and run again"):
        result.stamp()


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_damaged_card_is_named_and_put_again_of_what_is_there(content, result):
    name = make(result, OLD).generation
    (result.folder / result.metadata_file).write(content)
    with pytest.raises(ValueError, match=f"{result.metadata_file} must hold"):
        result.stamp()
    assert result.known_stamp() is None
    assert not result.is_made_by(OLD)
    assert result.begin(OLD, PLAN).name == make(result, OLD).generation == name


def test_what_is_lost_or_of_another_size_is_a_hole_and_its_generation_is_gone_on_with(result):
    stamp, (first, *_) = make(result, OLD), [f"{result.stamp().generation}.0/values"]
    assert result.is_made_by(OLD)
    assert result.holes() == []
    for content in (None, b"", b"val"):
        (result.folder / first).remove()
        if content is not None:
            (result.folder / first).write(content)
        assert result.holes() == [first]
        begun = result.begin(OLD, {"tile": 64})
        assert (begun.name, begun.plan) == (stamp.generation, PLAN)
        assert not (result.folder / first).exists()
        assert result.holes() != []  # until it is committed again
        assert make(result, OLD).generation == stamp.generation
        assert result.holes() == []


def test_what_desktops_leave_is_no_part_of_a_result(result):
    stamp = make(result, OLD)
    left = result.folder / stamp.generation / ".DS_Store"
    left.write(b"icons")
    assert result.is_made_by(OLD)
    make(result, NEW)
    left = result.folder / result.stamp().generation / ".DS_Store"
    left.write(b"icons")
    left.remove()
    assert result.is_made_by(NEW)


def test_with_another_plan_than_must_be_the_same_what_is_lost_is_made_as_another_generation(result):
    stamp = make(result, OLD)
    result.contents(stamp.generation).mark([f"{stamp.generation}.0/values"])
    assert result.holes() == [f"{stamp.generation}.0/values"]
    assert result.begin(OLD, {"tile": 64}, same=["tile"]).name != stamp.generation
    assert result.begin(OLD, {"tile": 64}, is_mended=False).name != stamp.generation


def test_a_result_of_before_there_was_a_list_is_whole(result):
    stamp = make(result, OLD)
    for file in result.contents(stamp.generation).folder.files():
        if file.endswith("contents.json"):
            (result.folder / file).remove()
    old = {key: value for key, value in asdict(stamp).items() if key != "facts"} | {"facts": {}}
    values = {KEY: old}
    (result.folder / result.metadata_file).write_json(
        values if result.metadata_file == "model.json" else {"attributes": values}
    )
    assert result.is_made_by(OLD)
    assert result.is_metadata_whole()


def test_a_generation_that_another_run_removed_is_not_committed(result):
    generation = result.begin(OLD, PLAN)
    result.discard(generation.name)
    with pytest.raises(OSError, match="another run removed it"):
        result.commit(generation, {})
    assert result.stamp() is None


def test_one_wrong_bit_in_a_card_is_told(result):
    make(result, OLD)
    assert result.is_metadata_whole()
    file = result.folder / result.metadata_file
    file.write(file.read().replace(b'"made": "values"', b'"made": "valuer"'))
    assert not result.is_metadata_whole()


def test_a_card_of_other_software_is_no_result(result):
    (result.folder / result.metadata_file).write_json({"attributes": {"ome": {}}, "zarr_format": 3})
    assert result.stamp() is None
    make(result, OLD)
    assert seen(result)


def test_facts_added_later_stay_with_the_rest_of_the_card(result):
    stamp = make(result, OLD)
    result.amend({"dropped": True})
    assert result.committed() == replace(stamp, facts=stamp.facts | {"dropped": True})
    assert result.attributes()["made"] == "values"


def test_a_recipe_of_before_the_settings_were_renamed_is_read_with_their_names_of_now(tmp_path):
    old = Recipe(
        "train",
        2,
        {"rate": 0.1, "augmentation": {"flips_and_quarter_turns": True}},
        {"start": "3f2a", "a image": "9c1b"},
    )
    now = Recipe(
        "train",
        2,
        {"learning_rate": 0.1, "augmentation": {"flips_and_quarter_turns": True}},
        {"init_from": "3f2a", "a image": "9c1b"},
    )
    result = Result(Folder(str(tmp_path)), "model.json")
    result.commit(result.begin(old, {}), {})
    assert Result(Folder(str(tmp_path)), "model.json").committed().recipe.changes(now) == []
    begun = result.begin(replace(old, version=3), {"tile": 64})
    assert result.begin(replace(now, version=3), {"tile": 32}).folder == begun.folder


@pytest.mark.parametrize("damaged", [None, [], {"stage": "train"}, {"stage": "train", "settings": []}])
def test_a_begun_generation_with_a_damaged_recipe_is_not_gone_on_with(damaged, tmp_path):
    result = Result(Folder(str(tmp_path)), "model.json")
    begun = result.begin(OLD, {})
    (begun.folder / "model.json").write_json({KEY: {"recipe": damaged, "plan": {"tile": 9}}})
    assert result.begin(OLD, {"tile": 64}).plan == {"tile": 64}


def test_what_is_damaged_in_a_generation_that_lost_its_metadata_is_made_again(result):
    stamp = make(result, OLD)
    files = sorted(name for name in result.contents(stamp.generation).sizes if not name.endswith(result.metadata_file))
    (result.folder / files[0]).write(b"another")
    (result.folder / result.metadata_file).write(b"{")
    assert result.begin(OLD, PLAN).name == stamp.generation
    assert not (result.folder / files[0]).exists()
    assert all((result.folder / name).exists() for name in files[1:])


@pytest.mark.parametrize("name", ["../victim", "{0}/../../victim", "/victim", "{0}//../../victim", "other/values"])
def test_no_list_or_note_removes_what_lies_elsewhere(result, name, tmp_path):
    """Datasets come from strangers: such a list is damaged, and stops nothing."""
    stamp, victim = make(result, OLD), tmp_path / "victim"
    victim.write_text("keep")
    contents, name = result.contents(stamp.generation), name.format(stamp.generation)
    (result.folder / stamp.generation / "contents.json").write_json({name: [9, "0123"]})
    contents.mark([name])
    assert contents.known(None) is None
    assert name not in contents.holes(stamp.facts["contents"])
    result.begin(OLD, PLAN)
    (result.folder / result.metadata_file).write(b"{")
    result.begin(OLD, PLAN)
    assert victim.read_text() == "keep"
