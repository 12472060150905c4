"""httpx and pydantic: the usual pair for a typed client."""

from __future__ import annotations

import asyncio
from datetime import datetime

import httpx
from pydantic import BaseModel, Field

from benchmarks.plan import TOKEN, Plan
from benchmarks.raw import first_page, ids


class Point(BaseModel):
    latitude: float
    longitude: float


class Extent(BaseModel):
    south_west: Point = Field(alias="southWest")
    north_east: Point = Field(alias="northEast")


class Link(BaseModel):
    href: str


class IModelLinks(BaseModel):
    creator: Link | None = None
    changesets: Link | None = None
    named_versions: Link | None = Field(None, alias="namedVersions")


class IModelSummary(BaseModel):
    id: str
    display_name: str | None = Field(None, alias="displayName")
    data_center_location: str | None = Field(None, alias="dataCenterLocation")


class IModel(IModelSummary):
    name: str | None = None
    description: str | None = None
    state: str | None = None
    created_date_time: datetime | None = Field(None, alias="createdDateTime")
    last_changeset_push_date_time: datetime | None = Field(None, alias="lastChangesetPushDateTime")
    itwin_id: str | None = Field(None, alias="iTwinId")
    is_secured: bool | None = Field(None, alias="isSecured")
    extent: Extent | None = None
    containers_enabled: int | None = Field(None, alias="containersEnabled")
    links: IModelLinks | None = Field(None, alias="_links")


class ITwinSummary(BaseModel):
    id: str
    class_: str | None = Field(None, alias="class")
    sub_class: str | None = Field(None, alias="subClass")
    type: str | None = None
    number: str | None = None
    display_name: str | None = Field(None, alias="displayName")


class ITwin(ITwinSummary):
    geographic_location: str | None = Field(None, alias="geographicLocation")
    latitude: float | None = None
    longitude: float | None = None
    iana_time_zone: str | None = Field(None, alias="ianaTimeZone")
    data_center_location: str | None = Field(None, alias="dataCenterLocation")
    status: str | None = None
    parent_id: str | None = Field(None, alias="parentId")
    itwin_account_id: str | None = Field(None, alias="iTwinAccountId")
    image_name: str | None = Field(None, alias="imageName")
    image: str | None = None
    created_date_time: datetime | None = Field(None, alias="createdDateTime")
    created_by: str | None = Field(None, alias="createdBy")
    last_modified_date_time: datetime | None = Field(None, alias="lastModifiedDateTime")
    last_modified_by: str | None = Field(None, alias="lastModifiedBy")


class PageLinks(BaseModel):
    next: Link | None = None


class IModels(BaseModel):
    items: list[IModel] = Field(alias="iModels")
    links: PageLinks = Field(alias="_links")


class IModelSummaries(BaseModel):
    items: list[IModelSummary] = Field(alias="iModels")
    links: PageLinks = Field(alias="_links")


class ITwins(BaseModel):
    items: list[ITwin] = Field(alias="iTwins")
    links: PageLinks = Field(alias="_links")


class HttpxPydantic:
    """One client, each page validated from its bytes."""

    name = "httpx + pydantic"
    apart = False

    async def run(self, url: str, plan: Plan) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": plan.prefer}
        async with httpx.AsyncClient(headers=headers, timeout=60) as client:
            if plan.kind == "writes":
                return await _write(client, url, plan)
            return await _read(client, url, plan)

    async def close(self) -> None:
        return


async def _read(client: httpx.AsyncClient, base: str, plan: Plan) -> int:
    _, link = first_page(base, plan)
    following: str | None = link
    named = 0
    while following:
        response = await client.get(following)
        page = _shape(plan).model_validate_json(response.raise_for_status().content)
        for item in page.items:
            if item.display_name:
                named += 1
        if plan.pause:
            await asyncio.sleep(plan.pause)
        following = page.links.next.href if page.links.next else None
    return named


async def _write(client: httpx.AsyncClient, base: str, plan: Plan) -> int:
    slots = asyncio.Semaphore(plan.concurrency)

    async def put(key: str) -> int:
        async with slots:
            response = await client.put(f"{base}/imodels/favorites/{key}")
            response.raise_for_status()
            return 1

    return sum(await asyncio.gather(*[put(key) for key in ids(plan)]))


def _shape(plan: Plan) -> type[IModels | IModelSummaries | ITwins]:
    if plan.kind == "itwins":
        return ITwins
    return IModels if plan.full else IModelSummaries


def side() -> HttpxPydantic:
    """Make the side."""
    return HttpxPydantic()
