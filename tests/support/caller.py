"""A user of the emulator with a plain HTTP client."""

from __future__ import annotations

from typing import Any

import aiohttp
import attrs
from yarl import URL

V1 = "application/vnd.bentley.itwin-platform.v1+json"
V2 = "application/vnd.bentley.itwin-platform.v2+json"


@attrs.frozen
class Reply:
    status: int
    json: Any
    headers: Any
    text: str


class Caller:
    """A user with a plain HTTP client; links are asked for as the server wrote them."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str | None) -> None:
        self.session = session
        self.base_url = base_url
        self.token = token

    async def __call__(self, method: str, target: str, **options: Any) -> Reply:
        headers = dict(options.pop("headers", {}))
        if options.pop("full", False):
            headers["Prefer"] = "return=representation"
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = target if target.startswith("http") else self.base_url + target
        async with self.session.request(
            method, URL(url, encoded=True), headers=headers, allow_redirects=False, **options
        ) as response:
            text = (await response.read()).decode("utf-8", "replace")
            is_json = response.content_type == "application/json" and text != ""
            body = await response.json() if is_json else None
            return Reply(response.status, body, response.headers, text)

    def as_user(self, token: str | None) -> Caller:
        return Caller(self.session, self.base_url, token)

    async def all_pages(self, target: str, key: str, **options: Any) -> list[list[dict[str, Any]]]:
        pages: list[list[dict[str, Any]]] = []
        following: str | None = target
        while following is not None:
            reply = await self("GET", following, **options)
            assert reply.status == 200, reply.text
            pages.append(reply.json[key])
            link = reply.json["_links"].get("next")
            following = link["href"] if link else None
            assert len(pages) < 500
        return pages


def error_of(reply: Reply) -> dict[str, Any]:
    error = reply.json["error"]
    assert isinstance(error, dict)
    return error
