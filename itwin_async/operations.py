"""What an operation of the platform is: declared once, called by its typed function."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import ClassVar, Generic, TypedDict, TypeVar

import attrs

from itwin_async._arguments import above_zero
from itwin_async._http.attempt import Response
from itwin_async._http.urls import parse, segment
from itwin_async.errors import DecodeError, OperationFailedError, TransportError
from itwin_async.models import UNSET, Content
from itwin_async.paging import DetailPager, List, NumberedPaging, Pager, Paging, PagingMode
from itwin_async.retry import Repeat
from itwin_async.session import Session, internals_of

T = TypeVar("T")
F = TypeVar("F")

Query = Mapping[str, str]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


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

    """

    kind: ClassVar[str]

    name: str
    title: str
    method: str
    path: str
    accept: str = attrs.field(repr=False)
    repeat: Repeat | None = attrs.field(default=None, repr=False)
    _parts: tuple[str, ...] = attrs.field(
        default=attrs.Factory(lambda self: tuple(_PLACEHOLDER.split(self.path)), takes_self=True),
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

    def quoted_path(self, ids: Mapping[str, str]) -> str:
        """
        Put ids into the path.

        Raises:
            ArgumentError: a value cannot be an id.

        """
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        if len(ids) != len(parts) // 2:
            raise TypeError(f"{self.name} takes the ids {', '.join(self.placeholders)}")
        return "".join(
            segment(part, ids[part]) if index % 2 else part for index, part in enumerate(parts)
        )

    async def send(
        self,
        session: Session,
        ids: Mapping[str, str],
        query: Query | None = None,
        json: object = None,
    ) -> Response:
        """Send the request; members of ``json`` that are ``UNSET`` are left out."""
        internals_of(session)  # a clear error where it is no session
        if isinstance(json, Mapping):
            json = {name: value for name, value in json.items() if value is not UNSET}
        return await session.request(
            self.method,
            self.quoted_path(ids),
            params=query or (),
            json=json,
            accept=self.accept,
            repeat=self.repeat,
        )


@attrs.frozen(eq=False, kw_only=True)
class NothingOperation(Operation):
    """An operation that answers with nothing."""

    kind = "nothing"

    async def __call__(
        self, session: Session, *, query: Query | None = None, json: object = None, **ids: str
    ) -> None:
        """Call the operation."""
        await self.send(session, ids, query, json)


@attrs.frozen(eq=False, kw_only=True)
class EntityOperation(Operation, Generic[T]):
    """
    An operation that answers with one member: an entity in its envelope, or a plain value.

    Attributes:
        cls: class of the entity, or type of the plain value.
        key: name of the member.

    """

    kind = "entity"

    cls: type[T]
    key: str

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return _type_name(self.cls)

    async def __call__(
        self, session: Session, *, query: Query | None = None, json: object = None, **ids: str
    ) -> T:
        """
        Call the operation.

        Raises:
            DecodeError: the answer is not as documented.

        """
        response = await self.send(session, ids, query, json)
        try:
            return internals_of(session).codec.member(response.body, self.cls, self.key)
        except DecodeError as error:
            raise response.blame(error) from None


@attrs.frozen(eq=False, kw_only=True)
class ContentOperation(Operation):
    """An operation that answers with bytes."""

    kind = "content"

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return "Content"

    async def __call__(
        self, session: Session, *, query: Query | None = None, **ids: str
    ) -> Content:
        """Call the operation."""
        response = await self.send(session, ids, query)
        return Content(response.body, response.headers.get("Content-Type", ""))


@attrs.frozen(eq=False, kw_only=True)
class ListOperation(Operation, Generic[T]):
    """
    An operation that lists entities over pages.

    Attributes:
        item: class of the entities.
        key: member of the answer that holds them.
        paging: ``"token"`` for continuation tokens, ``"skip"`` for pages numbered by ``$skip``,
            ``"top"`` where only the page size can be chosen, ``"none"`` for one page.

    """

    kind = "list"

    item: type[T]
    key: str
    paging: PagingMode

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return f"Pager[{self.item.__name__}]"

    def __call__(
        self, session: Session, query: Query, paging: Paging | NumberedPaging, **ids: str
    ) -> Pager[T]:
        """Make a pager; nothing is requested yet."""
        return Pager(session, self._list(self.item, None, query, ids), self._checked(paging))

    def _list(
        self, item: type[F], prefer: str | None, query: Query, ids: Mapping[str, str]
    ) -> List[F]:
        path, names = self.quoted_path(ids), tuple(query.items())
        return List(self.name, path, names, self.key, item, self.accept, prefer, self.paging)

    def _checked(self, paging: Paging | NumberedPaging) -> NumberedPaging:
        unknown = paging.keys() - NumberedPaging.__annotations__.keys()
        if unknown:
            raise TypeError(f"{self.name}() got an unexpected keyword argument {min(unknown)!r}")
        return paging  # type: ignore[return-value]


@attrs.frozen(eq=False, kw_only=True)
class DetailListOperation(ListOperation[T], Generic[T, F]):
    """
    An operation that lists summaries, or whole entities.

    Attributes:
        full: class of the whole entities.

    """

    full: type[F]

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return f"DetailPager[{self.item.__name__}, {self.full.__name__}]"

    def __call__(
        self, session: Session, query: Query, paging: Paging | NumberedPaging, **ids: str
    ) -> DetailPager[T, F]:
        """Make a pager; nothing is requested yet."""
        return DetailPager(
            session,
            self._list(self.item, "return=minimal", query, ids),
            self._list(self.full, "return=representation", query, ids),
            self._checked(paging),
        )


@attrs.frozen(eq=False, kw_only=True)
class StartOperation(Operation, Generic[T]):
    """
    An operation that starts a long-running one; the new entity's id comes in ``Location``.

    Attributes:
        status: the operation that tells how far it is; its one placeholder is the new id.
        succeeded: states that end it well.
        failed: states that end it otherwise.

    """

    kind = "start"

    status: EntityOperation[T]
    succeeded: Collection[str]
    failed: Collection[str]

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return "LongRunning"

    async def __call__(
        self, session: Session, *, query: Query | None = None, json: object = None, **ids: str
    ) -> LongRunning[T]:
        """
        Start it.

        Raises:
            DecodeError: the answer has no ``Location``.

        """
        response = await self.send(session, ids, query, json)
        new_id = _last_segment(response.headers.get("Location", ""))
        if not new_id:
            raise response.blame(DecodeError("the answer has no Location header with an id"))
        return LongRunning(session, self, new_id)


@attrs.frozen(eq=False)
class LongRunning(Generic[T]):
    """
    A long-running operation of the platform.

    Attributes:
        id: id of the entity that it makes.

    """

    _session: Session = attrs.field(repr=False)
    _operation: StartOperation[T] = attrs.field(repr=False)
    id: str

    async def status(self) -> T:
        """Ask once how far it is."""
        status = self._operation.status
        ids = {status.placeholders[0]: self.id}
        return await status(self._session, query=None, json=None, **ids)

    async def wait(self, *, timeout: float = 3600.0, poll: float = 5.0) -> str:  # noqa: ASYNC109
        """
        Wait until it has succeeded, and return the id of the new entity.

        Args:
            timeout: how long to wait, in seconds.
            poll: seconds between two questions.

        Raises:
            OperationFailedError: it ended otherwise.
            TransportError: it has not ended in time.

        """
        limits = _Limits(timeout, poll)
        policy = internals_of(self._session).client.retry
        end = policy.clock() + limits.timeout
        operation = self._operation
        while True:
            state = str(getattr(await self.status(), "state", None))
            if state in operation.succeeded:
                return self.id
            if state in operation.failed:
                raise OperationFailedError(
                    f"{operation.title} of {self.id} ended as {state!r}", id=self.id, state=state
                )
            if policy.clock() + limits.poll > end:
                raise TransportError(
                    f"{operation.title} of {self.id} is {state!r} after {limits.timeout:g} s",
                    sent=True,
                    timeout=True,
                    retryable=False,
                )
            await policy.sleep(limits.poll)


@attrs.frozen
class _Limits:
    timeout: float = attrs.field(validator=above_zero)
    poll: float = attrs.field(validator=above_zero)


class _Facts(TypedDict):
    name: str
    title: str
    method: str
    path: str
    accept: str


Declared = TypeVar("Declared", bound=Operation)


@attrs.frozen(eq=False)
class Api:
    """
    One API of the platform, and the operations that are declared on it.

    Args:
        name: the module that its functions are called from, such as ``"imodels"``.
        prefix: what its paths begin with, such as ``"/imodels"``.
        accept: the ``Accept`` header, which selects the version.

    """

    name: str
    prefix: str
    accept: str
    operations: dict[str, Operation] = attrs.field(factory=dict, init=False, repr=False)

    def nothing(
        self, name: str, route: str, title: str, *, repeat: Repeat | None = None
    ) -> NothingOperation:
        """Declare an operation that answers with nothing."""
        return self._declare(NothingOperation(**self._facts(name, route, title), repeat=repeat))

    def entity(
        self,
        name: str,
        route: str,
        title: str,
        cls: type[T],
        *,
        key: str,
        repeat: Repeat | None = None,
    ) -> EntityOperation[T]:
        """Declare an operation that answers with one entity in an envelope, or a plain member."""
        facts = self._facts(name, route, title)
        return self._declare(EntityOperation(**facts, cls=cls, key=key, repeat=repeat))

    def content(self, name: str, route: str, title: str) -> ContentOperation:
        """Declare an operation that answers with bytes."""
        return self._declare(ContentOperation(**self._facts(name, route, title)))

    def list(
        self, name: str, route: str, title: str, item: type[T], *, key: str, paging: PagingMode
    ) -> ListOperation[T]:
        """Declare a list."""
        facts = self._facts(name, route, title)
        return self._declare(ListOperation(**facts, item=item, key=key, paging=paging))

    def detail_list(
        self,
        name: str,
        route: str,
        title: str,
        summary: type[T],
        full: type[F],
        *,
        key: str,
        paging: PagingMode,
    ) -> DetailListOperation[T, F]:
        """Declare a list that gives summaries, or whole entities."""
        facts = self._facts(name, route, title)
        return self._declare(
            DetailListOperation(**facts, item=summary, full=full, key=key, paging=paging)
        )

    def start(
        self,
        name: str,
        route: str,
        title: str,
        *,
        status: EntityOperation[T],
        succeeded: Collection[str],
        failed: Collection[str],
    ) -> StartOperation[T]:
        """Declare an operation that starts a long-running one."""
        facts = self._facts(name, route, title)
        return self._declare(
            StartOperation(**facts, status=status, succeeded=succeeded, failed=failed)
        )

    def _facts(self, name: str, route: str, title: str) -> _Facts:
        method, _, path = route.partition(" ")
        return {
            "name": f"{self.name}.{name}",
            "title": title,
            "method": method,
            "path": self.prefix + path.removesuffix("/"),
            "accept": self.accept,
        }

    def _declare(self, operation: Declared) -> Declared:
        self.operations[operation.name] = operation
        return operation


def _last_segment(address: str) -> str:
    try:
        return parse(address).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def _type_name(cls: type) -> str:
    return cls.__name__ if type(cls) is type else str(cls)
