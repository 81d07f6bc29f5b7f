"""Several requests under way at once, each answer handed on as it comes; a fault ends it after what else was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from backends.openai.client import Client

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_flight(items: Iterable[Item], ask: Callable[[Item], Answer], at_once: int, client: Client) -> Iterator[Answer]:
    """Yield `ask` of every item as each is done, begun in the order of `items`, at most `at_once` under way.

    `ask` uses `client`, which is closed at the end. When one raises, no other is begun or tried again, those under way are
    waited for and yielded, and the first error is raised. A caller that stops early ends what is under way.
    """
    left = iter(items)
    pool = ThreadPoolExecutor(at_once, "served")
    under_way: set[Future[Answer]] = set()
    fault: BaseException | None = None
    whole = False
    try:
        under_way.update(pool.submit(ask, item) for item in islice(left, at_once))
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            failed = [error for each in done if (error := each.exception()) is not None]
            fault = fault or next(iter(failed), None)
            if fault is not None:
                client.ask_no_more()
            else:
                under_way.update(pool.submit(ask, item) for item in islice(left, len(done)))
            yield from (each.result() for each in done if each.exception() is None)
        whole = True
    finally:
        if not whole:
            client.give_up()
        pool.shutdown(wait=True, cancel_futures=True)
        client.close()
    if fault is not None:
        raise fault
