"""An API of the platform, on which its operations are declared."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict, TypeVar

import attrs

from itwin_async.operations.kinds import (
    ContentOperation,
    EntityOperation,
    NothingOperation,
    Operation,
    Siblings,
)
from itwin_async.operations.lists import DetailListOperation, ListOperation
from itwin_async.operations.long_running import StartOperation
from itwin_async.paging import PagingMode
from itwin_async.retry import Repeat

T = TypeVar("T")


F = TypeVar("F")


Declared = TypeVar("Declared", bound=Operation)


class _Facts(TypedDict):
    name: str
    title: str
    method: str
    path: str
    accept: str
    siblings: Siblings


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
    _siblings: Siblings = attrs.field(factory=Siblings, init=False, repr=False)

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
        full: bool = False,
        repeat: Repeat | None = None,
        own_limit: bool = False,
    ) -> EntityOperation[T]:
        """Declare an operation that answers with one entity in an envelope, or a plain member."""
        facts = self._facts(name, route, title)
        return self._declare(
            EntityOperation(
                **facts, cls=cls, key=key, full=full, repeat=repeat, own_limit=own_limit
            )
        )

    def content(self, name: str, route: str, title: str, *, media: str = "") -> ContentOperation:
        """Declare an operation that answers with bytes."""
        return self._declare(ContentOperation(**self._facts(name, route, title), media=media))

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
        own_limit: bool = False,
    ) -> StartOperation[T]:
        """Declare an operation that starts a long-running one."""
        facts = self._facts(name, route, title)
        return self._declare(
            StartOperation(
                **facts, status=status, succeeded=succeeded, failed=failed, own_limit=own_limit
            )
        )

    def _facts(self, name: str, route: str, title: str) -> _Facts:
        method, _, path = route.partition(" ")
        return {
            "name": f"{self.name}.{name}",
            "title": title,
            "method": method,
            "path": self.prefix + path.removesuffix("/"),
            "accept": self.accept,
            "siblings": self._siblings,
        }

    def _declare(self, operation: Declared) -> Declared:
        self.operations[operation.name] = operation
        self._siblings.add(operation.name, operation.path)
        return operation
