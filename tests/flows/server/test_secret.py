"""Laws of the secret: made once, the same for all who ask, and nobody else's to read."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.server import secret as module
from flows.server.secret import make_private, open_privately, read_secret


def mode(file):
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture(autouse=True)
def open_handed():
    """Files are made readable for all, unless somebody takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_it_is_made_once_and_is_this_users_alone(tmp_path):
    secret = read_secret(tmp_path / "secret")
    name, _, password = secret.partition(":")
    assert name == "lab"
    assert len(password) >= 32
    assert read_secret(tmp_path / "secret") == secret
    assert mode(tmp_path / "secret") == 0o600
    assert read_secret(tmp_path / "other") != secret
    assert {file.name for file in tmp_path.iterdir()} == {"secret", "other"}


def test_all_who_come_first_get_the_same(tmp_path):
    code = "import sys; from pathlib import Path; from flows.server.secret import read_secret as read; "
    command = [sys.executable, "-c", code + "print(read(Path(sys.argv[1])))", tmp_path / "home/secret"]

    def ask(_):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(module.os, "link", refuse)
    assert read_secret(tmp_path / "secret") == read_secret(tmp_path / "secret")
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_one_that_others_could_read_is_closed(tmp_path):
    file = tmp_path / "secret"
    file.write_text("lab:hush\n")
    assert read_secret(file) == "lab:hush"
    assert mode(file) == 0o600


def test_an_empty_one_is_no_password(tmp_path):
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(RuntimeError, match=r"secret must hold a secret, got nothing; remove it"):
        read_secret(tmp_path / "secret")


def test_files_and_folders_are_private_also_those_that_were_not(tmp_path):
    folder = tmp_path / "prefect"
    folder.mkdir(0o755)
    (folder / "prefect.db").touch(0o644)
    make_private(folder)
    make_private(folder)
    assert mode(folder) == 0o700
    assert mode(folder / "prefect.db") == 0o600
    for text in (b"a longer one", b"short"):
        with open_privately(tmp_path / "card") as card:
            card.write(text)
    with open_privately(tmp_path / "card", os.O_APPEND) as card:
        card.write(b"er")
    assert (tmp_path / "card").read_bytes() == b"shorter"
    assert mode(tmp_path / "card") == 0o600
