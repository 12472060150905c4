"""What the world keeps for one user."""

from __future__ import annotations

import attrs

from itwin_async.emulator.world.tables import Selection


@attrs.frozen
class ListedIds:
    """The ids of a user's favorites or recents."""

    itwins: list[str]
    imodels: list[str]


@attrs.define
class UserLists:
    """What the world keeps for one user."""

    favorite_itwins: set[str] = attrs.Factory(set[str])
    favorite_imodels: dict[str, Selection] = attrs.Factory(dict[str, Selection])
    recent_itwins: list[str] = attrs.Factory(list[str])
    recent_imodels: list[str] = attrs.Factory(list[str])
    denied: set[str] = attrs.Factory(set[str])

    def copy(self) -> UserLists:
        """Return an independent copy."""
        return UserLists(
            set(self.favorite_itwins),
            {key: selection.copy() for key, selection in self.favorite_imodels.items()},
            list(self.recent_itwins),
            list(self.recent_imodels),
            set(self.denied),
        )
