"""Pictures as bytes, wherever they lie."""

from __future__ import annotations

from typing import TypeAlias

from itwin_async import imodels, itwins, saved_views
from itwin_async._arguments import invalid
from itwin_async._http.credentials import Secret
from itwin_async.files import storage
from itwin_async.files.entities import PictureSize, remote_file
from itwin_async.files.storage import Address, SignedFile
from itwin_async.models import Content
from itwin_async.session import Session, internals_of

Pictured: TypeAlias = (
    imodels.IModelSummary | itwins.ITwinSummary | itwins.ITwinImage | saved_views.SavedViewSummary
)


async def fetch_picture(
    session: Session, entity: Pictured, *, picture_size: PictureSize = "large"
) -> Content:
    """
    Fetch the picture of an iModel, an iTwin or a saved view into memory.

    It comes from the platform, from a ``data:`` URL or, without the token, from the storage.

    Raises:
        FileTransferError: the platform gives no address.
        ITwinError: the platform or the storage refused.

    """
    remote = remote_file(session, entity, picture_size=picture_size)
    if not remote.picture:
        raise invalid("entity", entity, "an iModel, an iTwin or its image, or a saved view")
    first = remote.href or await remote.ask()
    if isinstance(first, Content):
        return first

    async def ask() -> str | None:
        found = await remote.ask()
        return found if isinstance(found, str) else None

    async def get(address: Address) -> Content:
        request = address.request(internals_of(session).client, "GET")
        response = await storage.send(session, request)
        return Content(response.body, response.headers.get("Content-Type", ""))

    href = Secret(first) if first else None
    return await SignedFile(remote.name, href, ask, remote.missing).use(get)
