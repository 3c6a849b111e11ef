"""What is done once in each process that runs tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Leave what lasts to the end out of every later garbage collection, and so of the pages that a fork copies.

    Thousands of collected tests make a collection take a quarter of a second, and the service makes one in each cycle.
    """
    gc.collect()
    gc.freeze()
