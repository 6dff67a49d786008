"""Profiles: which code means what in one nation's documents. Data in files, never in code.

Owns reading profiles, their inheritance and their check. Never knows a format: a translator asks for the
tables of its own family.

A profile is a folder: `profile.toml` with `title`, `version` and, if it builds on another one, `extends`; and
`<family>.toml` for each family of formats it has something to say of, one TOML table for each section, code
= meaning. What it does not say, the profile it extends says, code by code. The table `[rules]` of a family says
of each section what its meanings are: `type` (a shipment event), `alert-type`, `scheme`, `token` (a word in lower
case), `text`, further words after `|`, or a table of these for meanings of several parts, those with a `?` after their
name not needed. The table `[known]` says of a section in which one its codes have to stand. What these say is
checked when the profile is read, so that no document meets a slip of the pen.
"""

import difflib
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.base import Text, Token
from schemas.envelope import AlertType, ShipmentType
from schemas.errors import ConfigError, Fault
from schemas.shipment import Scheme

_BUILT_IN = Path(__file__).with_name("profiles")
_HEADING = "profile.toml"
# The longest list of codes in use, UNTDID 1153, has fewer than a thousand; a file beyond this is no code table.
MAX_FILE_BYTES = 1024 * 1024
# A profile extends one that extends another; more is a circle or a maze.
MAX_DEPTH = 5

RULES, KNOWN = "rules", "known"
Table = Mapping[str, Any]
_KINDS: Mapping[str, TypeAdapter[Any]] = {
    "type": TypeAdapter(ShipmentType),
    "alert-type": TypeAdapter(AlertType),
    "scheme": TypeAdapter(Scheme),
    "token": TypeAdapter(Token),
    "text": TypeAdapter(Text),
}


@dataclass(frozen=True, eq=False)
class Profile:
    """The code tables of one nation or agency."""

    name: str
    title: str
    version: str
    parent: "Profile | None" = None
    families: Mapping[str, Mapping[str, Table]] = field(default_factory=dict)
    """family -> section -> code -> meaning, of this profile alone."""
    _merged: dict[tuple[str, str], Table] = field(default_factory=dict, repr=False, compare=False)

    def table(self, family: str, section: str) -> Table:
        """Return code -> meaning of a family's section, inherited codes included; empty where nobody says any."""
        key = (family, section)
        found = self._merged.get(key)
        if found is None:
            below = self.parent.table(family, section) if self.parent is not None else {}
            own = self.families.get(family, {}).get(section, {})
            found = self._merged[key] = MappingProxyType({**below, **own})
        return found

    def sections(self, family: str) -> set[str]:
        """Return the names of a family's sections, inherited ones included."""
        below = self.parent.sections(family) if self.parent is not None else set()
        return below | set(self.families.get(family, ()))

    def known_families(self) -> set[str]:
        """Return the names of the families, inherited ones included."""
        below = self.parent.known_families() if self.parent is not None else set()
        return below | set(self.families)


def built_in_names() -> list[str]:
    """Return the names of the profiles that come with cbm."""
    return sorted(path.parent.name for path in _BUILT_IN.glob(f"*/{_HEADING}"))


@functools.cache
def built_in(name: str) -> Profile:
    """Return a profile that comes with cbm.

    Raises:
        ConfigError: there is none of that name; the text lists those there are.
    """
    if name not in built_in_names():
        known = ", ".join(built_in_names())
        raise ConfigError([Fault("unknown-profile", name, f"{name} is no profile of cbm's own; there are {known}")])
    return read_profile(_BUILT_IN / name)


def read_profile(folder: Path, depth: int = 0) -> Profile:
    """Read a profile from its folder; `extends` names one of cbm's own or a folder beside this one.

    Raises:
        ConfigError: with every fault, each naming file and key.
    """
    faults: list[Fault] = []
    heading = _read(folder / _HEADING, faults)
    for key in sorted(heading.keys() - {"title", "version", "extends"}):
        faults.append(Fault("unknown-key", f"{folder.name}/{_HEADING}:{key}", "has title, version and extends alone"))
    for key in ("title", "version"):
        if not isinstance(heading.get(key), str):
            faults.append(Fault("missing", f"{folder.name}/{_HEADING}:{key}", "a profile names it, as a text"))
    families = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name != _HEADING:
            families[path.stem] = _sections(path, faults)
    if faults:
        raise ConfigError(faults)
    parent = _parent(folder, heading.get("extends"), depth)
    found = Profile(folder.name, heading["title"], heading["version"], parent, families)
    faults += _unruly(found)
    if faults:
        raise ConfigError(faults)
    return found


