"""The API families: their versions, and how each words its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import attrs
import msgspec

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.schemas import Problem
from itwin_async.emulator.responses import Response


@attrs.frozen(kw_only=True)
class Api:
    """
    An API family.

    Args:
        name: the first segment of its paths.
        title: its name in the documentation.
        version: the version that `Accept` selects.
        invalid_code: the code of its 422.
        rate_limit: code and message of its 429.
        body_detail: the detail for a problem of a request body.
        names_missing: whether an unparsable body is told the required members too.
        json_only: whether it answers 415 for a body of another content type.
        forbids: whether it answers 403 where others answer 404.
        null_links: whether links that are missing from a page are null.
        words: fixed segments of its paths that no operation here has.

    """

    name: str
    title: str
    version: int
    invalid_code: str
    rate_limit: tuple[str, str]
    body_detail: Callable[[Problem], Detail]
    names_missing: bool = False
    json_only: bool = False
    forbids: bool = False
    null_links: bool = False
    words: frozenset[str] = frozenset()

    @property
    def media_type(self) -> str:
        """The media type that `Accept` has to name."""
        return f"application/vnd.bentley.itwin-platform.v{self.version}+json"

    def invalid(self, message: str, details: Sequence[Detail]) -> Response:
        """422 with what is wrong with a request."""
        return errors.error(422, self.invalid_code, message, details, violation=True)

    def too_many_requests(self, headers: Mapping[str, str] | None = None) -> Response:
        """429 in the words of the API."""
        code, message = self.rate_limit
        return errors.error(429, code, message, headers=headers)


def _value_detail(problem: Problem) -> Detail:
    name = str(problem.path[0])
    if problem.keyword == "required" and len(problem.path) == 1:
        return errors.missing(name)
    if problem.keyword == "maxLength":
        return errors.too_long(name, cast("int", problem.schema["maxLength"]))
    if len(problem.path) > 1 or isinstance(problem.value, (dict, list)):
        return errors.invalid(name, name)
    if isinstance(problem.value, str):
        return errors.invalid(name, problem.value[:255])
    return errors.invalid(name, msgspec.json.encode(problem.value).decode())


def _saved_views_detail(problem: Problem) -> Detail:
    name = ".".join(map(str, problem.path))
    format_ = problem.schema.get("format")
    if problem.keyword == "pattern" and format_ is None:
        message = f"{name} must not contain any of the characters < > & \" ' ."
    elif problem.keyword == "additionalProperties":
        message = f"{name} must not be there."
    elif problem.keyword[:3] in {"min", "max"}:
        bound = {"min": "at least", "max": "at most"}[problem.keyword[:3]]
        message = f"{name} must have {bound} {problem.schema[problem.keyword]} elements."
    else:
        kind = str(format_ or problem.schema.get("type", "valid value"))
        message = f"{name} must be {'an' if kind[0] in 'aeiou' else 'a'} {kind}."
    return Detail("InvalidRequestBody", message, str(problem.path[0]) if problem.path else None)


_SUBSCRIPTION_LIMIT = (
    "TooManyRequests",
    "More requests were received than the subscription rate-limit allows.",
)

IMODELS = Api(
    name="imodels",
    title="iModels",
    version=2,
    invalid_code="InvalidiModelsRequest",
    rate_limit=(
        "RateLimitExceeded",
        (
            "The client sent more requests than allowed by this API for the current tier of the "
            "client."
        ),
    ),
    body_detail=_value_detail,
    names_missing=True,
    null_links=True,
)
ITWINS = Api(
    name="itwins",
    title="iTwins",
    version=1,
    invalid_code="InvalidiTwinsRequest",
    rate_limit=_SUBSCRIPTION_LIMIT,
    body_detail=_value_detail,
    words=frozenset({"exports", "repositories"}),
)
SAVED_VIEWS = Api(
    name="savedviews",
    title="Saved Views",
    version=1,
    invalid_code="InvalidSavedviewsRequest",
    rate_limit=_SUBSCRIPTION_LIMIT,
    body_detail=_saved_views_detail,
    json_only=True,
    forbids=True,
)
APIS = {api.name: api for api in (IMODELS, ITWINS, SAVED_VIEWS)}
