"""The search for secrets in whatever an exception shows."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Iterable, Mapping

from itwin_async import ITwinError


def spellings(secret: str) -> set[str]:
    """Write a secret in the ways in which a log, a repr or a JSON text may show it."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        secret.encode("unicode_escape").decode(),
    }


def texts_of(
    error: BaseException, *, frames: bool = True, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """
    Give all that can be read off an exception, its causes and the exceptions of its groups.

    Args:
        error: the exception.
        frames: whether to look at the local variables of the frames of its traceback.
        without: ends of file names whose frames are passed over.

    """
    found: dict[str, str] = {}
    chain, seen = [error], set[int]()
    while chain:
        one = chain.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        name = f"{type(one).__name__} {len(seen)}"
        found[f"{name} str"] = str(one)
        found[f"{name} repr"] = repr(one)
        found[f"{name} args"] = repr(one.args)
        found[f"{name} members"] = repr(vars(one))
        found[f"{name} traceback"] = "".join(traceback.format_exception(one))
        for frame, _ in traceback.walk_tb(one.__traceback__ if frames else None):
            file, function = frame.f_code.co_filename, frame.f_code.co_name
            if not file.endswith(without):
                for variable, value in frame.f_locals.items():
                    found[f"{name} {variable} in {function} of {file}"] = repr(value)
        chain += [other for other in (one.__cause__, one.__context__) if other is not None]
        chain += getattr(one, "exceptions", ())
    if isinstance(error, ITwinError):
        copies = [pickle.dumps(error, protocol) for protocol in (0, pickle.DEFAULT_PROTOCOL)]
        found["pickle"] = repr([vars(pickle.loads(copies[0])), *copies]) + "".join(
            copy.decode("latin-1") for copy in copies
        )
    return found


def leaks(texts: Mapping[str, str], needles: Iterable[str]) -> list[str]:
    """Name the texts that hold one of the needles."""
    needles = list(needles)
    return [place for place, text in texts.items() if any(needle in text for needle in needles)]
