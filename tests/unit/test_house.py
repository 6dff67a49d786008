"""The house is in order: style, types, the direction of imports, and documents that say what the code says."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.logs import EVENTS, page

ROOT = Path(__file__).parent.parent.parent
CODE = [path for package in ("adapters", "broker", "schemas") for path in sorted((ROOT / package).rglob("*.py"))]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

pytestmark = pytest.mark.timeout(600)


def output_of(*command: str) -> str:
    """Run a tool of this environment at the root; empty when it is content."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}" or f"status {done.returncode}"


def test_ruff_finds_no_fault() -> None:
    assert output_of("ruff", "check", ".") == ""


def test_the_code_is_formatted() -> None:
    assert output_of("ruff", "format", "--check", "adapters", "bench", "broker", "schemas", "tests") == ""


def test_the_types_hold_strictly() -> None:
    assert output_of("mypy", "--strict") == ""


def test_imports_go_one_way() -> None:
    assert output_of("lint-imports") == ""


def events_of(tree: ast.AST) -> Iterator[tuple[str | None, int]]:
    """The event names that a module logs, each with its line; None where a name is not written out."""
    loggers = {"log"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("log.bind("):
            loggers |= {ast.unparse(target) for target in node.targets}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            # The client library names its events so; see broker.logs.
            if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
                for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "event" and isinstance(value, ast.Constant):
                        yield str(value.value), node.lineno
        function = node.func
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
            continue
        if function.value.id not in loggers or function.attr not in LEVELS | {"log"}:
            continue
        place = 1 if function.attr == "log" else 0
        names = [node.args[place]] if len(node.args) > place else []
        names = [names[0].body, names[0].orelse] if names and isinstance(names[0], ast.IfExp) else names
        for name in names or [None]:
            yield (name.value if isinstance(name, ast.Constant) else None), node.lineno


def logged() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in CODE:
        for name, line in events_of(ast.parse(path.read_text())):
            found.setdefault(name or "", []).append(f"{path.relative_to(ROOT)}:{line}")
    return found


def test_every_event_that_is_logged_stands_in_the_catalogue_under_its_own_name() -> None:
    unwritten = [place for place in logged().get("", []) if not place.startswith("broker/logs.py")]
    assert not unwritten, "an event name is written out where it is logged"
    unknown = {name: places for name, places in logged().items() if name and name not in EVENTS}
    assert not unknown


def test_every_event_of_the_catalogue_is_logged_somewhere() -> None:
    nowhere = sorted(EVENTS.keys() - logged().keys())
    assert nowhere == []


def test_an_event_has_a_name_of_two_parts_and_a_sentence() -> None:
    for name, text in EVENTS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)
        assert text.endswith(".")


def test_the_page_of_logs_is_made_from_the_catalogue() -> None:
    assert (ROOT / "docs" / "LOGS.md").read_text() == page(), "make docs writes it anew"


def test_the_documents_link_only_to_what_is_there() -> None:
    broken = []
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        for name in re.findall(r"`((?:docs|examples|tools|tests|bench|schemas|broker|adapters)/[\w./-]+\.\w+)`", text):
            if not (ROOT / name).exists():
                broken.append(f"{document.name}: {name}")
    assert not broken


def test_every_module_says_what_it_owns() -> None:
    assert not [path for path in CODE if not ast.get_docstring(ast.parse(path.read_text()))]
