"""Lists of the blobs in a container, in the XML of Azure Blob Storage."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from itwin_async.emulator.requests import Query
from itwin_async.emulator.responses import Response
from itwin_async.emulator.storage import errors
from itwin_async.emulator.storage.blobs import BlobRecord, list_blobs
from itwin_async.emulator.storage.conditions import http_date
from itwin_async.emulator.storage.errors import StorageError
from itwin_async.emulator.world.state import World

_MOST = 5000


def respond(world: World, container: str, query: Query) -> Response:
    """Answer a request for a page of a container's blobs; a marker is the next one's name."""
    prefix, marker = query.get("prefix", ""), query.get("marker", "")
    most = query.get("maxresults", str(_MOST))
    if not most.isdecimal() or int(most) < 1:
        raise StorageError(errors.invalid_query("maxresults"))
    blobs = [blob for blob in list_blobs(world, container, prefix) if blob.id >= marker]
    page, rest = blobs[: min(int(most), _MOST)], blobs[min(int(most), _MOST) :]
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<EnumerationResults ContainerName={quoteattr(container)}>"
        f"<Prefix>{escape(prefix)}</Prefix><Blobs>{''.join(map(_shown, page))}</Blobs>"
        f"<NextMarker>{escape(rest[0].id) if rest else ''}</NextMarker></EnumerationResults>"
    )
    return Response(200, text.encode(), {"Content-Type": errors.XML_TYPE})


def _shown(blob: BlobRecord) -> str:
    members = {
        "Last-Modified": http_date(blob.modified),
        "Etag": blob.etag,
        "Content-Length": str(blob.size),
        "BlobType": "BlockBlob",
    }
    properties = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    return f"<Blob><Name>{escape(blob.id)}</Name><Properties>{properties}</Properties></Blob>"
