"""Operations that answer with nothing, with one member, or with bytes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping
from typing import ClassVar, Generic, TypeVar, get_origin

import attrs

from itwin_async._http.attempt import Response
from itwin_async._http.urls import segment
from itwin_async.errors import DecodeError
from itwin_async.models import UNSET, Content, Id
from itwin_async.retry import Repeat
from itwin_async.session import Session, internals_of

T = TypeVar("T")


Query = Mapping[str, str]


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@attrs.frozen(eq=False)
class Siblings:
    """
    What the operations of an API know of each other.

    Attributes:
        names: their names.
        words: fixed segments of their paths, in lower case, by what stands before them.

    """

    names: set[str] = attrs.field(factory=set)
    words: dict[str, set[str]] = attrs.field(factory=dict)

    def add(self, name: str, path: str) -> None:
        """Note an operation."""
        self.names.add(name)
        for before, part in _steps(path):
            words = self.words.setdefault(before, set())
            if not _PLACEHOLDER.fullmatch(part):
                words.add(part.lower())

    def fixed(self, path: str) -> tuple[set[str], ...]:
        """Find the words that no id of a path can be, also of operations that come later."""
        return tuple(
            self.words.setdefault(before, set())
            for before, part in _steps(path)
            if _PLACEHOLDER.fullmatch(part)
        )


def _steps(path: str) -> Iterator[tuple[str, str]]:
    before = ""
    for part in path.split("/"):
        yield before, part
        before += "/" + _PLACEHOLDER.sub("{}", part)


@attrs.frozen(eq=False, kw_only=True)
class Operation:
    """
    An operation of the platform.

    Attributes:
        name: its function, for instance ``"imodels.list_favorites"``; part of every cursor.
        title: the platform's own name of it.
        method: HTTP method.
        path: path with placeholders, for instance ``"/savedviews/tags/{tag_id}"``.
        accept: the ``Accept`` header.
        repeat: whether it may be sent twice; ``None`` for what its method implies.
        own_limit: whether the platform limits how often a user may call it, beside all other calls.
        siblings: what is known of the other operations of its API.

    """

    kind: ClassVar[str]

    name: str
    title: str
    method: str
    path: str
    accept: str = attrs.field(repr=False)
    repeat: Repeat | None = attrs.field(default=None, repr=False)
    own_limit: bool = attrs.field(default=False, repr=False)
    siblings: Siblings = attrs.field(factory=Siblings, repr=False)
    _parts: tuple[str, ...] = attrs.field(
        default=attrs.Factory(lambda self: tuple(_PLACEHOLDER.split(self.path)), takes_self=True),
        init=False,
        repr=False,
    )
    _fixed: tuple[set[str], ...] = attrs.field(
        default=attrs.Factory(lambda self: self.siblings.fixed(self.path), takes_self=True),
        init=False,
        repr=False,
    )

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the ids in the path."""
        return self._parts[1::2]

    @property
    def result(self) -> str:
        """What its function returns, for people; empty for nothing."""
        return ""

    def quoted_path(self, ids: Mapping[str, Id]) -> str:
        """
        Put ids into the path.

        Raises:
            ArgumentError: a value cannot be an id.

        """
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 3 and len(ids) == 1:  # noqa: PLR2004 - most have one id
            return f"{parts[0]}{segment(parts[1], ids[parts[1]], self._fixed[0])}{parts[2]}"
        if len(ids) != len(parts) // 2:
            raise TypeError(f"{self.name} takes the ids {', '.join(self.placeholders)}")
        path = parts[0]
        for name, fixed, literal in zip(parts[1::2], self._fixed, parts[2::2], strict=True):
            path += segment(name, ids[name], fixed) + literal
        return path

    def send(
        self,
        session: Session,
        ids: Mapping[str, Id],
        query: Query | None = None,
        json: object = None,
        *,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable[Response]:
        """
        Send the request.

        Members of ``json`` that are ``UNSET`` are left out; ``content`` is sent instead of JSON.
        """
        limit = self.limit_of(session)
        if json is not None and isinstance(json, Mapping):
            json = {name: value for name, value in json.items() if value is not UNSET}
        if content is not None:
            headers = {"Content-Type": content.content_type, **(headers or {})}
        return session.request(
            self.method,
            self.quoted_path(ids),
            params=query or (),
            json=json,
            body=None if content is None else content.body,
            accept=self.accept,
            headers=headers,
            repeat=self.repeat,
            limit=limit,
        )

    def limit_of(self, session: Session) -> str:
        """
        Name the limit that its calls have of their own, beside that of all calls.

        Raises:
            ArgumentError: the session has a quota of an operation that this API does not have.

        """
        limits = internals_of(session).client.operation_limits
        if limits.quotas:
            limits.check_names(self.name.partition(".")[0], self.siblings.names)
        return self.name if self.own_limit or self.name in limits.quotas else ""


@attrs.frozen(eq=False, kw_only=True)
class NothingOperation(Operation):
    """An operation that answers with nothing."""

    kind = "nothing"

    def __call__(
        self,
        session: Session,
        *,
        query: Query | None = None,
        json: object = None,
        content: Content | None = None,
        **ids: Id,
    ) -> Awaitable[Response]:
        """Call the operation; the answer says no more than that it succeeded."""
        return self.send(session, ids, query, json, content=content)


@attrs.frozen(eq=False, kw_only=True)
class EntityOperation(Operation, Generic[T]):
    """
    An operation that answers with one member: an entity in its envelope, or a plain value.

    Attributes:
        cls: class of the entity, or type of the plain value.
        key: name of the member.
        full: whether the platform has summaries of it too, and must be asked for the whole.

    """

    kind = "entity"

    cls: type[T]
    key: str
    full: bool = False

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return _type_name(self.cls)

    async def __call__(
        self,
        session: Session,
        *,
        query: Query | None = None,
        json: object = None,
        content: Content | None = None,
        **ids: Id,
    ) -> T:
        """
        Call the operation.

        Raises:
            DecodeError: the answer is not as documented.

        """
        headers = {"Prefer": "return=representation"} if self.full else None
        response = await self.send(session, ids, query, json, content=content, headers=headers)
        try:
            return internals_of(session).codec.member(response.body, self.cls, self.key)
        except DecodeError as error:
            raise response.blame(error) from None


@attrs.frozen(eq=False, kw_only=True)
class ContentOperation(Operation):
    """
    An operation that answers with bytes.

    Attributes:
        media: what the content type of the answer begins with, such as ``"image/"``.

    """

    kind = "content"

    media: str = ""

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return "Content"

    async def __call__(self, session: Session, *, query: Query | None = None, **ids: Id) -> Content:
        """
        Call the operation.

        Raises:
            DecodeError: the answer is of another type than documented.

        """
        response = await self.send(session, ids, query)
        found = response.headers.get("Content-Type", "")
        if not found.lower().startswith(self.media):
            error = DecodeError(f"expected the content type {self.media}*, got {found!r}")
            raise response.blame(error)
        return Content(response.body, found)


def _type_name(cls: type) -> str:
    return cls.__name__ if get_origin(cls) is None else str(cls)
