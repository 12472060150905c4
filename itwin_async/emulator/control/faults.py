"""The controls of faults."""

from __future__ import annotations

from collections.abc import Mapping

from itwin_async.emulator.engine import Engine
from itwin_async.emulator.faults.fault import Fault
from itwin_async.emulator.faults.plan import SetFault
from itwin_async.emulator.json_types import Json, JsonObject


class FaultControls:
    """The faults of an emulator."""

    _engine: Engine

    def fail(
        self,
        match: str,
        *,
        status: int,
        retry_after: float | str | None = None,
        times: int | None = 1,
        after: int = 0,
        body: bytes | str | JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        request_headers: Mapping[str, str] | None = None,
        request_json: Json = None,
        user: str | None = None,
        unserved: bool = False,
    ) -> SetFault:
        """
        Respond to requests with an error; with `with`, while a block runs.

        Args:
            match: the requests, as `GET /imodels/favorites`; see `Fault`.
            status: the HTTP status.
            retry_after: value of the header `retry-after`.
            times: how often; forever when None.
            after: how many matching requests pass before.
            body: the body; the platform's own for that status when None.
            headers: further headers.
            query: parameters that the requests have, with their values.
            request_headers: headers that the requests have, with their values.
            request_json: what the JSON body of the requests has, among other members.
            user: the user whose requests are meant; all when None.
            unserved: whether `match` may be of an operation that the emulator does not serve.

        """
        fault = Fault(
            match=match,
            status=status,
            retry_after=retry_after,
            times=times,
            after=after,
            body=body,
            headers=headers or {},
            query=query or {},
            request_headers=request_headers or {},
            request_json=request_json,
            user=user,
            unserved=unserved,
        )
        return self.fault(fault)

    def fault(self, fault: Fault) -> SetFault:
        """Set a fault, and return its entry, whose `applied` says how often it applied."""
        with self._engine.lock:
            return self._engine.faults.add(fault)

    @property
    def faults(self) -> list[SetFault]:
        """The faults that are set, including those that will not apply again."""
        return list(self._engine.faults.entries)

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._engine.lock:
            self._engine.faults.clear()

    def assert_all_faults_used(self) -> None:
        """Fail if a fault that is set applied to no request."""
        __tracebackhide__ = True
        unused = [repr(entry) for entry in self.faults if not entry.applied]
        if unused:
            lines = "\n  ".join(unused)
            raise AssertionError(f"faults that applied to no request:\n  {lines}")
