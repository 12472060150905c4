"""What is done in the storm; each job holds what it got against the truth."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks.chaos.truth import Truth
from benchmarks.chaos.weather import PATIENT
from itwin_async import ITwinError, Pager, Session, bulk, harvest, imodels, itwins, saved_views
from itwin_async.emulator import EmulatorThread
from itwin_async.imodels import IModelSummary
from itwin_async.itwins import ITwinSummary

_PAGE_SIZES = (1, 7, 20, 100)
_TRIES = 200


class WrongError(Exception):
    """Something was got that is not true."""


@attrs.define
class Storm:
    """
    Everything a job needs.

    Args:
        emulator: the platform.
        truth: what it must answer.
        views: a session for each user.
        rng: draws what a job does.

    """

    emulator: EmulatorThread
    truth: Truth
    views: dict[str, Session]
    rng: random.Random
    tags: int = 0
    writers: int = 0

    def reader(self, *, patient: bool = False) -> str:
        """Draw one of the users whose favorites stay as they are."""
        users = [user for user in self.views if user.startswith(PATIENT) == patient]
        return self.rng.choice(users)


Item = IModelSummary | ITwinSummary
Open = Callable[[str | None], Pager[Item]]


def _a_list(storm: Storm, user: str) -> tuple[Open, Sequence[Item]]:
    """Draw a list, and say what must be in it."""
    rng, session, truth = storm.rng, storm.views[user], storm.truth
    full, size, prefetch = rng.random() < 0.5, rng.choice(_PAGE_SIZES), rng.choice((0, 1, 1, 3))
    if rng.random() < 0.3:

        def open_itwins(cursor: str | None) -> Pager[Item]:
            options = {"page_size": size, "cursor": cursor, "prefetch": prefetch}
            pager = itwins.list_favorites(session, **options)  # type: ignore[arg-type]
            return pager.full() if full else pager

        return open_itwins, truth.favorite_itwins(user, full=full)
    itwin = rng.choice(truth.itwins)

    def open_imodels(cursor: str | None) -> Pager[Item]:
        options = {"page_size": size, "cursor": cursor, "prefetch": prefetch}
        pager = imodels.list_favorites(session, itwin, **options)  # type: ignore[arg-type]
        return pager.full() if full else pager

    return open_imodels, truth.favorite_imodels(user, itwin, full=full)


async def whole_list(storm: Storm) -> None:
    """Take every item; what came before an error must be the beginning of the list."""
    opener, expected = _a_list(storm, storm.reader())
    got: list[Item] = []
    try:
        async for item in opener(None):
            got.append(item)  # noqa: PERF401 - an error leaves what came before it
    except ITwinError as error:
        _same(got, expected[: len(got)], "the beginning of a list")
        if error.cursor is None:
            raise WrongError(f"no cursor on {error!r}") from None
        raise
    _same(got, expected, "a list")


async def whole_pages(storm: Storm) -> None:
    """Take every page."""
    opener, expected = _a_list(storm, storm.reader())
    got: list[Item] = []
    try:
        async for page in opener(None).pages():
            got += page.items
    except ITwinError:
        _same(got, expected[: len(got)], "the first pages of a list")
        raise
    _same(got, expected, "the pages of a list")


async def persistent_list(storm: Storm) -> None:
    """Go on behind each error until the list is whole."""
    opener, expected = _a_list(storm, storm.reader(patient=True))
    got: list[Item] = []
    cursor: str | None = None
    for _ in range(_TRIES):
        walk = aiter(opener(cursor))
        try:
            async for item in walk:
                got.append(item)  # noqa: PERF401 - an error leaves what came before it
        except ITwinError as error:
            cursor = error.cursor
            if cursor != walk.cursor:
                raise WrongError("the error and the walk name different places") from None
            if storm.rng.random() < 0.1:
                got, cursor = [], None
            continue
        _same(got, expected, "a list that went on behind errors")
        return
    raise WrongError(f"a list did not end in {_TRIES} tries")


async def abandoned_list(storm: Storm) -> None:
    """Leave a list in the middle, by a break or by being cancelled."""
    opener, expected = _a_list(storm, storm.reader())
    got: list[Item] = []
    enough = storm.rng.randrange(1, 60)

    async def take() -> None:
        async for item in opener(None):
            got.append(item)
            if len(got) >= enough:
                return

    task = asyncio.create_task(take())
    done, _ = await asyncio.wait([task], timeout=storm.rng.uniform(0, 0.3))
    if not done:
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        _same(got, expected[: len(got)], "the part of a list that was read")


async def additions(storm: Storm) -> None:
    """
    Add favorites and take others back: what was confirmed is so, what failed may be so.

    The two are different ones, because a call that was given up may still be carried out late.
    """
    storm.writers += 1
    user, emulator = f"writer-{storm.writers}", storm.emulator
    session = next(iter(storm.views.values())).with_token(emulator.token_for(user))
    chosen = storm.rng.sample(storm.truth.imodels, 12)
    old, new = chosen[:4], chosen[4:]
    emulator.favorite(user, *old)
    added = await bulk.each(imodels.add_favorite, session, new, concurrency=4)
    removed = await bulk.each(imodels.remove_favorite, session, old, concurrency=2)
    there = set(emulator.state.favorites[user].imodels)
    missing = set(new) - {failure.item for failure in added.failures} - there
    if missing:
        raise WrongError(f"confirmed favorites are missing: {sorted(missing)}")
    back = there - set(new) - {failure.item for failure in removed.failures}
    if back:
        raise WrongError(f"favorites are there that nobody wants: {sorted(back)}")
    for failure in [*added.failures, *removed.failures]:
        raise failure.error


async def a_tag(storm: Storm) -> None:
    """Create a tag, which must never become two."""
    storm.tags += 1
    name = f"Tag {storm.tags}"
    itwin = storm.rng.choice(storm.truth.itwins)
    session = storm.views[storm.reader()]
    created: str | None = None
    try:
        created = (await saved_views.create_tag(session, name, itwin_id=itwin)).id
    finally:
        ids = [
            tag.id for tag in list(storm.emulator.state.tags.values()) if tag.display_name == name
        ]
        if len(ids) > 1 or (created is not None and ids != [created]):
            raise WrongError(f"{name} is there {len(ids)} times")


async def a_harvest(storm: Storm) -> None:
    """Harvest everything, interrupted and begun again until it is complete."""
    user = storm.reader(patient=True)
    session, rng, expected = storm.views[user], storm.rng, storm.truth
    source = harvest.favorite_imodels(expected.itwins).full()
    with TemporaryDirectory() as folder:
        target = Path(folder) / rng.choice(("out.db", "out.ndjson", "out.ndjson.gz"))
        for _ in range(_TRIES):
            try:
                async with asyncio.timeout(rng.uniform(0.2, 4.0)):
                    report = await harvest.run(
                        session, source, target, concurrency=4, page_size=rng.choice((20, 100))
                    )
            except (ITwinError, TimeoutError):
                continue
            if report.complete:
                break
        else:
            raise WrongError(f"a harvest did not end in {_TRIES} tries")
        got = sorted((key, item.id) for key, item in harvest.read(target))  # type: ignore[attr-defined]
    wanted = sorted(
        (key, item.id)
        for key in expected.itwins
        for item in expected.favorite_imodels(user, key, full=True)
    )
    if got != wanted:
        raise WrongError(f"a harvest has {len(got)} items, not the {len(wanted)} that there are")


JOBS: Sequence[tuple[Callable[[Storm], Awaitable[None]], int]] = (
    (whole_list, 6),
    (whole_pages, 3),
    (persistent_list, 4),
    (abandoned_list, 3),
    (additions, 1),
    (a_tag, 2),
    (a_harvest, 1),
)


def _same(got: Sequence[Item], expected: Sequence[Item], what: str) -> None:
    if list(got) == list(expected):
        return
    place = next(
        (i for i, (one, two) in enumerate(zip(got, expected, strict=False)) if one != two),
        min(len(got), len(expected)),
    )
    found = got[place] if place < len(got) else "the end"
    raise WrongError(
        f"{what} has {len(got)} items, not {len(expected)}, and at {place} stands {found}"
    )
