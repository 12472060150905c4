from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from openapi_schema_validator import OAS30Validator

from itwin_async import ApiError, Page, RetryPolicy, Session, imodels, itwins, saved_views, to_dict
from itwin_async.emulator import Emulator, Fault

SAMPLES = {path.stem: path for path in sorted((Path(__file__).parent / "samples").glob("*.json"))}
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
STATUSES = {
    "HeaderNotFound": 401, "InvalidAuthorizationScheme": 401, "InsufficientPermissions": 403,
    "iModelNotFound": 404, "iTwinNotFound": 404, "ResourceNotFound": 404, "iTwinExists": 409,
    "ConflictWithAnotherUser": 409, "NewerChangesExist": 409, "InvalidiModelsRequest": 422,
    "InvalidiTwinsRequest": 422, "InvalidSavedviewsRequest": 422, "RateLimitExceeded": 429,
    "TooManyRequests": 429,
}  # fmt: skip

Sample = dict[str, Any]
First = Callable[[Session], Awaitable[Page[Any]]]

LISTS: Mapping[tuple[str, str], First] = {
    ("GET /imodels/favorites", "iModelsMinimal"): lambda s: _page(imodels.list_favorites(s, ITWIN)),
    ("GET /imodels/favorites", "iModelsRepresentation"): lambda s: _page(
        imodels.list_favorites(s, ITWIN).full()
    ),
    ("GET /imodels/recents", "iModelsMinimal"): lambda s: _page(imodels.list_recents(s, ITWIN)),
    ("GET /itwins/favorites", "iTwinsMinimal"): lambda s: _page(itwins.list_favorites(s)),
    ("GET /itwins/recents", "iTwinsRepresentation"): lambda s: _page(itwins.list_recents(s).full()),
    ("GET /savedviews/tags", "TagsResponse"): lambda s: _page(
        saved_views.list_tags(s, itwin_id=ITWIN)
    ),
}


def _page(pager: Any) -> Awaitable[Page[Any]]:
    return cast("Awaitable[Page[Any]]", pager)


def _read(name: str) -> Sample:
    return cast("Sample", json.loads(SAMPLES[name].read_text(encoding="utf-8")))


def _names(*schemas: str) -> list[str]:
    return [name for name in SAMPLES if _read(name)["schema"] in schemas]


def _lists() -> list[str]:
    return [n for n in SAMPLES if (_read(n)["operation"], _read(n)["schema"]) in LISTS]


def _faults(document: dict[str, Any], schema: str, body: object) -> list[str]:
    validator = OAS30Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    )
    return [error.message for error in validator.iter_errors(body)]


def _faithful(sample: object, ours: object, place: str = "$") -> Iterator[str]:
    """Name what a model lost or changed."""
    if isinstance(sample, dict) and isinstance(ours, dict):
        for key, value in sample.items():
            if value is None:
                if ours.get(key) is not None:
                    yield f"{place}.{key} is {ours[key]}, not null"
            elif key not in ours:
                yield f"{place}.{key} is lost"
            else:
                yield from _faithful(value, ours[key], f"{place}.{key}")
    elif isinstance(sample, str) and isinstance(ours, str) and place.endswith("DateTime"):
        if sample.rstrip("0Z") != ours.rstrip("0Z"):
            yield f"{place} is {ours}, not {sample}"
    elif sample != ours:
        yield f"{place} is {ours}, not {sample}"


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    return cast("dict[str, Any]", Emulator(itwins=0).openapi())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_valid(name: str, components: dict[str, Any]) -> None:
    sample = _read(name)
    assert _faults(components, sample["schema"], sample["body"]) == []


def test_validation_finds_faults(components: dict[str, Any]) -> None:
    body = _read("favorite-imodels-full")["body"]
    body["iModels"][0]["state"] = "started"
    body["iModels"][0]["isSecured"] = "no"
    assert len(_faults(components, "iModelsRepresentation", body)) == 2


@pytest.mark.parametrize("name", _lists())
async def test_pages_decode(name: str) -> None:
    sample = _read(name)
    async with (
        Emulator(itwins=0) as emulator,
        Session(emulator.token, base_url=emulator.base_url, rewrite_links=True) as session,
    ):
        body = json.dumps(sample["body"])
        emulator.fault(Fault(match=sample["operation"], status=200, body=body))
        page = await LISTS[sample["operation"], sample["schema"]](session)
    key = next(key for key in sample["body"] if key != "_links")
    items = sample["body"][key]
    assert len(page.items) == len(items)
    for one, two in zip(items, page.items, strict=True):
        assert list(_faithful(one, to_dict(two))) == []
    for link in ("self", "prev", "next"):
        given = sample["body"].get("_links", {}).get(link)
        assert getattr(page.links, link) == (given and given["href"])


@pytest.mark.parametrize("name", _names("TagResponse"))
async def test_tags_decode(name: str) -> None:
    sample = _read(name)
    async with (
        Emulator(itwins=0) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        body = json.dumps(sample["body"])
        emulator.fault(Fault(match="POST /savedviews/tags", status=201, body=body))
        tag = await saved_views.create_tag(session, "A", itwin_id=ITWIN)
    assert list(_faithful(sample["body"]["tag"], to_dict(tag))) == []


@pytest.mark.parametrize("name", _names("ErrorResponse"))
async def test_errors_are_understood(name: str) -> None:
    error = _read(name)["body"]["error"]
    status = STATUSES[error["code"]]
    async with (
        Emulator(itwins=0) as emulator,
        Session(
            emulator.token, base_url=emulator.base_url, retry=RetryPolicy(rate_limit_retries=0)
        ) as session,
    ):
        body = json.dumps({"error": error})
        emulator.fault(Fault(match="*", status=status, body=body, times=None))
        with pytest.raises(ApiError) as caught:
            await imodels.add_favorite(session, ITWIN)
    raised = caught.value
    assert (raised.status, raised.code, raised.message) == (status, error["code"], error["message"])
    details = error.get("details") or []
    found = [(detail.code, detail.message, detail.target) for detail in raised.details]
    assert found == [(one["code"], one.get("message"), one.get("target")) for one in details]
    inner = [detail.inner_code for detail in raised.details if detail.inner_code]
    assert inner == [one["innerError"]["code"] for one in details if "innerError" in one]


def test_every_sample_has_its_test() -> None:
    without_a_function = {"imodels-of-an-itwin-page", "my-itwins-page"}  # valid, not of a wing
    tested = {*_lists(), *_names("TagResponse", "ErrorResponse", "TagCreate")}
    assert set(SAMPLES) - tested == without_a_function
