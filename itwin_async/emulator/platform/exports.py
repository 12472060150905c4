"""The iTwins API: exports of iTwins to a file."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import ceil

import attrs
import msgspec

from itwin_async.emulator.clock import stamp
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors, itwins
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.administrators import require_administrator
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.stored import download_url
from itwin_async.emulator.storage.blobs import put_blob
from itwin_async.emulator.world.itwin_data import ExportPlanRecord, ExportRecord

_KEPT = 4 * 3600.0
_HOUR, _IN_AN_HOUR = 3600.0, 3
_DEFAULT_SELECT = "id,class,subClass,type,number,displayName"
_ADMINISTRATORS = "OrganizationAdmin"
_FORMATS = {
    "JsonGZip": ("json.gz", "application/gzip"),
    "JsonZipArchive": ("zip", "application/zip"),
    "CsvGZip": ("csv.gz", "application/gzip"),
    "Csv": ("csv", "text/csv"),
}
_REQUEST: JsonObject = {
    "outputFormat": s.texts(*_FORMATS),
    "queryScope": {
        "type": "string",
        "enum": ["MemberOfiTwin", _ADMINISTRATORS, None],
        "nullable": True,
    },
    "subClass": {**itwins.SUB_CLASSES, "nullable": True},
    "select": s.TEXT_OR_NULL,
    "filter": s.TEXT_OR_NULL,
    "includeInactive": {**s.FLAG, "nullable": True},
}
_CREATE = s.define("ExportCreate", s.objects(_REQUEST, "outputFormat", additionalProperties=True))
_EXPORT = s.define(
    "Export",
    s.objects(
        {
            "id": s.TEXT,
            "request": s.define("ExportRequest", s.objects(_REQUEST, "outputFormat")),
            "status": s.texts("Queued", "InProgress", "Completed", "Failed"),
            "outputUrl": s.TEXT_OR_NULL,
            "createdBy": s.TEXT,
            "createdDateTime": s.MOMENT,
            "startedDateTime": s.MOMENT_OR_NULL,
            "completedDateTime": s.MOMENT_OR_NULL,
        }
    ),
)


def _exports(call: Call) -> list[ExportRecord]:
    """Return the caller's exports of the last hours, the newest first, and forget older ones."""
    belongings, now = call.world.belongings, call.clock.now()
    rows = list(belongings.of(ExportRecord).values())
    for row in rows:
        if row.created <= now - _KEPT:
            belongings.drop(ExportRecord, row.id)
    kept = [row for row in belongings.of(ExportRecord).values() if row.user_id == call.user.id]
    return kept[::-1]


def _find(call: Call, export_id: str) -> ExportRecord | None:
    return next((row for row in _exports(call) if row.id == export_id.lower()), None)


def _create(call: Call, content: JsonObject) -> ExportRecord:
    request: JsonObject = {
        "queryScope": content.get("queryScope") or "MemberOfiTwin",
        "subClass": content.get("subClass"),
        "select": content.get("select"),
        "filter": content.get("filter"),
        "includeInactive": content.get("includeInactive") or False,
        "outputFormat": content["outputFormat"],
    }
    if request["queryScope"] == _ADMINISTRATORS:
        require_administrator(call)
    selected = _selected(call, request)
    now = call.clock.now()
    _check_quotas(call, now)
    world = call.world
    plan = world.belongings.of(ExportPlanRecord).get("next", ExportPlanRecord())
    suffix, media_type = _FORMATS[str(request["outputFormat"])]
    export_id = world.new_id()
    name = f"{export_id}.{suffix}"
    data = _WRITERS[str(request["outputFormat"])](selected, export_id)
    put_blob(world, call.clock, export_id, name, data, content_type=media_type)
    return ExportRecord(
        id=export_id,
        request=request,
        user_id=call.user.id,
        created=now,
        begins=now + plan.queued,
        ends=now + plan.queued + plan.running,
        fails=plan.fails,
        file_name=name,
    )


def _selected(call: Call, request: Mapping[str, Json]) -> list[JsonObject]:
    """Return what an export of the present iTwins has, or fail with 422."""
    # Blanks may be written as in a query.
    expression = str(request["filter"] or "").replace("+", " ")
    select = str(request["select"] or _DEFAULT_SELECT)
    values: JsonObject = {
        "subClass": request["subClass"],
        "includeInactive": request["includeInactive"],
        "$filter": expression,
        "$select": select,
        itwins.SCOPE: request["queryScope"],
    }
    asked = attrs.evolve(call, values=values)
    details = itwins.check_odata(asked)
    if details:
        raise errors.OperationError(api.ITWINS.invalid("Cannot query iTwins.", details))
    names = [name.strip() for name in select.split(",")]
    rows = (itwin.full() for itwin in itwins.listed(asked, call.world.itwins.values()))
    return [{name: row[name] for name in names} for row in rows]


def _check_quotas(call: Call, now: float) -> None:
    """Fail with 429 if the caller has an unfinished export, or had too many in an hour."""
    mine = _exports(call)
    recent = [row for row in mine if row.created > now - _HOUR]
    waits = [row.ends - now for row in mine if row.ends > now]
    if len(recent) >= _IN_AN_HOUR:
        waits.append(recent[_IN_AN_HOUR - 1].created + _HOUR - now)
    if waits:
        headers = {"retry-after": str(ceil(max(waits)))}
        raise errors.OperationError(api.ITWINS.too_many_requests(headers))


def _json(rows: list[JsonObject]) -> bytes:
    return msgspec.json.encode(rows)


def _csv(rows: list[JsonObject]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def _zipped(data: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # The time of a real clock would make another file in every run.
        archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


_WRITERS: Mapping[str, Callable[[list[JsonObject], str], bytes]] = {
    "JsonGZip": lambda rows, _: gzip.compress(_json(rows), mtime=0),
    "JsonZipArchive": lambda rows, export_id: _zipped(_json(rows), f"{export_id}.json"),
    "CsvGZip": lambda rows, _: gzip.compress(_csv(rows), mtime=0),
    "Csv": lambda rows, _: _csv(rows),
}


def _moment(seconds: float) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC), 3)


def _shown(export: ExportRecord, _: str) -> JsonObject:
    return {
        "id": export.id,
        "request": export.request,
        "status": "Queued",
        "outputUrl": None,
        "createdBy": export.user_id,
        "createdDateTime": _moment(export.created),
        "startedDateTime": None,
        "completedDateTime": None,
    }


def _progress(call: Call, export: ExportRecord, shown: JsonObject) -> JsonObject:
    now = call.clock.now()
    status = export.status(now)
    found: JsonObject = {**shown, "status": status}
    if status == "Completed":
        found["outputUrl"] = download_url(call, export.id, export.file_name)
    if now >= export.begins:
        found["startedDateTime"] = _moment(export.begins)
    if now >= export.ends:
        found["completedDateTime"] = _moment(export.ends)
    return found


EXPORTS = Collection[ExportRecord](
    api=api.ITWINS,
    name="Export",
    key="export",
    keys="exports",
    schema=_EXPORT,
    show=_shown,
    complete=_progress,
    find=_find,
    put=lambda call, export: call.world.belongings.put(export),
    drop=lambda call, export: call.world.belongings.drop(ExportRecord, export.id),
    linked=False,
)

ROUTES = (
    EXPORTS.create("POST /itwins/exports", "Create Export", _create, body=_CREATE, forbids=True),
    EXPORTS.list("GET /itwins/exports", "Get My Exports", _exports),
    EXPORTS.get("GET /itwins/exports/{id}", "Get Export"),
)
