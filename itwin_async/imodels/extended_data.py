"""What applications keep beside a changeset."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Unpack, cast

from itwin_async._arguments import invalid
from itwin_async._http.request_builder import encoded
from itwin_async._json.codec import parse
from itwin_async._json.model import model
from itwin_async.errors import DecodeError
from itwin_async.imodels._arguments import id_or_number
from itwin_async.imodels.api import api
from itwin_async.models import Id
from itwin_async.paging import NumberedPaging, Pager
from itwin_async.session import Session

_LIMIT = 204_800


@model
class ChangesetExtendedData:
    """
    What an application keeps beside a changeset.

    Attributes:
        changeset_id: id of the changeset.
        changeset_index: its index.
        data: base64 of a JSON object, see ``decoded()``.

    """

    changeset_id: str | None = None
    changeset_index: int | None = None
    data: str | None = None

    def decoded(self) -> object:
        """
        Read ``data``; ``None`` where there is none.

        Raises:
            DecodeError: it is not base64 of JSON.

        """
        if self.data is None:
            return None
        try:
            return parse(base64.b64decode(self.data, validate=True))
        except (ValueError, binascii.Error):
            raise DecodeError("the data is not base64", json_path="$.data") from None


LIST = api.list(
    "list_extended_data",
    "GET /{imodel_id}/changesets/extendeddata",
    "Get Changesets Extended Data",
    ChangesetExtendedData,
    key="extendedData",
    paging="skip",
)
GET = api.entity(
    "get_extended_data",
    "GET /{imodel_id}/changesets/{changeset}/extendeddata",
    "Get Changeset Extended Data",
    ChangesetExtendedData,
    key="extendedData",
)
CREATE = api.entity(
    "create_extended_data",
    "POST /{imodel_id}/changesets/{changeset}/extendeddata",
    "Create Changeset Extended Data",
    ChangesetExtendedData,
    key="extendedData",
)


def list_extended_data(
    session: Session, imodel_id: Id, **paging: Unpack[NumberedPaging]
) -> Pager[ChangesetExtendedData]:
    """List the extended data of an iModel's changesets."""
    return LIST(session, {}, paging, imodel_id=imodel_id)


async def get_extended_data(
    session: Session, imodel_id: Id, changeset: str | int
) -> ChangesetExtendedData:
    """Get the extended data of a changeset, by its id or its index."""
    number = id_or_number("changeset", changeset)
    return await GET(session, imodel_id=imodel_id, changeset=number)


async def create_extended_data(
    session: Session, imodel_id: Id, changeset: str | int, data: Mapping[str, object]
) -> ChangesetExtendedData:
    """
    Set the extended data of a changeset, by its id or its index.

    Only who made the changeset can, and only once. As base64 it may take 204,800 bytes.
    """
    if not isinstance(cast("object", data), Mapping):
        raise invalid("data", data, "a mapping")
    text = base64.b64encode(encoded("data", data))
    if len(text) > _LIMIT:
        raise invalid("data", data, f"at most {_LIMIT} bytes as base64 of JSON")
    number = id_or_number("changeset", changeset)
    body = {"data": text.decode()}
    return await CREATE(session, json=body, imodel_id=imodel_id, changeset=number)
