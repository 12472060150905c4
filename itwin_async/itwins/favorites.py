"""The calling user's favorite iTwins."""

from __future__ import annotations

from typing import Unpack

from itwin_async.itwins.api import api
from itwin_async.itwins.filters import ListOptions, split
from itwin_async.itwins.models import ITwin, ITwinSummary
from itwin_async.models import Id
from itwin_async.paging import DetailPager
from itwin_async.retry import Repeat
from itwin_async.session import Session

LIST = api.detail_list(
    "list_favorites",
    "GET /favorites",
    "Get My Favorite iTwins",
    ITwinSummary,
    ITwin,
    key="iTwins",
    paging="skip",
)
ADD = api.nothing(
    "add_favorite", "POST /favorites/{itwin_id}", "Add iTwin to My Favorites", repeat=Repeat.SAFE
)
REMOVE = api.nothing(
    "remove_favorite", "DELETE /favorites/{itwin_id}", "Remove iTwin from My Favorites"
)


def list_favorites(
    session: Session, **options: Unpack[ListOptions]
) -> DetailPager[ITwinSummary, ITwin]:
    """
    List the calling user's favorite iTwins.

    Rows that appear or vanish between two pages shift the platform's ``$skip`` window: an iTwin may
    then come twice or be missed.
    """
    return LIST(session, *split(options))


async def add_favorite(session: Session, itwin_id: Id) -> None:
    """Add an iTwin to the favorites; adding it twice changes nothing."""
    await ADD(session, itwin_id=itwin_id)


async def remove_favorite(session: Session, itwin_id: Id) -> None:
    """Remove an iTwin from the favorites."""
    await REMOVE(session, itwin_id=itwin_id)
