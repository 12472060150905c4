"""How iModels come to be: new ones, clones, forks, and baseline files."""

from __future__ import annotations

from typing import cast

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changesets import ID_OR_EMPTY
from itwin_async.emulator.platform.copies import copy_history
from itwin_async.emulator.platform.imodel_files import baseline_size
from itwin_async.emulator.platform.imodels import CHANGE, IMODELS, reading, visible_itwin
from itwin_async.emulator.platform.permissions import may, require
from itwin_async.emulator.platform.routes import Route
from itwin_async.emulator.platform.stored import (
    STORAGE_LINK,
    download_url,
    storage_link,
    upload_url,
)
from itwin_async.emulator.responses import Response
from itwin_async.emulator.storage.blobs import find_blob
from itwin_async.emulator.world.creations import (
    BASELINE,
    BaselineFileRecord,
    CopyOrigin,
    CreationRecord,
    baseline_of,
    creation_of,
    schedule,
)
from itwin_async.emulator.world.factories import new_imodel
from itwin_async.emulator.world.ids import guid_of
from itwin_async.emulator.world.records import IModelRecord

OUTCOMES = ("successful", "failed", "mainIModelIsMissingFederationGuids")
_MODES = {
    "empty": "",
    "fromiModelVersion": "template",
    "fromIModelVersion": "template",
    "fromBaseline": "baselineFile",
}
_TEMPLATE = s.objects({"iModelId": s.GUID, "changesetId": ID_OR_EMPTY}, "iModelId")
_CREATE = s.define(
    "iModelCreate",
    s.objects(
        {
            "iTwinId": s.GUID,
            **CHANGE,
            "creationMode": s.texts(*_MODES),
            "geographicCoordinateSystem": s.objects({"horizontalCRSId": s.TEXT}, nullable=True),
            "template": {**_TEMPLATE, "nullable": True},
            "baselineFile": {
                **s.objects({"size": s.between(1, 2**53 - 1)}, "size"),
                "nullable": True,
            },
        },
        "iTwinId",
        "name",
        additionalProperties=True,
    ),
)
_COPY: JsonObject = {
    "iTwinId": s.GUID,
    "name": s.NAME,
    "description": s.SHORT_TEXT_OR_NULL,
    "changesetId": ID_OR_EMPTY,
    "changesetIndex": {**s.between(0, 2**31 - 1), "nullable": True},
    "containersEnabled": s.between(0, 7),
}
_CLONE = s.define("iModelClone", s.objects(_COPY, "iTwinId", additionalProperties=True))
_FORK = s.define(
    "iModelFork",
    s.objects({**_COPY, "preserveHistory": s.FLAG}, "iTwinId", additionalProperties=True),
)
_ORIGIN = s.each(s.TEXT, "iModelId changesetId")
_OPERATION = s.objects(
    {
        "state": s.texts("scheduled", "waitingForFile", *OUTCOMES),
        "clonedFrom": s.objects(_ORIGIN, nullable=True),
        "forkedFrom": s.objects({**_ORIGIN, "relationshipId": s.TEXT}, nullable=True),
    }
)
_BASELINE_STATES = (
    "initialized",
    "waitingForFile",
    "initializationScheduled",
    "initializationFailed",
    "fileIsBriefcase",
)
_BASELINE = s.define(
    "BaselineFile",
    s.objects(
        {
            **s.each(s.TEXT, "id displayName"),
            "fileSize": {"type": "integer"},
            "state": s.texts(*_BASELINE_STATES),
            "_links": s.define(
                "BaselineFileLinks", s.objects({"creator": s.LINK, "download": STORAGE_LINK})
            ),
        }
    ),
)


