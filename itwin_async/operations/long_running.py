"""Operations that go on after their answer, and waiting for their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

import attrs

from itwin_async._arguments import above_zero
from itwin_async._http.urls import parse
from itwin_async.errors import DecodeError, OperationFailedError, TransportError
from itwin_async.models import Id
from itwin_async.operations.kinds import EntityOperation, Operation, Query
from itwin_async.session import Session, internals_of

T = TypeVar("T")


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
        self, session: Session, *, query: Query | None = None, json: object = None, **ids: Id
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
        return await status(self._session, query=None, json=None, content=None, **ids)

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
        operation = self._operation
        await wait_for_end(
            self._session,
            self.status,
            lambda progress: getattr(progress, "state", None),
            succeeded=operation.succeeded,
            failed=operation.failed,
            what=operation.title,
            id=self.id,
            timeout=timeout,
            poll=poll,
        )
        return self.id


async def wait_for_end(
    session: Session,
    ask: Callable[[], Awaitable[T]],
    state_of: Callable[[T], object],
    *,
    succeeded: Collection[str],
    failed: Collection[str],
    what: str,
    id: str,  # noqa: A002 - as in the error
    timeout: float,  # noqa: ASYNC109
    poll: float,
) -> T:
    """
    Ask again and again until the answer's state is one of those that end it.

    Args:
        session: whose clock is used.
        ask: asks once.
        state_of: reads the state off an answer.
        succeeded: states that end it well.
        failed: states that end it otherwise.
        what: name of the operation, for messages.
        id: id of the entity, for messages.
        timeout: how long to wait, in seconds.
        poll: seconds between two questions.

    Raises:
        OperationFailedError: it ended otherwise.
        TransportError: it has not ended in time.

    """
    limits = _Limits(timeout, poll)
    policy = internals_of(session).client.retry
    end = policy.clock() + limits.timeout
    while True:
        answer = await ask()
        state = str(state_of(answer))
        if state in succeeded:
            return answer
        if state in failed:
            raise OperationFailedError(f"{what} of {id} ended as {state!r}", id=id, state=state)
        if policy.clock() + limits.poll > end:
            raise TransportError(
                f"{what} of {id} is {state!r} after {limits.timeout:g} s",
                sent=True,
                timeout=True,
                retryable=False,
                kind="waiting",
            )
        await policy.sleep(limits.poll)


@attrs.frozen
class _Limits:
    timeout: float = attrs.field(validator=above_zero)
    poll: float = attrs.field(validator=above_zero)


def _last_segment(address: str) -> str:
    try:
        return parse(address).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""