def _unruly(profile: Profile) -> Iterator[Fault]:
    """Yield a fault for each meaning that its section's rule does not allow, and each unknown family or section."""
    parent = profile.parent
    for family, sections in profile.families.items():
        place = f"{profile.name}/{family}.toml"
        if parent is not None and family not in parent.known_families():
            known = ", ".join(sorted(parent.known_families()))
            yield Fault("unknown-family", place, f"{parent.name} has no such family of formats; it has {known}")
            continue
        rules, known_in = profile.table(family, RULES), profile.table(family, KNOWN)
        for section, table in sections.items():
            if parent is not None and section not in (RULES, KNOWN) and section not in parent.sections(family):
                known = ", ".join(sorted(parent.sections(family) - {RULES, KNOWN}))
                yield Fault("unknown-section", f"{place}:{section}", f"{parent.name} has {known}")
            wanted = (parent or profile).table(family, known_in[section]) if section in known_in else table
            for code in sorted(table.keys() - wanted.keys()):
                close = difflib.get_close_matches(code, wanted, n=1, cutoff=0.5)
                hint = f"; the nearest known is {close[0]}" if close else ""
                yield Fault("unknown-code", f"{place}:{section}.{code}", f"none of the codes of {section}{hint}")
            for code, meaning in table.items() if section in rules else ():
                if not _allowed(meaning, rules[section]):
                    said = f"not what the rule of {section} allows: {rules[section]}"
                    yield Fault("meaning", f"{place}:{section}.{code}", said)


def _allowed(meaning: Any, rule: Any) -> bool:
    if isinstance(rule, Mapping):
        parts = {name.removesuffix("?"): part for name, part in rule.items()}
        needed = rule.keys() & parts.keys()
        complete = isinstance(meaning, dict) and needed <= meaning.keys() <= parts.keys()
        return complete and all(_allowed(value, parts[name]) for name, value in meaning.items())
    kind, *words = str(rule).split("|")
    if meaning in words:
        return True
    try:
        _KINDS[kind].validate_python(meaning)
    except (ValidationError, KeyError):
        return False
    return True


def chosen(name: str) -> Profile:
    """Return the profile that a configuration names: one of cbm's own, or a folder, which has a `/` in its name.

    Raises:
        ConfigError: with every fault.
    """
    return read_profile(Path(name)) if "/" in name else built_in(name)


def stamp(name: str) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever a file of the profile, or of one beside it, does: names, times, sizes."""
    if "/" not in name:
        return ()
    files = sorted(path for path in Path(name).parent.glob("*/*.toml") if path.is_file())
    return tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files)


def _parent(folder: Path, name: Any, depth: int) -> Profile | None:
    if name is None:
        return None
    place = f"{folder.name}/{_HEADING}:extends"
    if not isinstance(name, str) or name == folder.name or depth >= MAX_DEPTH:
        raise ConfigError([Fault("extends", place, "names another profile, and no circle of them")])
    beside = folder.parent / name
    if folder.parent != _BUILT_IN and (beside / _HEADING).is_file():
        return read_profile(beside, depth + 1)
    return built_in(name)


def _sections(path: Path, faults: list[Fault]) -> Mapping[str, Table]:
    content = _read(path, faults)
    for section, table in content.items():
        if not isinstance(table, dict):
            place = f"{path.parent.name}/{path.name}:{section}"
            faults.append(Fault("not-a-table", place, "a file of codes holds tables, one a section"))
    return content


def _read(path: Path, faults: list[Fault]) -> dict[str, Any]:
    place = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            faults.append(Fault("too-large", place, f"a file of codes has at most {MAX_FILE_BYTES} bytes"))
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(Fault("unreadable", place, error.strerror or type(error).__name__))
    except ValueError as error:
        faults.append(Fault("not-toml", place, str(error)[:200]))
    return {}


NEUTRAL = built_in("neutral")
UK = built_in("uk")
