"""The command ``itwin-async api``: any path of the platform."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import click

from itwin_async import Response
from itwin_async._arguments import shown
from itwin_async._http.urls import segment, target
from itwin_async.cli.api_fields import body_of, query_of
from itwin_async.cli.api_paging import operation_at, pages_of
from itwin_async.cli.forms import Form, limit_option, output_options
from itwin_async.cli.output import for_eyes, listing, read_rows, save, write_value
from itwin_async.cli.progress import is_terminal
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.cli.stdout import write, write_while_others_run
from itwin_async.operations import ListOperation

_METHOD = re.compile(r"[A-Za-z]+")
_PLACEHOLDER = re.compile(r"\{(itwin|imodel)\}")


@attrs.frozen
class Call:
    """
    A request as the user wrote it.

    Attributes:
        method: HTTP method.
        path: path and query, or an address of the platform.
        headers: further headers.
        body: bytes to send, if any.

    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


@click.command(short_help="Request any path of the platform.")
@click.argument("words", nargs=-1, required=True, metavar="[METHOD] PATH")
@click.option(
    "-F",
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="A member of the body, or of the query of a GET: true, false, null, a number, @FILE, "
    "else a text.",
)
@click.option(
    "-f",
    "--raw-field",
    "raw_fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="The same, always a text.",
)
@click.option("--input", "source", metavar="FILE", help="The whole body; - is standard input.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A further header."
)
@click.option("-i", "--include", is_flag=True, help="Write status and headers first.")
@click.option("--paginate", is_flag=True, help="Write the items of all pages.")
@click.option("--key", metavar="NAME", help="The member with the items, where there are several.")
@click.option("--output", metavar="FILE", help="Write the answer to a file.")
@limit_option
@output_options
@session_options
def api(
    *,
    options: Options,
    form: Form,
    words: tuple[str, ...],
    fields: tuple[str, ...],
    raw_fields: tuple[str, ...],
    source: str | None,
    headers: tuple[str, ...],
    include: bool,
    paginate: bool,
    key: str | None,
    limit: int | None,
    output: str | None,
) -> None:
    """
    Request any path of the platform, with the same token, pace and errors as every command.

    \b
    itwin-async api /itwins/favorites --paginate --jq .id
    itwin-async api PATCH /imodels/{imodel} -f name=West

    METHOD is GET, or POST where there are fields or a body. {itwin} and {imodel} stand for the ids
    of the context. NAME may be a path, such as a[b] or a[] for the items of a list.
    """  # noqa: D301 - click's mark for lines to be kept
    _exclude(
        ("--include and --paginate", include and paginate),
        ("--output and --paginate", paginate and output is not None),
        ("--output and --include", include and output is not None),
    )
    if not paginate and (key or limit):
        raise click.UsageError("--key and --limit need --paginate")
    method, path = _request_line(words, sends=bool(fields or raw_fields or source))
    path = _PLACEHOLDER.sub(lambda found: _of_context(options, found[1]), path)
    values = [(pair, True) for pair in raw_fields] + [(pair, False) for pair in fields]
    values = [
        (_PLACEHOLDER.sub(lambda found: _of_context(options, found[1]), pair), raw)
        for pair, raw in values
    ]
    headers_given = _headers(headers)
    in_query = method in {"GET", "HEAD"} or source is not None
    if in_query and values:
        path = target(path, query_of(values))
    body = _read(source) if source else body_of(values) if values and not in_query else None
    call = Call(method, path, _completed(headers_given, method, path, body), body)
    if paginate:
        if method != "GET" or body is not None:
            raise click.UsageError("--paginate is for GET")
        run(lambda: _paginate(options, form, call, key, limit))
    run(lambda: _request(options, form, call, output, include=include))


async def _request(
    options: Options, form: Form, call: Call, output: str | None, *, include: bool
) -> None:
    async with open_session(options) as session:
        response = await session.request(
            call.method,
            _target(call.path, str(session.base_url)),
            body=call.body,
            headers=call.headers,
        )
    if include:
        lines = [f"HTTP {response.status}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        write("".join(f"{line}\n" for line in [*lines, ""]).encode(errors="replace"))
    if output is not None and output != "-":
        save(response.body, output)
    elif response.body:
        await _write(form, response, to_terminal=output is None and is_terminal(sys.stdout))


async def _write(form: Form, response: Response, *, to_terminal: bool) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind == "application/json" or kind.endswith("+json") or not form.is_default:
        response.json()  # says what is wrong with it
        write_value(form, response.body, indent=to_terminal)
    elif to_terminal and not kind.startswith("text/"):
        raise click.UsageError("give --output FILE; --output - writes to the terminal")
    else:
        body = response.body
        await write_while_others_run(for_eyes(body) if to_terminal else body)


async def _paginate(
    options: Options, form: Form, call: Call, key: str | None, limit: int | None
) -> None:
    known = operation_at("GET", call.path)
    noun = known.key if isinstance(known, ListOperation) else "items"
    async with listing(options, form, [], noun, limit) as (output, session):
        path = _target(call.path, str(session.base_url))
        async for page in await pages_of(session, path, call.headers, key, limit):
            await output.send(read_rows(page))
            if output.limit_reached:
                break


def _request_line(words: Sequence[str], *, sends: bool) -> tuple[str, str]:
    if len(words) == 1:
        return "POST" if sends else "GET", words[0]
    if len(words) > 2 or not _METHOD.fullmatch(words[0]):  # noqa: PLR2004 - method and path
        raise click.UsageError(f"give a method and a path, or a path; got {shown(' '.join(words))}")
    return words[0].upper(), words[1]


def _target(path: str, base: str) -> str:
    """Make a request target of a path without its slash, or of an address of the platform."""
    origin = base.rstrip("/")
    if path.startswith(f"{origin}/"):
        return path.removeprefix(origin)
    if "://" in path.partition("?")[0]:
        raise click.UsageError(f"the path must be one of {origin}")
    return path if path.startswith("/") else f"/{path}"


def _of_context(options: Options, setting: str) -> str:
    found = options.context(setting)
    if found is None:
        raise click.UsageError(
            f"{{{setting}}} needs a context: 'itwin-async context set --{setting} ID'"
        )
    return segment(setting, found)


def _completed(given: dict[str, str], method: str, path: str, body: bytes | None) -> dict[str, str]:
    """Add the type of the body, and the version of the API where the path is a known one."""
    names = {name.lower() for name in given}
    headers = dict(given)
    if body is not None and "content-type" not in names:
        headers["Content-Type"] = "application/json"
    known = operation_at(method, path)
    if known is not None and "accept" not in names:
        headers["Accept"] = known.accept
    return headers


def _headers(given: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"{shown(text)} is not NAME:VALUE")
        same = [known for known in headers if known.lower() == name.strip().lower()]
        headers[same[0] if same else name.strip()] = value.strip()
    return headers


def _read(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as problem:
        raise click.UsageError(f"cannot read {source}: {problem.strerror}") from None


def _exclude(*pairs: tuple[str, bool]) -> None:
    for names, given in pairs:
        if given:
            raise click.UsageError(f"{names} are mutually exclusive")
