"""Digests of two kinds: what was listed by the older one is read by it still."""

import json
from hashlib import blake2b

import pytest

from unet.dataset.folder import Folder
from unet.ledger.contents import CONTENTS, Contents


@pytest.fixture
def listed(tmp_path):
    """A generation whose list is one of before, and what its metadata keeps of it."""
    (tmp_path / "3f2a.0").mkdir()
    (tmp_path / "3f2a").mkdir()
    (tmp_path / "3f2a.0/shard").write_bytes(b"values")
    files = {"3f2a.0/shard": [6, blake2b(b"values", digest_size=6).hexdigest()]}
    content = json.dumps(files, indent=0).encode()
    (tmp_path / "3f2a" / CONTENTS).write_bytes(content)
    return Folder(str(tmp_path)), {
        "files": 1,
        "bytes": 6,
        "digest": blake2b(content, digest_size=6).hexdigest(),
    }


def test_a_list_of_before_is_read_by_its_own_digests(listed, tmp_path):
    folder, kept = listed
    assert Contents(folder, "3f2a").damage(kept) == []
    assert Contents(folder, "3f2a").unlike() == []
    assert Contents(folder, "3f2a").is_untouched(kept)
    (tmp_path / "3f2a.0/shard").write_bytes(b"valuez")
    assert Contents(folder, "3f2a").damage(kept) == ["3f2a.0/shard"]
    assert Contents(folder, "3f2a").unlike() == ["3f2a.0/shard"]
    assert not Contents(folder, "3f2a").is_untouched(kept)


def test_a_list_of_before_that_was_changed_is_damaged(listed, tmp_path):
    folder, kept = listed
    content = (tmp_path / "3f2a" / CONTENTS).read_bytes()
    (tmp_path / "3f2a" / CONTENTS).write_bytes(content.replace(b"[\n6", b"[\n7"))
    assert Contents(folder, "3f2a").damage(kept) == [f"3f2a/{CONTENTS}"]


@pytest.mark.parametrize("made", [7, None, [1], ""])
def test_a_digest_that_is_none_is_one_that_nothing_has(listed, tmp_path, made):
    folder, _ = listed
    (tmp_path / "3f2a" / CONTENTS).write_text(json.dumps({"3f2a.0/shard": [6, made]}))
    assert Contents(folder, "3f2a").unlike() == ["3f2a.0/shard"]


def test_a_list_that_is_made_now_holds_the_same_when_it_is_read(listed, tmp_path):
    folder, _ = listed
    kept = Contents(folder, "3f2a").write()
    assert len(json.loads((tmp_path / "3f2a" / CONTENTS).read_bytes())["3f2a.0/shard"][1]) == 16
    assert Contents(folder, "3f2a").damage(kept) == []
