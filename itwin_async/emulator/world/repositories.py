"""Repositories of iTwins, their resources, and those that the platform makes by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import attrs

from itwin_async.emulator.world.belongings import belonging
from itwin_async.emulator.world.records import IModelRecord
from itwin_async.emulator.world.state import World
from itwin_async.emulator.world.tables import Rows

SUB_CLASSES: Mapping[str, tuple[str, ...]] = {
    "GeographicInformationSystem": (
        "WebMapService",
        "WebMapTileService",
        "MapServer",
        "WebFeatureService",
        "ArcGIS",
        "UrlTemplate",
        "OgcApiFeatures",
    ),
    "Construction": ("Performance",),
    "Subsurface": ("EvoWorkspace",),
}
GENERATED_CLASSES = (
    "iModels",
    "RealityData",
    "Storage",
    "Forms",
    "Issues",
    "SensorData",
    "GeospatialFeatures",
    "PdfPlansets",
    "IndexedMedia",
    "CesiumCuratedContent",
    "Cesium",
)
CLASSES_WITH_RESOURCES = frozenset(
    {
        "iModels",
        "RealityData",
        "GeospatialFeatures",
        "PdfPlansets",
        "CesiumCuratedContent",
        "Cesium",
        "GeographicInformationSystem",
    }
)
_IMODELS = "imodels"


@belonging
@attrs.frozen(kw_only=True)
class RepositoryRecord:
    """
    A repository.

    Args:
        id: the id of its iTwin, empty for a global one, a slash, and its own id.
        class_: its class.
        sub_class: its subclass.
        display_name: its name.
        uri: its address; a path is one of this server.
        authentication: how the address is asked.
        options: its options.
        generated: whether the platform made it by itself.

    """

    id: str
    class_: str
    sub_class: str | None = None
    display_name: str | None = None
    uri: str
    authentication: dict[str, str] | None = None
    options: dict[str, Any] | None = None
    generated: bool = False

    @property
    def itwin_id(self) -> str:
        """The id of its iTwin; empty for a global one."""
        return self.id.partition("/")[0]

    @property
    def own_id(self) -> str:
        """Its id on the wire."""
        return self.id.partition("/")[2]

    @property
    def path(self) -> str:
        """Its path on the server."""
        owner = f"/{self.itwin_id}" if self.itwin_id else ""
        return f"/itwins{owner}/repositories/{self.own_id}"


@belonging
@attrs.frozen(kw_only=True)
class ResourceRecord:
    """
    A resource of a repository.

    Args:
        id: the id of the repository's record, a slash, and its own id.
        class_: the class of the repository.
        sub_class: the subclass of the repository.
        display_name: its name.
        type: the type of its graphics.
        properties: what the repository tells of it.
        graphics: how it can be drawn, as on the wire.

    """

    id: str
    class_: str
    sub_class: str | None = None
    display_name: str
    type: str | None = None
    properties: dict[str, Any] | None = None
    graphics: tuple[dict[str, Any], ...] = ()

    @property
    def repository_id(self) -> str:
        """The id of the repository's record."""
        return "/".join(self.id.split("/", 2)[:2])

    @property
    def own_id(self) -> str:
        """Its id on the wire."""
        return self.id.split("/", 2)[2]


def repositories_of(world: World, itwin_id: str) -> Mapping[str, RepositoryRecord]:
    """Return by id the repositories of an iTwin, or the global ones if the id is empty."""
    found = [_curated(itwin_id)] if itwin_id else [_GLOBAL]
    if itwin_id in world.itwins and len(world.imodels_of(itwin_id)):
        found.append(_of_imodels(itwin_id))
    found += world.belongings.of(RepositoryRecord, itwin_id).values()
    return {repository.own_id: repository for repository in found}


def resource_of(
    world: World, repository: RepositoryRecord, resource_id: str
) -> ResourceRecord | None:
    """Return a resource of a repository."""
    if _is_of_imodels(repository):
        imodel = world.imodel(resource_id.lower())
        if imodel is None or imodel.itwin_id != repository.itwin_id:
            return None
        return _of_imodel(repository, imodel)
    record_id = f"{repository.id}/{resource_id}"
    stored = world.belongings.of(ResourceRecord, repository.id).get(record_id)
    return stored or next((row for row in _made(repository) if row.id == record_id), None)


