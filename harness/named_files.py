"""Things that users name, or give as a YAML file of their own: suites and workloads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import FileMissing, InvalidFile, UnknownName, one_line
from zoo.names import unknown


@dataclass(frozen=True)
class NamedFiles:
    """The files of one kind that come with minizoo, `<name>.yaml` each in a folder."""

    kind: str
    """In messages: `suite`."""
    folder: Path
    invalid: type[InvalidFile]
    """What a file that is no YAML raises."""

    def names(self) -> list[str]:
        """Names of those that come with minizoo."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def path(self, name: str) -> Path:
        """The file of that name, or the YAML file that it is; UnknownName for a name that there is not."""
        if name.endswith((".yaml", ".yml")):
            return Path(name)
        names = self.names()
        if name not in names:
            hint = f"{self.kind.capitalize()}s are: {', '.join(names)}; or give a YAML file."
            raise unknown(UnknownName, self.kind, name, names, hint)
        return self.folder / f"{name}.yaml"

    def read(self, path: Path) -> Any:
        """What the file holds; FileMissing where there is none, `invalid` where it is no YAML."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        except FileNotFoundError:
            raise FileMissing(
                f"There is no {self.kind} file {path}.",
                f"{self.kind.capitalize()}s by name are: {', '.join(self.names())}.",
            ) from None
        except (YAMLError, UnicodeDecodeError, OSError) as error:
            raise self.invalid(f"{path} is not YAML ({one_line(error)[:200]}).", "Correct it and run again.") from None
