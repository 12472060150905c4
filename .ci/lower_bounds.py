"""Print the lowest version that pyproject.toml allows of each dependency, as pip constraints."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"].values()
for text in sorted({*project["dependencies"], *(text for extra in extras for text in extra)}):
    requirement = Requirement(text)
    if requirement.name != project["name"]:
        (bound,) = requirement.specifier
        if bound.operator != ">=":
            raise SystemExit(f"{text} has no lower bound")
        print(f"{requirement.name}=={bound.version}")
