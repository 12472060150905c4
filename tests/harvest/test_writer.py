"""How steps come to the thread that writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from itwin_async.harvest.writer import Writer

MB = 2**20


class Store:
    """Counts what a writer brings; writes as soon as it may."""

    name = "a store"
    unsaved = False

    def __init__(self) -> None:
        self.may_write = threading.Event()
        self.batches: list[int] = []

    def apply(self, steps: Sequence[Callable[[], None]]) -> None:
        self.may_write.wait(60)
        for step in steps:
            step()
        self.batches.append(len(steps))

    def commit(self) -> None:
        pass

    def close(self) -> None:
        pass


async def put_all(writer: Writer, sizes: Sequence[int], taken: list[int]) -> None:
    for number, size in enumerate(sizes):
        await writer.put(partial(taken.append, number), size)


async def handed_over(store: Store, sizes: Sequence[int]) -> tuple[int, list[int]]:
    """How many steps were put before the first was taken, and those that were taken."""
    put: list[int] = []
    taken: list[int] = []

    async def produce(writer: Writer) -> None:
        for number, size in enumerate(sizes):
            await writer.put(partial(taken.append, number), size)
            put.append(number)

    made: Any = store
    async with Writer(made, lambda: None) as writer:
        producer = asyncio.create_task(produce(writer))
        for _ in range(100):
            await asyncio.sleep(0)
        before = len(put)
        store.may_write.set()
        await producer
    return before, taken


async def test_many_small_steps_go_to_the_thread_in_few_batches() -> None:
    store = Store()
    _, taken = await handed_over(store, [200] * 1000)
    assert taken == list(range(1000))
    assert len(store.batches) <= 20


@pytest.mark.parametrize(("size", "most"), [(3 * MB, 2), (MB // 4, 8)])
async def test_pages_wait_by_their_bytes(size: int, most: int) -> None:
    store = Store()
    before, taken = await handed_over(store, [size] * 20)
    assert before <= most
    assert taken == list(range(20))


async def test_many_that_wait_for_room_all_get_it() -> None:
    store, taken = Store(), list[int]()
    made: Any = store
    async with Writer(made, lambda: None) as writer:
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(put_all(writer, [MB] * 4, taken))
            store.may_write.set()
        await writer.flush()
        assert sorted(taken) == sorted([*range(4)] * 50)
