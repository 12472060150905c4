"""Named profiles: a platform and the iTwin and iModel that commands are about."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import attrs

from itwin_async.cli.private_files import APPLICATION, replace
from itwin_async.errors import ConfigurationError

DEFAULT = "default"
VARIABLES: Mapping[str, str] = {
    "itwin": "ITWIN_ITWIN_ID",
    "imodel": "ITWIN_IMODEL_ID",
    "environment": "ITWIN_ENVIRONMENT",
    "base_url": "ITWIN_BASE_URL",
    "issuer": "ITWIN_ISSUER",
    "client_id": "ITWIN_CLIENT_ID",
}
"""The settings of a profile, and the environment variables that override them."""

_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
# What selects a platform in the environment overrides all that does in a profile.
_OVERRIDDEN_BY: Mapping[str, tuple[str, ...]] = {
    "environment": ("ITWIN_ENVIRONMENT", "ITWIN_BASE_URL", "IMJS_URL_PREFIX"),
    "base_url": ("ITWIN_BASE_URL", "ITWIN_ENVIRONMENT", "IMJS_URL_PREFIX"),
    "issuer": ("ITWIN_ISSUER", "ITWIN_ENVIRONMENT", "IMJS_URL_PREFIX"),
}


@attrs.define
class Profiles:
    """
    All profiles of a user.

    Attributes:
        active: name of the one that is used where none is named.
        settings: the settings of each by its name.

    """

    active: str = DEFAULT
    settings: dict[str, dict[str, str]] = attrs.Factory(dict)

    def choose(self, name: str | None) -> tuple[str, Mapping[str, str]]:
        """
        Find a profile by its name, or the active one.

        Raises:
            ConfigurationError: there is no profile of this name.

        """
        chosen = name or self.active
        if chosen in self.settings or (chosen == DEFAULT and chosen == self.active):
            return chosen, self.settings.get(chosen, {})
        close = get_close_matches(chosen, self.settings, 1)
        hint = f"did you mean {close[0]!r}?" if close else "see 'itwin-async context list'"
        raise ConfigurationError(f"there is no profile {chosen!r}; {hint}")


def checked_name(name: str) -> str:
    """
    Check the name of a profile.

    Raises:
        ConfigurationError: it cannot be one.

    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"a profile's name must be of letters, digits, '-' and '_', 64 at most; got {name!r}"
        )
    return name


def file() -> Path:
    """Return where the profiles are."""
    from platformdirs import user_config_path

    return user_config_path(APPLICATION, appauthor=False) / "profiles.toml"


def load() -> Profiles:
    """
    Read the profiles; there may be none.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else.

    """
    path = file()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except (OSError, ValueError) as problem:
        if isinstance(problem, PermissionError) and not os.access(path.parent, os.X_OK):
            return Profiles()  # the folder is somebody else's, as that of many a service
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise ConfigurationError(f"cannot read {path}: {reason}") from None
    active, settings = found.pop("active", DEFAULT), found.pop("profiles", {})
    if found or not isinstance(active, str) or not _is_settings(settings):
        raise ConfigurationError(
            f"cannot read {path}: it must hold active and [profiles.NAME] with any of "
            f"{', '.join(VARIABLES)}, all of them texts"
        )
    return Profiles(active, settings)


@contextmanager
def changing() -> Iterator[Profiles]:
    """
    Read the profiles to change them, and write them when the block ends.

    Raises:
        ConfigurationError: they cannot be read or written.

    """
    from filelock import FileLock

    path = file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), mode=0o600, timeout=10):
            profiles = load()
            yield profiles
            replace(path, _written(profiles).encode())
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror or problem}") from None


def apply(name: str | None, environment: MutableMapping[str, str]) -> dict[str, str]:
    """
    Set variables that are missing from a profile, and return what they come from, by variable.

    Raises:
        ConfigurationError: there is no such profile, or the profiles cannot be read.

    """
    chosen, settings = load().choose(name or environment.get("ITWIN_PROFILE", "").strip() or None)
    present = {variable for variable, value in environment.items() if value.strip()}
    applied: dict[str, str] = {}
    for setting, value in settings.items():
        variable = VARIABLES[setting]
        if present.isdisjoint(_OVERRIDDEN_BY.get(setting, (variable,))):
            environment[variable] = value
            applied[variable] = f"profile {chosen}"
    return applied


def _is_settings(value: object) -> bool:
    return isinstance(value, dict) and all(
        _NAME.fullmatch(name)
        and isinstance(settings, dict)
        and settings.keys() <= VARIABLES.keys()
        and all(isinstance(text, str) for text in settings.values())
        for name, settings in value.items()
    )


def _written(profiles: Profiles) -> str:
    lines = [f'active = "{profiles.active}"']
    for name, settings in profiles.settings.items():
        lines += ["", f"[profiles.{name}]"]
        # What JSON escapes in a printable text, TOML escapes alike.
        lines += [
            f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in settings.items()
        ]
    return "".join(f"{line}\n" for line in lines)
