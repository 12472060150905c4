from __future__ import annotations

import concurrent.futures
import copy
import inspect
import json
import multiprocessing
import pickle

import pytest

import itwin_async
from itwin_async import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DecodeError,
    ErrorDetail,
    FileTransferError,
    InvalidRequestError,
    ITwinError,
    NotFoundError,
    OperationFailedError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ServerError,
    TransportError,
)
from itwin_async._arguments import invalid
from itwin_async._http.error_mapping import error_from_response

WHERE = {"method": "GET", "path": "/x", "request_id": "id-1"}
API = {
    "status": 422,
    "code": "C",
    "target": "t",
    "details": (ErrorDetail("a", "b", "c", "d"),),
    "retry_after": 1.5,
    "extra": {"k": [1, {"z": None}]},
    **WHERE,
}


class OwnError(NotFoundError):
    """A caller's subclass."""


API_ERRORS: list[type[ApiError]] = [
    ApiError, InvalidRequestError, AuthenticationError, PermissionDeniedError, NotFoundError,
    ConflictError, RateLimitError, ServerError, OwnError,
]  # fmt: skip

EXAMPLES: list[ITwinError] = [
    ITwinError("m"),
    ArgumentError("name must be a text; got 5", argument="name"),
    ConfigurationError("m"),
    RequestError("m", **WHERE),
    TransportError("m", sent=True, timeout=True, retryable=False, **WHERE),
    DecodeError("m", json_path="$.a[0]", status=200, **WHERE),
    PaginationError("m", **WHERE),
    FileTransferError("m", name="n"),
    OperationFailedError("m", id="i", state="failed"),
    *(cls("m", **API) for cls in API_ERRORS),  # type: ignore[arg-type]
]
each = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def test_every_public_error_has_an_example() -> None:
    public = {
        value
        for value in vars(itwin_async).values()
        if inspect.isclass(value) and issubclass(value, BaseException)
    }
    assert public <= {type(error) for error in EXAMPLES}


def same(one: ITwinError, other: ITwinError) -> None:
    assert type(one) is type(other)
    assert one.args == other.args
    assert vars(one) == vars(other)
    assert str(one) == str(other)
    assert one.cursor == other.cursor


@each
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_pickle(error: ITwinError, protocol: int) -> None:
    same(pickle.loads(pickle.dumps(error, protocol)), error)


@each
def test_errors_keep_cursor_and_notes(error: ITwinError) -> None:
    mine = copy.copy(error)
    mine.cursor = "place"
    mine.add_note("a note")
    back = pickle.loads(pickle.dumps(mine))
    same(back, mine)
    assert back.cursor == "place"
    assert back.__notes__ == ["a note"]
    same(copy.deepcopy(mine), mine)


@each
def test_errors_are_raised_and_caught_by_the_root(error: ITwinError) -> None:
    with pytest.raises(ITwinError):
        raise copy.copy(error)
    assert str(error)
    assert "None" not in str(error)


def test_errors_cross_processes() -> None:
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        error = pool.submit(_raise_not_found).exception()
    assert isinstance(error, NotFoundError)
    assert (error.status, error.code, error.request_id) == (404, "C", "id-1")


def _raise_not_found() -> None:
    raise NotFoundError("m", status=404, code="C", **WHERE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (300, ApiError), (400, InvalidRequestError), (401, AuthenticationError),
        (402, ApiError), (403, PermissionDeniedError), (404, NotFoundError), (409, ConflictError),
        (413, InvalidRequestError), (415, InvalidRequestError), (422, InvalidRequestError),
        (418, ApiError), (429, RateLimitError), (500, ServerError), (503, ServerError),
        (599, ServerError),
    ],
)  # fmt: skip
def test_the_status_decides_the_class(status: int, cls: type[ApiError]) -> None:
    body = b'{"error": {"code": "RateLimitExceeded", "message": "m"}}'
    error = error_from_response(status, body, method="GET", path="/x", request_id="r")
    assert type(error) is cls
    assert (error.code, error.message) == ("RateLimitExceeded", "m")


def test_what_a_stranger_reads() -> None:
    error = NotFoundError(
        "Requested iModel is not available.", status=404, code="iModelNotFound", **WHERE
    )
    assert str(error) == (
        "404 iModelNotFound: Requested iModel is not available. (GET /x, request id id-1)"
    )
    lost = TransportError("no connection", sent=False, **WHERE)
    assert str(lost) == "no connection (GET /x, request id id-1)"
    assert str(invalid("page_size", 0, "1 to 1000")) == "page_size must be 1 to 1000; got 0"
    assert len(str(invalid("id", "x" * 10_000, "short"))) < 200


def test_an_argument_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="page_size"):
        raise invalid("page_size", 0, "1 to 1000")


@pytest.mark.parametrize(
    ("status", "code", "hinted"),
    [
        (401, "HeaderNotFound", True),
        (401, None, True),
        (403, "InsufficientPermissions", True),
        (404, "ResourceNotFound", True),
        (404, "iModelNotFound", True),
        (302, None, True),
        (304, None, False),
        (409, "iModelExists", False),
        (422, "InvalidiModelsRequest", False),
        (500, None, False),
    ],
)
def test_usual_causes_are_an_attribute_and_end_the_text(
    status: int, code: str | None, hinted: bool
) -> None:
    body = json.dumps({"error": {"code": code, "message": "M."}}).encode()
    error = error_from_response(status, body, method="GET", path="/x", request_id="1")
    assert bool(error.hint) == hinted
    assert "\n" not in error.hint
    assert error.hint in str(error)
    assert pickle.loads(pickle.dumps(error)).hint == error.hint


def test_hints_differ_by_code_and_are_the_platforms_only() -> None:
    hints = {
        error_from_response(
            status,
            json.dumps({"code": code, "message": "M."}).encode(),
            method="GET",
            path="/x",
            request_id="1",
        ).hint
        for status, code in [
            (401, "HEADERNOTFOUND"),
            (401, "x"),
            (404, "resourcenotfound"),
            (404, "x"),
        ]
    }
    assert len(hints) == 4
    own = AuthenticationError("sign in", status=401)
    assert own.hint == ""
