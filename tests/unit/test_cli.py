"""The command line as text: every command explains itself. What commands do is tested by running them."""

import re

import pytest
from typer.testing import CliRunner

from broker.cli.main import app

COMMANDS = {
    "up": ["--config", "--drop", "--story"],
    "serve": ["--config"],
    "adapter": ["agency", "--config"],
    "publish": ["[file]", "--as", "--timeout", "--no-wait", "--unchecked", "--sign", "--by-field"],
    "subscribe": ["[pattern]", "--as", "--since", "--count", "--timeout", "--name", "--keys", "--verify"],
    "explain": ["[file]", "--as", "--json"],
    "convert": ["[file]", "--to", "--from", "--as", "--zone", "--profile", "--codes"],
    "codes import": ["list", "file", "--version"],
    "codes ls": ["--json"],
    "agreements diff": ["old", "new", "--json"],
    "check": ["--json"],
    "reload": ["--timeout"],
    "status": ["--ready", "--json"],
    "trace": ["id", "--json"],
    "credentials": ["agency", "--http", "--certificate", "--days", "--withdraw", "--signing-key", "--key-id"],
    "quarantine ls": ["--limit"],
    "quarantine show": ["id"],
    "quarantine resend": ["id"],
    "quarantine discard": ["--reason"],
    "quarantine export": ["folder"],
    "schema ls": ["--json"],
    "schema show": ["name"],
    "schema export": ["folder"],
}


def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == 0, command
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_it_does_and_explains_each_option(command: str) -> None:
    text = help_of(command)
    said = re.sub(r"[│╭╰╮╯─\s]+", " ", text).strip()
    assert re.search(r"Usage: .*? [A-Z][^.]{20,}\.", said), "a sentence stands above the options"
    for option in COMMANDS[command]:
        assert option in text.lower(), f"{option} is not mentioned"
    # An option without a word of its own is one that a stranger must guess.
    for line in text.splitlines():
        if found := re.match(r"│ \*?\s*(--[a-z-]+)", line):
            assert re.search(r"[A-Za-z][^│]*[a-z]{3}", line.split(found[1], 1)[1]), line


def test_no_command_is_missing_here() -> None:
    # A command's line begins with its name; the help's second line would be indented further.
    names = re.findall(r"^│ ([a-z]+)  ", help_of(""), re.MULTILINE)
    assert sorted(names) == sorted({command.split()[0] for command in COMMANDS})
    for group in ("agreements", "codes", "quarantine", "schema"):
        inner = re.findall(r"^│ ([a-z]+)  ", help_of(group), re.MULTILINE)
        assert sorted(inner) == sorted(c.split()[1] for c in COMMANDS if c.startswith(group + " "))


def test_what_is_meant_for_cbm_itself_is_hidden() -> None:
    assert "until-stdin-closes" not in help_of("serve") + help_of("adapter")
