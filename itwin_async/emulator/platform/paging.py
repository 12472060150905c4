"""Pages: their parameters, their rows and their links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.schemas import TEXT, between

R = TypeVar("R")

# The index of the row that follows the last item of the page before; None for another list's item.
After: TypeAlias = Callable[["Call", Sequence[Any], str], "int | None"]

START = "00000000-0000-0000-0000-000000000000"
DEFAULT_TOP, MAX_TOP = 100, 1000
_TOP = between(1, MAX_TOP, default=DEFAULT_TOP)
_SKIP: JsonObject = between(0, 10**11 - 1, default=0)
_TOKEN = "$continuationToken"  # noqa: S105 - the name of a parameter


@attrs.frozen(kw_only=True)
class Paging:
    """
    How the lists of an API are divided into pages.

    Args:
        top_message: the error for a wrong `$top`; the usual one when empty.
        skip_message: the error for a wrong `$skip`; the usual one when empty.
        after: finds the row after a continuation token; None if there are no tokens.
        filters_first: whether links have the filters before `$skip` or the token.
        by_token: whether a list goes on by a token although it was asked for without one.

    """

    top_message: str = ""
    skip_message: str = ""
    after: After | None = None
    filters_first: bool = False
    by_token: Callable[[Call], bool] = lambda _: False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that select a page."""
        top = Parameter("$top", _TOP, message=self.top_message)
        skip = Parameter("$skip", _SKIP, message=self.skip_message)
        return (top, skip) if self.after is None else (top, skip, Parameter(_TOKEN, TEXT))

    def check(self, call: Call) -> list[Detail]:
        """Return what is wrong with a continuation token."""
        token, details = call.text(_TOKEN), list[errors.Detail]()
        if token is not None and "$skip" in call.query:
            message = f"Parameters '$skip' and '{_TOKEN}' are mutually exclusive."
            details.append(errors.Detail("MutuallyExclusiveParametersProvided", message, _TOKEN))
        if token and call.style.read_token(token) is None:
            details.append(errors.invalid(_TOKEN, token))
        return details

    def page(
        self, call: Call, rows: Sequence[R], path: str, filters: Sequence[str]
    ) -> tuple[Sequence[R], JsonObject] | Detail:
        """
        Return the rows and the links of a page, or what is wrong with its token.

        Args:
            call: the request.
            rows: all rows of the list.
            path: path of the links, and the query that belongs to it.
            filters: the other parameters of the links, as `name=value`.

        """
        top, token = call.number("$top"), call.text(_TOKEN)
        links: JsonObject
        if token is None or self.after is None:
            start = call.number("$skip")
            links = {"self": self._link(call, path, filters, f"$skip={start}"), "prev": None}
            if start or (call.style.next_on_last_page and not self.after):
                before = f"$skip={max(start - top, 0)}"
                links["prev"] = self._link(call, path, filters, before)
        else:
            last = call.style.read_token(token) or START
            after = 0 if last == START else self.after(call, rows, last)
            if after is None:
                return errors.invalid(_TOKEN, token)
            start = after
            here = f"{_TOKEN}={call.style.write_token(last)}"
            links = {"self": self._link(call, path, filters, here)}
            if call.style.null_links:
                links["prev"] = None
        page = rows[start : start + top]
        links["next"] = None
        if start + top < len(rows) or (call.style.next_on_last_page and page):
            following = f"$skip={start + top}"
            if self.after is not None and (token is not None or self.by_token(call)):
                following = f"{_TOKEN}={call.style.write_token(_id_of(page[-1]))}"
            links["next"] = self._link(call, path, filters, following)
        return page, links

    def _link(self, call: Call, path: str, filters: Sequence[str], window: str) -> JsonObject:
        top = f"$top={call.number('$top')}"
        parts = [top, *filters, window] if self.filters_first else [window, top, *filters]
        return link(call, path, parts)


def link(call: Call, path: str, parts: Sequence[str]) -> JsonObject:
    """Return a link object."""
    mark = "&" if "?" in path else "?"
    return {"href": call.origin + path + (mark if parts else "") + "&".join(parts)}


def kept_filters(call: Call, parameters: Sequence[Parameter], path: str) -> list[str]:
    """Return the parameters of a call that its links repeat, except those in their path."""
    window = {"$top", "$skip", _TOKEN}
    return [
        f"{parameter.name}={quote(call.query[parameter.name], safe=',')}"
        for parameter in parameters
        if parameter.where == "query"
        and parameter.name not in window
        and parameter.name in call.query
        and f"{{{parameter.name}}}" not in path
    ]


def _id_of(row: Any) -> str:  # noqa: ANN401 - rows of any kind have an id
    found: str = row.id
    return found
