"""Laws of verify: what is whole is silent, and a single wrong bit is named with its shard."""

from pathlib import Path

from tasks.tools.verify import damage


def shard_of(dataset, name):
    """File of one shard of a stack's image."""
    return next(file for file in Path(dataset.image(name).url).glob("*.0/c/**/*") if file.is_file())


def test_what_is_whole_is_silent(dataset):
    assert damage(dataset, "a") == []


def test_one_wrong_bit_is_named_with_its_shard(dataset):
    shard = shard_of(dataset, "a")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    (line,) = damage(dataset, "a")
    folder, index = str(shard).split("/c/")
    assert line.startswith(f"{folder}: shard {index} is damaged")
    assert damage(dataset, "b") == []


def test_a_shard_that_is_gone_is_named(dataset):
    shard_of(dataset, "a").unlink()
    (line,) = damage(dataset, "a")
    assert line.endswith("is missing")
