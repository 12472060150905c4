"""Filters in the language of jq."""

from __future__ import annotations

import json

import click


class Filter:
    """
    A filter that is applied to JSON texts.

    Args:
        text: the filter, as jq reads it.

    Raises:
        ValueError: it is no filter; the message says why.
        ModuleNotFoundError: the package ``jq`` is not installed.

    """

    def __init__(self, text: str) -> None:
        import jq

        self._program = jq.compile(text)

    def lines(self, data: bytes) -> bytes:
        """
        Apply it to a JSON text: a result a line, texts without quotes as ``jq -r`` writes them.

        Raises:
            UsageError: the filter does not fit what it is applied to.

        """
        try:
            results = self._program.input_text(data.decode()).text()
        except ValueError as problem:
            raise click.UsageError(f"--jq: {_first_line(problem)}") from None
        return b"".join(_raw(line) for line in results.split("\n") if line)


class FilterType(click.ParamType):  # type: ignore[type-arg]
    """A filter on the command line."""

    name = "filter"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Filter:
        """Compile it, so that a mistake ends the command before the first request."""
        try:
            return Filter(str(value))
        except ValueError as problem:
            self.fail(_first_line(problem), param, ctx)
        except ModuleNotFoundError:
            self.fail("the package jq is missing: pip install 'itwin-async[cli]'", param, ctx)


def _raw(line: str) -> bytes:
    text = json.loads(line) if line.startswith('"') else line
    return f"{text}\n".encode(errors="replace")


def _first_line(problem: ValueError) -> str:
    text = str(problem).strip().partition("\n")[0]
    return text.removeprefix("jq: ").removeprefix("error: ")
