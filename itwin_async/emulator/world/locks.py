"""Who holds which element of an iModel, and with which changeset it was last released."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import attrs

from itwin_async.emulator.world.collaboration import ElementRecord, Level
from itwin_async.emulator.world.state import World


@attrs.frozen(order=True)
class HeldLock:
    """The lock that a briefcase holds on an element; the number is that of the element's id."""

    briefcase: int
    level: Level
    number: int
    element: str = attrs.field(order=False)

    @property
    def id(self) -> str:
        """What continuation tokens name."""
        return f"{self.briefcase}/{self.level}/{self.element}"

    @classmethod
    def of(cls, text: str) -> HeldLock | None:
        """Return the lock of an `id`, whether it is still held or not; None for another text."""
        briefcase, _, rest = text.partition("/")
        level, _, element = rest.partition("/")
        try:
            return cls(int(briefcase), cast("Level", level), int(element, 16), element)
        except ValueError:
            return None


def element_of(world: World, imodel_id: str, element_id: str) -> ElementRecord:
    """Return what is known of an element."""
    found = world.belongings.of(ElementRecord, imodel_id).get(element_id)
    return found or ElementRecord(id=element_id)


def held(world: World, imodel_id: str, briefcase: int | None = None) -> list[HeldLock]:
    """Return the locks of an iModel or of one briefcase, by briefcase, level and element."""
    return sorted(
        HeldLock(holder, element.level, int(element.id, 16), element.id)
        for element in world.belongings.of(ElementRecord, imodel_id).values()
        for holder in element.briefcases
        if briefcase in {None, holder}
    )


def conflicts(element: ElementRecord, briefcase: int, level: Level) -> tuple[int, ...]:
    """Return the other briefcases whose lock on an element forbids a briefcase this level."""
    if level == "none" or (level == "shared" and element.level != "exclusive"):
        return ()
    return tuple(holder for holder in element.briefcases if holder != briefcase)


def is_newer(element: ElementRecord, index: int) -> bool:
    """Whether an element was locked exclusively in a changeset behind an index."""
    return element.released.get("exclusive", 0) > index


def lock(
    world: World, imodel_id: str, briefcase: int, level: Level, elements: Iterable[str], index: int
) -> None:
    """
    Change the level of a briefcase's locks, without any check.

    Args:
        world: the world.
        imodel_id: the iModel.
        briefcase: the number of the briefcase.
        level: the new level; `none` releases.
        elements: ids of the elements.
        index: the index of the changeset with which a lower level comes; 0 for none, if nothing was
            changed.

    """
    for element_id in elements:
        element = element_of(world, imodel_id, element_id)
        world.belongings.put(_locked(element, briefcase, level, index), imodel_id)


def _locked(element: ElementRecord, briefcase: int, level: Level, index: int) -> ElementRecord:
    others = tuple(holder for holder in element.briefcases if holder != briefcase)
    holds = briefcase in element.briefcases
    released = element.released
    if index and holds and level not in {element.level, "exclusive"}:
        before = released.get(element.level, 0)
        released = {**released, element.level: max(index, before)}
    if level == "none":
        level = element.level if others else "none"
        return attrs.evolve(element, level=level, briefcases=others, released=released)
    holders = tuple(sorted((*others, briefcase)))
    return attrs.evolve(element, level=level, briefcases=holders, released=released)


def abandon(world: World, imodel_id: str, briefcase: int) -> None:
    """Free all locks of a briefcase, with no changes."""
    elements = [row.element for row in held(world, imodel_id, briefcase)]
    lock(world, imodel_id, briefcase, "none", elements, 0)


def released(world: World, imodel_id: str, after: int) -> Iterator[tuple[Level, str]]:
    """Yield level and id of the elements that were released with a changeset behind an index."""
    rows = world.belongings.of(ElementRecord, imodel_id).values()
    levels: tuple[Level, ...] = ("exclusive", "shared")
    for level in levels:
        for element in rows:
            if element.released.get(level, 0) > after:
                yield level, element.id
