"""Law of weigh: computed shard by shard, classes and border weights are those of the whole image bit for bit."""

import numpy as np
import pytest

from tasks.weigh import weigh_stack
from unet.blockwise import workers
from unet.folder import Folder
from unet.ledger import labels_of, weights_of
from unet.phantom import draw_stack
from unet.recipes import weigh_recipe
from unet.records import Weigh
from unet.store import Stored, open_array
from unet.weights import weigh_block

SPACING = (2.5, 1, 1)


@pytest.fixture
def client():
    with workers(None) as client:
        yield client


@pytest.fixture
def truth():
    """Touching cells, ids as drawn, in planes that are no multiple of a shard."""
    return draw_stack(planes=3, side=80, seed=1)[1][:, :, :70]


def arrays(dataset, name):
    result = weights_of(dataset, name)
    paths = result.attributes()["arrays"]
    return {key: np.asarray(open_array(result.folder / path)[...]) for key, path in paths.items()}


@pytest.mark.parametrize(
    ("ndim", "settings"),
    [
        (2, Weigh(ridge=4, sigma=3.0)),
        (2, Weigh(dimensions=3)),
        (3, Weigh()),
        (3, Weigh(dimensions=3, ridge=0)),
        (3, Weigh(w0=0.0)),
        (4, Weigh(dimensions=3, sigma=3.0)),
    ],
)
@pytest.mark.usefixtures("small_shards")
def test_shard_by_shard_equals_the_whole(make, stage, client, truth, ndim, settings):
    drawn = {2: truth[0], 3: truth, 4: np.stack([truth, truth[::-1]])}[ndim]
    dataset = make({"a": (drawn, drawn)})
    stage(dataset, "ingest")
    recipe = weigh_recipe(dataset, "a", settings)
    word = weigh_stack(dataset, "a", settings, recipe, client)

    volumes = drawn[None] if ndim < 4 else drawn
    whole = [weigh_block(volume, settings, SPACING[-volume.ndim :]) for volume in volumes]
    classes, border = (np.stack(layer).reshape(drawn.shape) for layer in zip(*whole, strict=True))
    found = arrays(dataset, "a")
    np.testing.assert_array_equal(found["classes"], classes)
    np.testing.assert_array_equal(found["border"].view(np.uint32), border.view(np.uint32))
    assert found["classes"].dtype == np.uint8

    stamp = weights_of(dataset, "a").committed()
    planes = classes.reshape(-1, *drawn.shape[-2:])
    assert stamp.facts["counts"] == [np.bincount(plane.ravel(), minlength=2).tolist() for plane in planes]
    assert word == f"{classes.mean():.0%} object"
    shards = [path for path in weights_of(dataset, "a").folder.files() if "border/c/" in path]
    assert len(shards) == 9 * len(planes)


@pytest.mark.usefixtures("small_shards")
def test_what_was_written_before_a_stop_is_not_written_again(make, stage, client, truth, monkeypatch):
    dataset = make({"a": (truth, truth)})
    stage(dataset, "ingest")
    recipe = weigh_recipe(dataset, "a", Weigh())
    write, left = Stored.write, iter(range(20))

    def failing(self, region, block):
        if next(left, None) is None:
            raise OSError("the disk is gone")
        write(self, region, block)

    monkeypatch.setattr(Stored, "write", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        weigh_stack(dataset, "a", Weigh(), recipe, client)
    assert weights_of(dataset, "a").stamp() is None

    written = []
    monkeypatch.setattr(Stored, "write", lambda self, r, b: (written.append((self.folder.name, r)), write(self, r, b)))
    weigh_stack(dataset, "a", Weigh(), recipe, client)
    assert 0 < sum(name == "border" for name, _ in written) < 27
    classes, border = weigh_block(truth, Weigh(), SPACING)
    found = arrays(dataset, "a")
    np.testing.assert_array_equal(found["classes"], classes)
    np.testing.assert_array_equal(found["border"], border)


def test_other_settings_leave_no_old_generation_behind(dataset, stage):
    from unet.record_file import set_values

    before = weights_of(dataset, "a").committed().generation
    set_values(dataset, {"weigh.sigma": 3.0})
    stage(dataset, "weigh", only=["a"])
    after = weights_of(dataset, "a").committed().generation
    assert before != after
    assert [name for name in Folder(dataset.weights("a").url).names() if name != "zarr.json"] == [after]
    assert labels_of(dataset, "a", "truth").stamp() is not None