def _create(call: Call, content: JsonObject) -> IModelRecord:
    itwin_id = visible_itwin(call, str(content["iTwinId"]))
    mode = content.get("creationMode")
    # The official clients send no mode unless their user does.
    told = next((name for name in ("template", "baselineFile") if content.get(name)), "")
    needed = _MODES[str(mode)] if mode else told
    if needed and not content.get(needed):
        detail = errors.missing(needed)
        raise errors.OperationError(api.IMODELS.invalid("Cannot create iModel.", [detail]))
    new = new_imodel(call.world, call.clock, itwin_id)
    new = IMODELS.changed(attrs.evolve(new, creator_id=call.user.id), content)
    if IMODELS.taken(call, new) or not needed:
        return new
    if needed == "template":
        _check_template(call, new, cast("JsonObject", content["template"]))
        ready = call.clock.now() + call.work_seconds
        schedule(call.world, new.id, CreationRecord(state="scheduled", ready=ready))
    else:
        size = cast("int", cast("JsonObject", content["baselineFile"])["size"])
        file = BaselineFileRecord(
            id=call.world.new_id(), file_size=size, state="waitingForFile", creator_id=call.user.id
        )
        call.world.belongings.put(file, new.id)
        schedule(call.world, new.id, CreationRecord(state="waitingForFile"))
    return attrs.evolve(new, state="notInitialized")


def _check_template(call: Call, new: IModelRecord, template: JsonObject) -> None:
    source = IMODELS.find(call, str(template["iModelId"]))
    if source is None or not may(call, source.id, "imodels_read"):
        raise errors.OperationError(errors.not_found(IMODELS.name))
    _last_copied(call, source, cast("str | None", template.get("changesetId")), None)
    if source.data_center_location != new.data_center_location:
        message = "The template is in another data center."
        detail = errors.Detail("InvalidValue", message, "template")
        raise errors.OperationError(api.IMODELS.invalid("Cannot create iModel.", [detail]))


def _with_upload_links(call: Call, imodel: IModelRecord, shown: JsonObject) -> JsonObject:
    links: JsonObject = {**cast("JsonObject", shown["_links"]), "upload": None, "complete": None}
    file = baseline_of(call.world, imodel.id)
    if file is not None and file.state == "waitingForFile":
        links["upload"] = storage_link(upload_url(call, imodel.id, BASELINE))
        links["complete"] = {"href": f"{call.origin}/imodels/{imodel.id}/baselinefile"}
    return {**shown, "_links": links}


def _last_copied(
    call: Call, source: IModelRecord, changeset_id: str | None, index: int | None
) -> tuple[int, str]:
    """Return index and id of the last changeset to copy: all of them unless one is named."""
    history = call.world.history(source.id)
    if changeset_id == "" or index == 0:
        return 0, ""
    if changeset_id is None and index is None:
        index = len(history)
        last = history.last
        if last is not None and last.waits:
            index -= 1
        if index == 0:
            return 0, ""
    found = history.find(changeset_id.lower()) if changeset_id else history.at(index or 0)
    if found is None or found.waits:
        raise errors.OperationError(errors.not_found("Changeset"))
    return found.index, found.id


def _copy(call: Call, body: JsonObject, verb: str) -> Response:
    source = IMODELS.one(call)
    content = IMODELS.content(call, body, f"Cannot {verb} iModel.")
    if content.get("changesetId") is not None and content.get("changesetIndex") is not None:
        message = "Properties 'changesetId' and 'changesetIndex' are mutually exclusive."
        code = "MutuallyExclusivePropertiesProvided"
        detail = errors.Detail(code, message, "changesetIndex")
        raise errors.OperationError(api.IMODELS.invalid(f"Cannot {verb} iModel.", [detail]))
    require(call, source.id, "imodels_manage")
    itwin_id = visible_itwin(call, str(content["iTwinId"]))
    last, changeset_id = _last_copied(
        call,
        source,
        cast("str | None", content.get("changesetId")),
        cast("int | None", content.get("changesetIndex")),
    )
    new = attrs.evolve(
        new_imodel(call.world, call.clock, itwin_id, source.name),
        description=source.description,
        extent=source.extent,
        containers_enabled=source.containers_enabled,
        creator_id=call.user.id,
        state="notInitialized",
    )
    IMODELS.store(call, IMODELS.changed(new, content))
    ready, origin = call.clock.now() + call.work_seconds, CopyOrigin(source.id, changeset_id)
    creation = CreationRecord(state="scheduled", ready=ready, cloned_from=origin)
    if verb == "fork":
        origin = attrs.evolve(origin, relationship_id=call.world.new_id())
        creation = attrs.evolve(creation, cloned_from=None, forked_from=origin)
    if verb == "clone" or content.get("preserveHistory"):
        copy_history(call.world, source.id, new.id, last)
    schedule(call.world, new.id, creation)
    here = f"{call.origin}/imodels/{new.id}"
    return Response(
        202, b"", {"Location": here, "Create-iModel-Operation": f"{here}/operations/create"}
    )


