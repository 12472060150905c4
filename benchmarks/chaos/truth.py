"""What is true in the emulator, as models of the client."""

from __future__ import annotations

from itwin_async import from_dict
from itwin_async.emulator import EmulatorThread
from itwin_async.imodels import IModel, IModelSummary
from itwin_async.itwins import ITwin, ITwinSummary


class Truth:
    """
    The lists that each user must get, item by item.

    Args:
        emulator: asked once; its world must not change below what is listed.

    """

    def __init__(self, emulator: EmulatorThread) -> None:
        world, origin = emulator.state, emulator.base_url
        self.itwins = list(world.itwins)
        self.imodels = list(world.imodels)
        self._minimal: dict[tuple[str, str], list[IModelSummary]] = {}
        self._full: dict[tuple[str, str], list[IModel]] = {}
        self._itwins: dict[str, tuple[list[ITwinSummary], list[ITwin]]] = {}
        for user in list(world.users):
            marks = world.favorites[user]
            for itwin in self.itwins:
                self._minimal[user, itwin], self._full[user, itwin] = [], []
            for imodel in marks.imodels:
                row = world.imodels[imodel]
                self._minimal[user, row.itwin_id].append(from_dict(IModelSummary, row.minimal()))
                self._full[user, row.itwin_id].append(from_dict(IModel, row.full(origin)))
            rows = [world.itwins[itwin] for itwin in marks.itwins]
            rows = [row for row in rows if row.status != "Inactive"]
            self._itwins[user] = (
                [from_dict(ITwinSummary, row.minimal()) for row in rows],
                [from_dict(ITwin, row.full()) for row in rows],
            )

    def favorite_imodels(self, user: str, itwin: str, *, full: bool) -> list[IModelSummary]:
        """Give a user's favorite iModels of an iTwin."""
        return list(self._full[user, itwin]) if full else self._minimal[user, itwin]

    def favorite_itwins(self, user: str, *, full: bool) -> list[ITwinSummary]:
        """Give a user's favorite iTwins that are not inactive."""
        minimal, whole = self._itwins[user]
        return list(whole) if full else minimal
