"""The calling user's recently used iTwins."""

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
    "list_recents",
    "GET /recents",
    "Get My Recently Used iTwins",
    ITwinSummary,
    ITwin,
    key="iTwins",
    paging="skip",
)
ADD = api.nothing(
    "add_recent", "POST /recents/{itwin_id}", "Add iTwin to My Recents", repeat=Repeat.SAFE
)


def list_recents(
    session: Session, **options: Unpack[ListOptions]
) -> DetailPager[ITwinSummary, ITwin]:
    """
    List the recently used iTwins, newest first; the platform keeps 25.

    Rows that appear or vanish between two pages shift the platform's ``$skip`` window: an iTwin may
    then come twice or be missed.
    """
    return LIST(session, *split(options))


async def add_recent(session: Session, itwin_id: Id) -> None:
    """Put an iTwin at the front of the recently used ones; beyond 25 the oldest falls out."""
    await ADD(session, itwin_id=itwin_id)
