"""Batches: names that share one piece of work, because each by itself would cost less than its scheduling."""

from collections.abc import Mapping


def batched(sizes: Mapping[str, int], most: int, names: int | None = None) -> list[list[str]]:
    """Names in their order, in batches whose sizes sum up to at most `most`, of at most so many names.

    A name that is larger than `most` has a batch of its own.

    >>> batched({"a": 3, "b": 3, "c": 20, "d": 1, "e": 9}, most=10)
    [['a', 'b'], ['c'], ['d', 'e']]
    >>> batched({"a": 1, "b": 1, "c": 1}, most=10, names=2)
    [['a', 'b'], ['c']]
    """
    batches: list[list[str]] = []
    left = 0
    for name, size in sizes.items():
        if not batches or len(batches[-1]) == names or size > left:
            batches.append([])
            left = most
        batches[-1].append(name)
        left -= size
    return batches
