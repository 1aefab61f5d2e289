"""Digests of what files hold, in hex: XXH3's, which take an eighth of BLAKE2's time, and BLAKE2's of older datasets.

A digest that is to be compared with another is made of its kind, so that nothing goes stale because a better kind came.
Neither keeps off who wants to deceive: who can write a file of a dataset can write the list of its digests too.
"""

import hashlib
from typing import Any

import xxhash

OLD_LENGTH = 12
"""Digits of BLAKE2; XXH3's have 16."""


def is_old(known: str) -> bool:
    """Whether a digest is one of BLAKE2.

    >>> is_old("8f402192d7ab"), is_old(new_hash().hexdigest())
    (True, False)
    """
    return len(known) == OLD_LENGTH


def new_hash(like: str = "") -> Any:
    """A hash of the kind of a digest that is known, or of the kind that is made now."""
    return hashlib.blake2b(digest_size=OLD_LENGTH // 2) if is_old(like) else xxhash.xxh3_64()


def new_part_hash(like: str = "") -> Any:
    """The same, for one of several files, whose digests are hashed."""
    return hashlib.blake2b() if is_old(like) else xxhash.xxh3_128()
