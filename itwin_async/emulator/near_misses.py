"""Patterns that match no operation, and what may have been meant."""

from __future__ import annotations

import difflib

from itwin_async.emulator.platform.served import SERVED
from itwin_async.emulator.requests import is_variable, split_path
from itwin_async.emulator.signin.server import OPERATIONS as SIGN_IN
from itwin_async.emulator.storage.server import OPERATIONS as STORAGE

_OPERATIONS = (*map(str, SERVED), *SIGN_IN, *STORAGE)
_ALIKE = 0.7


def check_match(text: str) -> None:
    """Raise ValueError for a pattern that no operation of the emulator can match."""
    method, _, path = text.partition(" ")
    fitting = [one for one in _OPERATIONS if _fits(path, one.partition(" ")[2])]
    if text == "*" or any(method.upper() in {"*", one.partition(" ")[0]} for one in fitting):
        return
    wanted = f"{method.upper()} {path.lower()}"
    known = {
        one.lower().replace(one.split()[0].lower(), one.split()[0], 1): one for one in _OPERATIONS
    }
    near = fitting or [known[one] for one in difflib.get_close_matches(wanted, known, 1, _ALIKE)]
    hint = f"did you mean {' or '.join(near)}?" if near else "no operation is like it"
    raise ValueError(f"{text}: {hint}")


def _fits(pattern: str, path: str) -> bool:
    """Whether a request can be meant by a pattern and be for an operation's path."""
    rest = pattern.endswith("/**")
    wanted, served = split_path(pattern.removesuffix("/**").lower()), split_path(path)
    if rest and wanted == [""]:
        return True
    if len(wanted) > len(served) or (len(wanted) < len(served) and not rest):
        return False
    before = ""
    for segment, template in zip(wanted, served, strict=False):
        if is_variable(template):
            if not is_variable(segment) and _is_misspelt(segment, before):
                return False
        elif not is_variable(segment) and segment != template.lower():
            return False
        before += f"/{template}"
    return True


def _is_misspelt(segment: str, before: str) -> bool:
    """Whether what stands for an id is a word of the platform, or nearly one."""
    words = {
        split_path(path.removeprefix(before))[0].lower()
        for path in (one.partition(" ")[2] for one in _OPERATIONS)
        if path.startswith(f"{before}/")
    }
    return bool(difflib.get_close_matches(segment, words, 1, _ALIKE))
