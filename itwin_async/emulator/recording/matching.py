"""Which recorded request a request is like, and what it misses."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Literal, TypeAlias, get_args
from urllib.parse import parse_qsl

import attrs

from itwin_async.emulator.differences import differences
from itwin_async.emulator.recording.cassette import REQUEST_HEADERS, Interaction

Part: TypeAlias = Literal["method", "path", "query", "headers", "body"]
Repeats: TypeAlias = Literal["last", "once", "first", "cycle"]
_ALIKE = 0.7
_HEADERS = ("authorization", *REQUEST_HEADERS)


def _parts(_: object, __: object, value: Collection[str]) -> None:
    unknown = [part for part in value if part not in get_args(Part)]
    if isinstance(value, str) or unknown or not value:
        raise ValueError(f"on must be some of {', '.join(get_args(Part))}, not {value!r}")


def _headers(_: object, __: object, value: Collection[str]) -> None:
    unknown = [name for name in value if name.lower() not in _HEADERS]
    if isinstance(value, str) or unknown:
        raise ValueError(f"headers must be some of {', '.join(_HEADERS)}, not {value!r}")


def _names(_: object, __: object, value: Collection[str]) -> None:
    if isinstance(value, str):
        raise ValueError(f"ignore_query must be a list of names, not {value!r}")  # noqa: TRY004 - one kind of error


def _repeats(_: object, __: object, value: str) -> None:
    if value not in get_args(Repeats):
        raise ValueError(f"repeats must be one of {', '.join(get_args(Repeats))}, not {value!r}")


@attrs.frozen(kw_only=True)
class Matching:
    """
    What a request must share with a recorded one to get its response.

    Args:
        on: the parts that must be equal: `method`, `path`, `query`, `headers`, `body`.
        headers: the headers that must be equal; of `authorization` only whether there is one, and
            `Prefer: return=minimal` equals its absence.
        ignore_query: names of parameters that do not matter.
        repeats: what equal requests get: the recorded responses in their order and then the `last`
            again and again, or each `once`, or the `first` always, or all in a `cycle`.

    Raises:
        ValueError: a value is none of these.

    """

    on: Collection[Part] = attrs.field(default=get_args(Part), validator=_parts)
    headers: Collection[str] = attrs.field(default=("authorization", "prefer"), validator=_headers)
    ignore_query: Collection[str] = attrs.field(default=(), validator=_names)
    repeats: Repeats = attrs.field(default="last", validator=_repeats)

    def key(self, interaction: Interaction) -> Hashable:
        """Return what equal requests have in common."""
        facts = self._facts(interaction)
        return tuple(facts[part] for part in get_args(Part) if part in self.on)

    def differences(self, wanted: Interaction, found: Interaction) -> Iterator[str]:
        """Yield in what a request differs from a recorded one, member by member."""
        first, second = self._facts(wanted), self._facts(found)
        for part in get_args(Part):
            if part not in self.on or first[part] == second[part]:
                continue
            if part == "body":
                lines = differences(wanted.content(), found.content())
            elif part in {"query", "headers"}:
                lines = differences(_grouped(first[part]), _grouped(second[part]))
            else:
                lines = differences(first[part], second[part], part)
                yield from lines
                continue
            yield from (f"{part} {line}" for line in lines)

    def nearest(self, found: Interaction, recorded: Sequence[Interaction]) -> Interaction | None:
        """Return the recorded request that a request is most like; None if none is like it."""

        def likeness(one: Interaction) -> tuple[float, int]:
            path = difflib.SequenceMatcher(None, one.path.lower(), found.path.lower()).ratio()
            mine, other = self._facts(found), self._facts(one)
            return path, sum(mine[part] == other[part] for part in mine)

        best = max(recorded, key=likeness, default=None)
        return best if best is not None and likeness(best)[0] >= _ALIKE else None

    def _facts(self, interaction: Interaction) -> dict[Part, Hashable]:
        ignored = {name.lower() for name in self.ignore_query}
        pairs = parse_qsl(interaction.query, keep_blank_values=True, errors="replace")
        return {
            "method": interaction.method,
            "path": interaction.path.lower().rstrip("/"),
            "query": tuple(sorted(pair for pair in pairs if pair[0].lower() not in ignored)),
            "headers": tuple(_header(interaction, name.lower()) for name in self.headers),
            "body": interaction.sent,
        }


@attrs.frozen
class Miss:
    """
    A request that is not on the cassette.

    Args:
        request: the request, as `GET /itwins/favorites?$top=2`.
        reason: why it has no response: what the nearest recorded request has and this one has not.

    """

    request: str
    reason: str

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}"


class CassetteMissError(AssertionError):
    """Requests that are not on the cassette; `misses` has them."""

    def __init__(self, cassette: str, misses: Sequence[Miss]) -> None:
        self.misses = tuple(misses)
        lines = [f"  {line}" for miss in misses for line in str(miss).splitlines()]
        super().__init__("\n".join([f"requests that are not on {cassette}:", *lines]))


def _header(interaction: Interaction, name: str) -> tuple[str, str]:
    if name == "authorization":
        return name, "sent" if interaction.authorized else ""
    value = interaction.sent_headers.get(name, "")
    if name == "prefer" and value.replace(" ", "").lower() == "return=minimal":
        return name, ""
    return name, value


def _grouped(pairs: Hashable) -> dict[str, object]:
    """Return pairs as an object, in which equal names have a list."""
    found: dict[str, list[str]] = {}
    if isinstance(pairs, tuple):
        for name, value in pairs:
            found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
