"""Laws of what is not on a disk: what fails on the way is an OSError of one sentence, what is absent stays so."""

import errno

import pytest

from unet.dataset.filesystem import open_filesystem, plain_os_errors


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
