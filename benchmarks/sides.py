"""What is compared: each side does the same work in its own way."""

from __future__ import annotations

from typing import Protocol

from benchmarks.plan import Plan


class NotOffered(Exception):  # noqa: N818 - an answer, not a failure
    """
    A side cannot run here, or does not have that kind of operation; the text says why.
    """


class Side(Protocol):
    """One way to do the work of a plan."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    @property
    def apart(self) -> bool:
        """Whether it computes in another process than this."""
        ...

    async def run(self, url: str, plan: Plan) -> int:
        """
        Do the whole work of a plan, opening and closing what it takes.

        Args:
            url: base URL of the server.
            plan: the work.

        Returns:
            How many items came, or calls succeeded.
        """
        ...

    async def close(self) -> None:
        """Release what outlives a run."""
        ...
