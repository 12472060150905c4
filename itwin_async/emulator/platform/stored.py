"""Links to files in the storage."""

from __future__ import annotations

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.schemas import TEXT, define, objects
from itwin_async.emulator.storage.signatures import LIST, PREFIX, READ, WRITE, sign

STORAGE_LINK = define(
    "StorageLink", objects({"href": TEXT, "storageType": TEXT}, "href", nullable=True)
)


def download_url(call: Call, container: str, name: str) -> str:
    """Return a signed URL that reads a blob until it expires."""
    return _url(call, container, name, READ)


def upload_url(call: Call, container: str, name: str) -> str:
    """Return a signed URL that writes a blob until it expires."""
    return _url(call, container, name, WRITE)


def storage_url(call: Call) -> str:
    """Return the address of the storage; containers are below it."""
    return call.request.origin + PREFIX


def container_token(call: Call, container: str) -> str:
    """Return a signed query that lists a container and reads its blobs until it expires."""
    return sign(call.world.seed, container, None, READ + LIST, _expires(call)).partition("?")[2]


def storage_link(url: str) -> JsonObject:
    """Return the link object of a signed URL."""
    return {"href": url, "storageType": "azure"}


def _url(call: Call, container: str, name: str, permissions: str) -> str:
    # The storage is no part of the platform: `links_origin` does not move it.
    path = sign(call.world.seed, container, name, permissions, _expires(call))
    return call.request.origin + path


def _expires(call: Call) -> float:
    return call.clock.now() + call.style.storage_link_lifetime