def _operation(call: Call) -> JsonObject:
    imodel = IMODELS.one(call)
    found = creation_of(call.world, imodel.id)
    if found is None:
        state = "successful" if imodel.state == "initialized" else "scheduled"
        found = CreationRecord(state=state)
    return {
        "state": found.state,
        "clonedFrom": _origin(found.cloned_from),
        "forkedFrom": _origin(found.forked_from),
    }


def _origin(origin: CopyOrigin | None) -> JsonObject | None:
    if origin is None:
        return None
    shown: JsonObject = {"iModelId": origin.imodel_id, "changesetId": origin.changeset_id}
    if origin.relationship_id is not None:
        shown["relationshipId"] = origin.relationship_id
    return shown


def _baseline(call: Call) -> JsonObject:
    imodel = IMODELS.one(call)
    file = baseline_of(call.world, imodel.id) or BaselineFileRecord(
        id=guid_of(f"baseline:{imodel.id}"),
        file_size=baseline_size(call.world, imodel),
        state="initialized",
        creator_id=imodel.creator_id,
    )
    readable = file.state == "initialized" and may(call, imodel.id, "imodels_read")
    link = storage_link(download_url(call, imodel.id, BASELINE)) if readable else None
    creator = f"{call.origin}/imodels/{imodel.id}/users/{file.creator_id}"
    return {
        "id": file.id,
        "displayName": imodel.name,
        "fileSize": file.file_size,
        "state": file.state,
        "_links": {"creator": {"href": creator}, "download": link},
    }


def _completed(call: Call) -> JsonObject:
    imodel = IMODELS.one(call)
    require(call, imodel.id, "imodels_manage")
    file = baseline_of(call.world, imodel.id)
    if file is not None and file.state == "waitingForFile":
        blob = find_blob(call.world, imodel.id, BASELINE)
        if blob is None:
            raise errors.OperationError(errors.not_found("File"))
        if blob.size != file.file_size:
            message = f"The file has {blob.size} bytes; {file.file_size} were announced."
            detail = errors.Detail("InvalidChange", message, "size")
            failure = "Cannot complete Baseline File upload."
            raise errors.OperationError(api.IMODELS.invalid(failure, [detail]))
        file = attrs.evolve(file, state="initializationScheduled")
        call.world.belongings.put(file, imodel.id)
        ready = call.clock.now() + call.work_seconds
        schedule(call.world, imodel.id, CreationRecord(state="scheduled", ready=ready))
    return _baseline(call)


def _copy_route(verb: str, body: JsonObject) -> Route:
    return Route(
        method="POST",
        path=f"/imodels/{{id}}/{verb}",
        title=f"{verb.capitalize()} iModel",
        api=api.IMODELS,
        handler=lambda call: _copy(call, body, verb),
        body=body,
        success=202,
        forbids=True,
        conflicts=True,
    )


_FILE = "/imodels/{id}/baselinefile"
ROUTES = (
    IMODELS.create(
        "POST /imodels", "Create iModel", _create, body=_CREATE, finish=_with_upload_links
    ),
    _copy_route("clone", _CLONE),
    _copy_route("fork", _FORK),
    reading(
        "GET /imodels/{id}/operations/create",
        "Get Create iModel Operation Details",
        "createOperation",
        _operation,
        s.define("CreateOperation", _OPERATION),
    ),
    reading(
        f"GET {_FILE}", "Get iModel Baseline File Details", "baselineFile", _baseline, _BASELINE
    ),
    reading(
        f"POST {_FILE}",
        "Complete iModel Baseline File Upload",
        "baselineFile",
        _completed,
        _BASELINE,
        forbids=True,
    ),
)