def resources_of(
    world: World, repository: RepositoryRecord, may_see: Callable[[str], bool]
) -> Sequence[ResourceRecord]:
    """Return the resources of a repository; iModels are among them if they may be seen."""
    if _is_of_imodels(repository):
        rows = world.imodels_of(repository.itwin_id).where(lambda imodel: may_see(imodel.id))
        return _IModelResources(repository, rows)
    stored = world.belongings.of(ResourceRecord, repository.id)
    return [*_made(repository), *stored.values()]


def _is_of_imodels(repository: RepositoryRecord) -> bool:
    return repository.generated and repository.own_id == _IMODELS


def _curated(itwin_id: str) -> RepositoryRecord:
    own_id = "cesiumcuratedcontent"
    return RepositoryRecord(
        id=f"{itwin_id}/{own_id}",
        class_="CesiumCuratedContent",
        display_name="Cesium Curated Content",
        uri=f"/itwins/{itwin_id}/repositories/{own_id}/resources",
        generated=True,
    )


def _of_imodels(itwin_id: str) -> RepositoryRecord:
    return RepositoryRecord(
        id=f"{itwin_id}/{_IMODELS}",
        class_="iModels",
        display_name="iModels",
        uri=f"/imodels?iTwinId={itwin_id}",
        generated=True,
    )


_GLOBAL = RepositoryRecord(
    id="/cesium",
    class_="Cesium",
    display_name="Cesium",
    uri="/itwins/repositories/cesium/resources",
    generated=True,
)
_CURATED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "1",
        "World Terrain",
        {
            "type": "TERRAIN",
            "uri": "https://assets.example.net/1/layer.json",
            "authentication": {"type": "Header", "key": "Authorization", "value": "Bearer asset"},
        },
    ),
    (
        "2",
        "Aerial Imagery",
        {
            "type": "IMAGERY",
            "uri": "https://assets.example.net/2/{z}/{x}/{y}.jpg",
            "authentication": {"type": "QueryParameter", "key": "key", "value": "asset"},
            "provider": {
                "name": "UrlTemplateImageryProvider",
                "options": {
                    "tilingScheme": "Geographic",
                    "bounds": [-180, -90, 180, 90],
                    "credit": "Example Imagery",
                },
            },
        },
    ),
    (
        "96188",
        "Buildings of the World",
        {"type": "3DTILES", "uri": "https://assets.example.net/96188/tileset.json?sig=asset"},
    ),
    (
        "3830182",
        "Satellite Map",
        {
            "type": "IMAGERY",
            "uri": "https://tile.example.net/v1/2dtiles",
            "provider": {
                "name": "Google2DImageryProvider",
                "options": {
                    "mapType": "satellite",
                    "url": "https://tile.example.net/",
                    "session": "session",
                    "tileWidth": 256,
                    "tileHeight": 256,
                    "imageFormat": "jpeg",
                },
            },
        },
    ),
)


def _made(repository: RepositoryRecord) -> list[ResourceRecord]:
    """Return the resources that a repository of the platform has from the beginning."""
    if not repository.generated or repository.class_ not in {"Cesium", "CesiumCuratedContent"}:
        return []
    return [
        ResourceRecord(
            id=f"{repository.id}/{own_id}",
            class_=repository.class_,
            display_name=name,
            type=graphics["type"],
            properties={"description": f"{name}, everywhere"},
            graphics=(graphics,),
        )
        for own_id, name, graphics in _CURATED
    ]


def _of_imodel(repository: RepositoryRecord, imodel: IModelRecord) -> ResourceRecord:
    return ResourceRecord(
        id=f"{repository.id}/{imodel.id}",
        class_="iModels",
        display_name=imodel.display_name,
        type="3DTILES",
        properties={"description": imodel.description, "createdDateTime": imodel.created},
    )


@attrs.frozen(eq=False)
class _IModelResources(Sequence[ResourceRecord]):
    """iModels as resources, built when looked at."""

    repository: RepositoryRecord
    imodels: Rows[IModelRecord]

    def __len__(self) -> int:
        return len(self.imodels)

    @overload
    def __getitem__(self, index: int) -> ResourceRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[ResourceRecord]: ...
    def __getitem__(self, index: int | slice) -> ResourceRecord | list[ResourceRecord]:
        if isinstance(index, slice):
            return [_of_imodel(self.repository, imodel) for imodel in self.imodels[index]]
        return _of_imodel(self.repository, self.imodels[index])
