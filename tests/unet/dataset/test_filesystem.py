"""Laws of what is not on a disk: what fails on the way is an OSError of one sentence, what is absent stays so."""

import errno
import os
import socket

import pytest

from tests.faults.limits import within
from unet.dataset.filesystem import (
    data_extents,
    open_filesystem,
    open_regular,
    plain_os_errors,
    read_regular,
    refuse_unwritten,
)


class ClientError(Exception):
    """As clients of stores raise them."""


ClientError.__module__ = "botocore.exceptions"


def test_one_file_system_serves_all_urls_of_a_bucket():
    filesystem, path = open_filesystem("memory://lab/one")
    again, other = open_filesystem("memory://lab/two/three")
    assert filesystem is again
    assert (path, other) == ("/lab/one", "/lab/two/three")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("s3://lab/a", ClientError("An error\noccurred (503).")),
        ("s3://lab/a", TimeoutError("An error occurred (503)")),
        ("/disk/a", ClientError("An error occurred (503)")),
    ],
)
def test_what_fails_on_the_way_is_an_error_of_the_world_in_one_sentence(url, error):
    with pytest.raises(OSError, match="must be reachable") as told, plain_os_errors(url):
        raise error
    assert str(told.value) == f"{url} must be reachable, got: An error occurred (503); see to it and run again"
    assert told.value.__cause__ is error


def test_the_number_of_an_error_is_kept():
    with pytest.raises(OSError, match="must be reachable") as told, plain_os_errors("s3://lab/a"):
        raise OSError(errno.ENOSPC, "no room")
    assert told.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("s3://lab/a", FileNotFoundError("a")),
        ("s3://lab/a", ValueError("a bug")),
        ("/disk/a", OSError(errno.ENOSPC, "no room")),
    ],
)
def test_what_is_absent_what_a_disk_says_and_a_bug_stay_what_they_are(url, error):
    with pytest.raises(type(error)) as told, plain_os_errors(url):
        raise error
    assert told.value is error


def strange(folder):
    """A pipe, a socket, a device and a link to one, and what they are called."""
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
    (folder / "link").symlink_to("/dev/zero")
    return {folder / "pipe": "a pipe", folder / "socket": "a socket", folder / "link": "a device"}


@pytest.mark.parametrize("way", [open_regular, read_regular])
def test_what_is_no_file_is_refused_at_once(tmp_path, way):
    for path, kind in strange(tmp_path).items():
        with within(10), pytest.raises(ValueError, match=f"{path.name} must be a file, got {kind}; take it away"):
            way(str(path))
    with pytest.raises(IsADirectoryError):
        way(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        way(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("at_most", [None, 0, 3, 99])
def test_a_file_is_read_whole_or_as_far_as_it_is_wanted(tmp_path, at_most):
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_regular(str(tmp_path / "a"), at_most) == b"0123456789"[:at_most]
    with open_regular(str(tmp_path / "a")) as file:
        assert file.read() == b"0123456789"


def test_bytes_that_nobody_wrote_are_told_from_those_that_are_there(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(b"x" * 5000)
    with path.open("rb") as file:
        assert data_extents(file.fileno()) == []
        refuse_unwritten(file.fileno())
    os.truncate(path, 2**40)
    with path.open("rb") as file:
        with pytest.raises(ValueError, match=r"of its 1,099,511,627,776 bytes [\d,]+ were ever written"):
            refuse_unwritten(file.fileno())
        with pytest.raises(ValueError, match=r"/a must be whole, got .* of its 1,099,511,627,776 bytes"):
            read_regular(str(path))
        assert read_regular(str(path), 9) == b"x" * 9
        (start, end), last = data_extents(file.fileno())
        assert (start, last) == (0, (2**40, 2**40))
        assert 5000 <= end < 2**20
        assert file.read(5000) == b"x" * 5000
