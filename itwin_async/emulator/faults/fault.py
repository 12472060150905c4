"""A fault: what goes wrong, when, and how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, cast, get_args
from urllib.parse import urlsplit

import attrs
import msgspec

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.near_misses import check_match
from itwin_async.emulator.request_log import RecordedRequest
from itwin_async.emulator.requests import RequestPattern

Drop: TypeAlias = Literal["before", "middle", "after"]
Next: TypeAlias = Literal["foreign", "duplicate", "missing", "loop"]
Churn: TypeAlias = Literal["add", "remove"]
Latency: TypeAlias = float | tuple[float, float]


class FaultError(ValueError):
    """A fault with a value that it cannot have."""


def check_seconds(name: str, seconds: float) -> None:
    """Raise FaultError if a duration is negative, infinite or no number."""
    if not 0 <= seconds < math.inf:
        raise FaultError(f"{name} must be a non-negative number of seconds, not {seconds}")


def _check_match(fault: Fault, _: object, value: str) -> None:
    try:
        RequestPattern(value)
        if not fault.unserved:
            check_match(value)
    except ValueError as error:
        raise FaultError(str(error)) from None


def _check_number(
    low: float, high: float = math.inf
) -> Callable[[object, attrs.Attribute[Any], float | None], None]:
    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not low <= value < high:
            upward = f"at least {low}" if high == math.inf else f"from {low} to {high - 1}"
            raise FaultError(f"{attribute.name} must be {upward}, not {value}")

    return check


def _check_headers(_: object, __: object, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        if not f"{name}{text}".isprintable():
            raise FaultError(f"the header {name!r} has a character that headers cannot have")


def _check_header(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not str(value).isprintable():
        raise FaultError(f"{attribute.name} has a character that headers cannot have")


@attrs.frozen(kw_only=True)
class Answer:
    """
    What the function of a fault answers.

    Args:
        status: the HTTP status.
        body: the body; an object is sent as JSON.
        headers: headers beside the content type, or instead of it.

    """

    status: int = attrs.field(default=200, validator=_check_number(200, 600))
    body: bytes | str | JsonObject | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=_check_headers)


@attrs.frozen(kw_only=True)
class Fault:
    """
    Something that goes wrong with the requests it matches.

    Every fault counts the requests that match it; of those that are due, the one that was set
    first applies.

    Args:
        match: `METHOD /path` with `{id}` or `*` for one segment and a last `/**` for the rest;
            `*` alone for every request of the platform.
        unserved: whether `match` may be of an operation that the emulator does not serve.
        query: parameters that the requests have, with their values.
        request_headers: headers that the requests have, with their values.
        request_json: what the JSON body of the requests has: of objects, these members among
            others.
        times: how often it applies; forever when None.
        after: how many matching requests pass before the first.
        every: with `burst`, it applies to the first `burst` of each so many matching requests.
        burst: see `every`.
        probability: how likely it applies to a request that it is due for.
        seed: makes probabilities and random latencies the same in each run.
        user: the user whose requests it applies to; all when None.
        answer: a function that makes the response, or returns None for the platform's own.
        status: respond with this status and do nothing.
        body: the body of that response, or of a normal one; the platform's own when None.
        headers: headers to add or replace.
        retry_after: value of the header `retry-after`.
        latency: seconds to wait first, fixed or between two bounds.
        drop: close the connection before the work, in the middle of the body, or after the work
            without a response.
        truncate: cut the body to so many bytes, or to a share of it when below 1.
        malformed: make the JSON invalid.
        content_type: another content type.
        trickle: send the body in pieces of so many bytes.
        tick: seconds between these pieces.
        next: change the `next` link: to another host, to the same page, to the first page, or
            leave it out.
        foreign_origin: the other host.
        expire_continuation: refuse a continuation token.
        churn: after the response, add an item in front of the list, remove its first, or call this.

    """

    unserved: bool = False
    match: str = attrs.field(default="*", validator=_check_match)
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    request_headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    request_json: Json = None
    times: int | None = attrs.field(default=1, validator=_check_number(1))
    after: int = attrs.field(default=0, validator=_check_number(0))
    every: int | None = attrs.field(default=None, validator=_check_number(1))
    burst: int = attrs.field(default=1, validator=_check_number(1))
    probability: float = 1.0
    seed: int = 0
    user: str | None = None
    answer: Callable[[RecordedRequest], Answer | None] | None = None
    status: int | None = attrs.field(default=None, validator=_check_number(200, 600))
    body: bytes | str | JsonObject | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=_check_headers)
    retry_after: float | str | None = attrs.field(default=None, validator=_check_header)
    latency: Latency = 0.0
    drop: Drop | None = None
    truncate: float | None = attrs.field(default=None, validator=_check_number(0))
    malformed: bool = False
    content_type: str | None = attrs.field(default=None, validator=_check_header)
    trickle: int | None = attrs.field(default=None, validator=_check_number(1))
    tick: float = 0.01
    next: Next | None = None
    foreign_origin: str = "https://elsewhere.example"
    expire_continuation: bool = False
    churn: Churn | Callable[[], None] | None = None

    def __attrs_post_init__(self) -> None:
        """Raise FaultError for values that exclude each other or that no fault can have."""
        for name, words in (("drop", Drop), ("next", Next)):
            value = getattr(self, name)
            if value is not None and value not in get_args(words):
                raise FaultError(f"{name} must be one of {', '.join(get_args(words))}")
        if isinstance(self.churn, str) and self.churn not in get_args(Churn):
            raise FaultError(f"churn must be one of {', '.join(get_args(Churn))}, or a function")
        if not 0 <= self.probability <= 1:
            raise FaultError("probability must lie between 0 and 1")
        waits = self.latency if isinstance(self.latency, tuple) else (self.latency,)
        for name, seconds in (("tick", self.tick), *(("latency", wait) for wait in waits)):
            check_seconds(name, seconds)
        try:
            urlsplit(self.foreign_origin)
        except ValueError:
            raise FaultError(f"foreign_origin must be a URL, not {self.foreign_origin!r}") from None
        if waits[0] > waits[-1]:
            raise FaultError(f"latency must go upward, not from {waits[0]} to {waits[-1]}")

    @classmethod
    def from_json(cls, content: object) -> Fault:
        """Return the fault of a JSON object; FaultError if a member is unknown or wrong."""
        if not isinstance(content, Mapping):
            raise FaultError("a fault must be an object")
        content = cast("Mapping[str, object]", content)
        names = {field.name for field in attrs.fields(cls)} - {"answer"}
        unknown = sorted(set(content) - names)
        if unknown:
            raise FaultError(f"unknown member {unknown[0]!r}; known are {', '.join(sorted(names))}")
        # A null means the default, except for `times`: there it means forever.
        values = {k: v for k, v in content.items() if v is not None or k == "times"}
        kinds: Mapping[str, tuple[type, ...]] = _KINDS
        for name, value in values.items():
            if value is not None and (
                not isinstance(value, kinds[name])
                or (isinstance(value, bool) and bool not in kinds[name])
            ):
                raise FaultError(f"{name} cannot be {msgspec.json.encode(value).decode()}")
        if isinstance(values.get("latency"), list):
            low_high = cast("list[float]", values["latency"])
            if [isinstance(one, (int, float)) for one in low_high] != [True, True]:
                raise FaultError("latency is a number or a list of two")
            values["latency"] = (float(low_high[0]), float(low_high[1]))
        for name in ("query", "headers", "request_headers"):
            texts = cast("Mapping[str, object]", values.get(name, {}))
            if not all(isinstance(text, str) for text in texts.values()):
                raise FaultError(f"the values of {name} must be strings")
        return cls(**values)  # type: ignore[arg-type]

    def describe(self) -> str:
        """Return the fault in a few words."""
        words = [self.match]
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            silent = field.name in {"match", "headers", "body"} or value == {}
            if not silent and value != field.default:
                word = f"{field.name}={getattr(value, '__name__', value)}"
                words.append("forever" if field.name == "times" and value is None else word)
        return " ".join(words)


_NUMBER = (int, float)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "match": (str,), "unserved": (bool,), "query": (dict,), "request_headers": (dict,),
    "request_json": (object,), "times": (int,), "after": (int,), "every": (int,), "burst": (int,),
    "probability": _NUMBER, "seed": (int,), "user": (str,), "status": (int,),
    "body": (str, dict), "headers": (dict,), "retry_after": (int, float, str),
    "latency": (int, float, list), "drop": (str,), "truncate": _NUMBER, "malformed": (bool,),
    "content_type": (str,), "trickle": (int,), "tick": _NUMBER, "next": (str,),
    "foreign_origin": (str,), "expire_continuation": (bool,), "churn": (str,),
}  # fmt: skip
