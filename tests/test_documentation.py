"""The documentation runs, and names everything that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from support.app import environment, run_app
from support.receiver import http_receiver

import tracium
from tracium.cli.main import COMMANDS, cli
from tracium.settings import VARIABLES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)


def blocks(language):
    for page in PAGES:
        for number, code in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL), 1):
            yield pytest.param(code, id=f"{page.name} {number}")


@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_blocks_run(code):
    """As they stand, in a process of their own; they send their spans to a receiver."""
    with http_receiver() as receiver:
        # LiteLLM fetches its prices from the network when it is imported, unless it is told to take its own.
        ended = run_app(code, environment(receiver, LITELLM_LOCAL_MODEL_COST_MAP="true"))
    assert ended.stderr == ""


def test_the_one_line_use_marks_what_it_says():
    """The block of the README arrives with its tenant."""
    (code,) = [
        parameter.values[0]
        for parameter in blocks("python")
        if parameter.id.startswith("README") and "find_order" in parameter.values[0]
    ]
    with http_receiver() as receiver:
        run_app(code, environment(receiver))
    assert {span.name: span.tenant for span in receiver.spans} == {
        "invoke_agent support": "acme-corp",
        "execute_tool find_order": "acme-corp",
    }


def called_command(words):
    """The command that a line calls: the last one of its groups, of which some do something by themselves."""
    command = cli.get_command(click.Context(cli), words[1])
    for word in words[2:]:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        command = command.commands[word]
    return command


def all_commands():
    """Every command by its whole name, those of groups too."""
    waiting = [(f"tracium {name}", cli.get_command(click.Context(cli), name)) for name in COMMANDS]
    while waiting:
        name, command = waiting.pop()
        yield name, command
        if isinstance(command, click.Group):
            waiting += ((f"{name} {below}", one) for below, one in command.commands.items())


def test_shell_blocks_call_what_there_is():
    """Every make target, command and option in a shell block exists."""
    makefile = (ROOT / "Makefile").read_text()
    called = [line.split("#")[0].split() for parameter in blocks("sh") for line in parameter.values[0].splitlines()]
    assert called
    for words in filter(None, called):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
        elif words[0] == "tracium":
            command = called_command(words)
            options = {option for parameter in command.params for option in parameter.opts}
            mine = words[2 : words.index("--")] if "--" in words else words[2:]
            assert {word for word in mine if word.startswith("--")} <= options, words
        else:
            assert words[0] in {"pip", "opentelemetry-instrument"}, words


def test_every_setting_command_option_extra_and_public_name_is_documented():
    """What is not documented does not exist for a user."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = [*VARIABLES, *(variable for variables in VARIABLES.values() for variable in variables)]
    names += [f"`{extra}`" for extra in extras]
    for name, command in all_commands():
        names.append(name)
        names += [option.opts[0] for option in command.params if isinstance(option, click.Option) and not option.hidden]
    names += tracium.__all__
    missing = [name for name in names if name not in TEXT]
    assert not missing


def test_links_lead_somewhere():
    """Within the repository."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_changelog_has_this_version():
    """A release that is not described is none."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
