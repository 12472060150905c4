"""Taking secrets out of what is recorded: tokens, passwords, keys and signatures."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import parse_qsl, unquote

import msgspec

from itwin_async.emulator.json_types import Json

HIDDEN = "***"
_NAMES = {
    "accesskey", "accesstoken", "apikey", "assertion", "authorization", "clientassertion",
    "clientsecret", "codeverifier", "cookie", "idtoken", "ocpapimsubscriptionkey", "password",
    "proxyauthorization", "refreshtoken", "sastoken", "secret", "setcookie", "sharekey",
    "subscriptionkey", "token", "xapikey",
}  # fmt: skip
_PARAMETERS = _NAMES | {"code", "sig", "signature", "xgoogsignature"}
_PARAMETER = re.compile(r"((?:^|[?&#;\s])([$\w%.-]+)=)([^&#\"'\s<>]+)")
_MEMBER = re.compile(r'("([\w-]+)"\s*:\s*")((?:[^"\\]|\\.)*)')
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_SCHEME = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{12,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(://[^/\s:@]+:)[^/\s@]+@")
_LONG = 8


class Scrubber:
    """
    Takes secrets out of texts and JSON.

    They are known by the names that they have, and those that came up once are found wherever they
    come up again: in paths, messages and bodies, quoted or not.
    """

    def __init__(self, *secrets: str) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out from now on."""
        fresh = {secret for secret in secrets if secret.strip("*")} - self._known
        if fresh:
            self._known |= fresh
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_pattern, longest_first)))

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Learn the secrets in the headers of a request."""
        for name, value in headers.items():
            plain = _plain(name)
            if plain == "cookie":
                self.learn(_long(part.partition("=")[2].strip() for part in value.split(";")))
            elif plain in _NAMES:
                scheme, blank, credentials = value.strip().partition(" ")
                self.learn([credentials.strip() if blank else scheme])
                self.learn(_long(_password(scheme, credentials)))

    def learn_query(self, query: str) -> None:
        """Learn the secrets in a query or form."""
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
        self.learn(_long(value for name, value in pairs if _plain(name) in _PARAMETERS))

    def learn_body(self, body: bytes) -> None:
        """Learn the secrets in a body of JSON."""
        try:
            self.learn(_long(_secrets(cast("Json", msgspec.json.decode(body)))))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        text = _PARAMETER.sub(_hide_parameter, text)
        text = _MEMBER.sub(_hide_member, text)
        text = _SCHEME.sub(rf"\g<1> {HIDDEN}", _JWT.sub(HIDDEN, text))
        return _USER_INFO.sub(rf"\g<1>{HIDDEN}@", text)

    def json(self, value: Json) -> Json:
        """Return JSON without secrets."""
        if isinstance(value, dict):
            return {self.text(name): self._member(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def body(self, body: bytes) -> bytes:
        """Return a body without secrets."""
        try:
            content = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = self.text(body.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape")
        return msgspec.json.encode(self.json(cast("Json", content)))

    def _member(self, name: str, item: Json) -> Json:
        if _is_secret(name, item):
            return HIDDEN
        if name == "authentication" and isinstance(item, dict) and "value" in item:
            item = {**item, "value": HIDDEN}
        return self.json(item)


def _plain(name: str) -> str:
    return re.sub("[-_]", "", unquote(name)).lower()


def _is_secret(name: str, item: Json) -> bool:
    return _plain(name) in _NAMES and isinstance(item, (str, int, float)) and item is not True


def _pattern(secret: str) -> str:
    """Return a pattern of a secret whose characters may be percent-encoded; a short one alone."""
    parts = [
        char if char.isascii() and char.isalnum() else f"(?:{re.escape(char)}|{_quoted(char)})"
        for char in secret
    ]
    text = "".join(parts)
    return text if len(secret) >= _LONG else rf"(?<![\w-]){text}(?![\w-])"


def _quoted(char: str) -> str:
    return "(?i:" + "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "replace")) + ")"


def _hide_parameter(found: re.Match[str]) -> str:
    plain = _plain(found[2])
    hidden = plain in _PARAMETERS or plain.startswith("xamz")
    return f"{found[1]}{HIDDEN}" if hidden else found[0]


def _hide_member(found: re.Match[str]) -> str:
    return f"{found[1]}{HIDDEN}" if _plain(found[2]) in _NAMES else found[0]


def _secrets(value: Json) -> Iterable[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if _is_secret(name, item):
                yield str(item)
            else:
                yield from _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)


def _password(scheme: str, credentials: str) -> Iterable[str]:
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2]
        except (ValueError, binascii.Error):
            return


def _long(secrets: Iterable[str]) -> Iterable[str]:
    """Leave out short values, which come up in other texts by chance."""
    return (secret for secret in secrets if len(secret) >= _LONG)
