"""Law of what torch saved: tensors and plain values as they were; whatever is more than it looks is refused, unread."""

import io
import pickle
import zipfile

import pytest
import torch

from tests.faults.limits import peak, within
from unet.network.torch_files import read_torch


def saved(values, **how):
    buffer = io.BytesIO()
    torch.save(values, buffer, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_as_they_were(zipped):
    values = {"a": torch.arange(6.0).reshape(2, 3), "steps": [1, 2.5, "x"]}
    found = read_torch(saved(values, _use_new_zipfile_serialization=zipped))
    assert torch.equal(found["a"], values["a"])
    assert found["steps"] == values["steps"]


def packed(content, times=1, method=zipfile.ZIP_DEFLATED):
    """The archive with its parts packed, or listed several times."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", method) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    return made.getvalue()


def listed_many_times(content, times):
    """Each part is listed so many times, though it lies there once."""
    start, size = (int.from_bytes(content[-22 + at :][:4], "little") for at in (16, 12))
    count = int.from_bytes(content[-22 + 10 :][:2], "little")
    end = content[-22:-14] + (count * times).to_bytes(2, "little") * 2
    end += (size * times).to_bytes(4, "little") + start.to_bytes(4, "little") + b"\0\0"
    return content[:start] + content[start : start + size] * times + end


class Asks:
    """A pickle that asks for a gigabyte of zeros."""

    def __reduce__(self):
        return bytearray, (2**36,)


BOMBS = {
    "packed": lambda: packed(saved({"a": torch.zeros(2**24)})),
    "listed many times": lambda: listed_many_times(packed(saved({"a": torch.zeros(2**20)}), method=0), 200),
    "asks": lambda: pickle.dumps(Asks(), protocol=2),
    "asks in an archive": lambda: saved({"a": Asks()}),
    "runs": lambda: pickle.dumps(pytest.fail, protocol=2),
    "nothing": lambda: b"",
    "cut": lambda: saved({"a": torch.zeros(99)})[:-30],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_in_a_sentence(bomb):
    content = BOMBS[bomb]()
    before = peak()
    with within(30), pytest.raises(ValueError, match=r"\w+") as error:
        read_torch(content)
    assert peak() - before < 2**27
    assert "\n" not in str(error.value)
