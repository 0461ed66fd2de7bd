"""Documentation under test: what it names exists, and what exists is named. Both rot in silence otherwise."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import click
import pytest
import requests
from pydantic import BaseModel
from support_e2e import REPOSITORY, UNTIL, clean_env, finished_run, latest, process, published

from mttr_pipeline.cli import reference
from mttr_pipeline.cli.main import main
from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.tables import config_tables
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.sources.registry import load_settings, registry
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.reference import markdown

PAGES = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("examples/*.md")])
}
TEXT = "\n".join(PAGES.values())
#: Pages that show files in the making. Each has tests of its own.
WALKS = {"CONTRIBUTING.md", "docs/adding-a-source.md"}

#: What scripts and operators set; more may be added, none of these may go.
VARIABLES = {
    *("PAGERDUTY_TOKEN", "PAGERDUTY_API_URL", "OPSGENIE_API_KEY", "OPSGENIE_API_URL"),
    *("JSM_CLOUD_ID", "JSM_EMAIL", "JSM_API_TOKEN", "JSM_API_URL"),
    *("JIRA_URL", "JIRA_EMAIL", "JIRA_API_TOKEN", "JIRA_PERSONAL_TOKEN", "JIRA_JQL"),
    *("MTTR_DATA_DIR", "MTTR_CONFIG"),
}
#: Tables that dashboards select from.
TABLES = {
    *("incidents", "incident_sources", "incident_events", "services", "teams", "mttr_stats", "phase_breakdown"),
    *("bottlenecks", "opportunities", "recommendations", "trend", "target_compliance", "target_breaches"),
    *("period_summary", "data_quality", "quarantine", "source_runs", "metric_definitions"),
}


def code(*pages: str) -> Iterator[str]:
    """Everything that is set as code, blocks and spans, in these pages."""
    for page in pages:
        blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.M | re.S)
        yield from blocks
        yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S))


def options_of(command: click.Command) -> set[str]:
    return {text for option in command.params for text in option.opts} | {"--help", "-h"}


# -- commands ----------------------------------------------------------------------------------------------------------


def test_every_command_and_option_that_is_named_exists() -> None:
    """Each line of code that calls `mttr` is taken apart; an option must be one of that command or of all commands."""
    everywhere = options_of(main)
    called = set()
    for text in code(*PAGES.values()):
        for line in text.splitlines():
            for words in re.findall(r"(?:^|[\s/])mttr((?: +(?:--?[a-z][\w-]*(?:[= ][^-\s]\S*)?|[a-z]+))+)", line):
                found = words.split()
                name = next((word for word in found if word in main.commands), None)
                known = everywhere | (options_of(main.commands[name]) if name else set())
                unknown = {word.split("=")[0] for word in found if word.startswith("--")} - known
                assert not unknown, f"{line!r}: {unknown}"
                assert name or any(word in everywhere for word in found), f"{line!r} names no command that exists"
                called.add(name)
    assert called - {None} == main.commands.keys(), "commands that no page shows"


def test_every_option_in_a_table_of_commands_exists() -> None:
    every = options_of(main).union(*(options_of(found) for found in main.commands.values()))
    scripts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "promises").glob("*.py")]
    foreign = {"--port", "--now", "--rm", "--exclude", "--to", "--noprompt"}.union(
        *(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', text) for text in scripts)
    )
    named = {
        word
        for text in code(*PAGES.values())
        if "pip " not in text
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)
    }
    assert named - every - foreign == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "question"),
    [
        ("zsh", {"COMP_WORDS": "mttr re", "COMP_CWORD": "1"}),
        ("fish", {"COMP_WORDS": "mttr re", "COMP_CWORD": "re"}),
    ],
)
def test_zsh_and_fish_complete_a_command(shell: str, question: dict[str, str]) -> None:
    """These shells may not be installed. The line in README prints a script, and the question in this script is answered."""
    script = str(Path(sys.executable).with_name("mttr"))
    environment = {"PYTHONPATH": str(REPOSITORY)}
    assert re.search(rf"_MTTR_COMPLETE={shell}_source mttr\b", PAGES["README.md"])
    source = process([script], env=environment | {"_MTTR_COMPLETE": f"{shell}_source"}).ended(0).out
    assert f"_MTTR_COMPLETE={shell}_complete" in source
    answer = process([script], env=environment | {"_MTTR_COMPLETE": f"{shell}_complete"} | question).ended(0).out
    assert "rebuild" in answer and "import" not in answer


def test_bash_completes_a_command() -> None:
    """The line of README in a real Bash: typing `mttr re` and Tab gives `rebuild`."""
    (line,) = re.findall(r'^eval "\$\(_MTTR_COMPLETE=bash_source mttr\)"', PAGES["README.md"], re.M)
    typed = 'COMP_WORDS=(mttr re) COMP_CWORD=1; _mttr_completion mttr; echo "${COMPREPLY[@]}"'
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    assert process(["bash", "-ec", f"{line}\n{typed}"], env=path).ended(0).out == "rebuild\n"


# -- Dagster -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def dagster_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of `dg`, with a home of its own; skips the test where the extra `ui` is not installed."""
    tools = Path(sys.executable).parent
    if not (tools / "dg").is_file():
        pytest.skip("dg is not installed: pip install '.[ui]'")
    shutil.copy(REPOSITORY / ".dagster" / "dagster.yaml", tmp_path)
    path = f"{tools}:/usr/bin:/bin"
    return {"PATH": path, "PYTHONPATH": str(REPOSITORY), "DAGSTER_HOME": str(tmp_path), "COLUMNS": "200"}


@pytest.mark.slow
def test_dg_loads_and_lists_the_definitions(dagster_environment: dict[str, str]) -> None:
    """The commands of README, run in the repository: `[tool.dg]` leads to the definitions."""
    commands = re.findall(r"^(dg (?:check|list) defs)\b", PAGES["README.md"], re.M)
    assert commands == ["dg check defs", "dg list defs"]
    checked, listed = (process(line.split(), env=dagster_environment, cwd=REPOSITORY).ended(0) for line in commands)
    assert "All definitions loaded successfully." in checked.out
    assert all(name in listed.out for name in ("mart/mttr_stats", "nightly", "rebuild", "daily"))


@pytest.mark.slow
def test_dg_dev_serves_the_definitions(dagster_environment: dict[str, str]) -> None:
    """Under the location that workspace.yaml gives too: the state of the schedule is kept by this name."""
    assert re.search(r"^dg dev\b", PAGES["README.md"], re.M)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        ["dg", "dev", "--host", "127.0.0.1", "--port", str(port)],
        cwd=REPOSITORY,
        env=clean_env(dagster_environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            found = ask(f"http://127.0.0.1:{port}/graphql", server)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    ((location, jobs),) = [(node["location"]["name"], {job["name"] for job in node["jobs"]}) for node in found]
    assert location == "mttr_pipeline.definitions"
    assert jobs >= {"nightly", "rebuild"}


def ask(address: str, server: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """The repositories of a Dagster server, once it answers."""
    query = "{repositoriesOrError {... on RepositoryConnection {nodes {location {name} jobs {name}}}}}"
    for _ in range(120):
        assert server.poll() is None, f"dg dev ended with {server.returncode}"
        try:
            answer = requests.post(address, json={"query": query}, timeout=30)
        except requests.ConnectionError:
            time.sleep(0.5)
        else:
            return list(answer.json()["data"]["repositoriesOrError"]["nodes"])
    raise AssertionError("dg dev does not answer within a minute")


# -- settings ----------------------------------------------------------------------------------------------------------


class Recording(dict[str, str]):
    """Environment variables that remember which of them were read."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def variables_of(source: Source) -> set[str]:
    """The environment variables that a source declares, by their full names."""
    return {Environment({}, source.name).variable(suffix) for suffix in source.suffixes()}


@pytest.mark.parametrize("source", registry().sources.values(), ids=lambda source: source.name)
def test_a_source_reads_the_variables_that_it_declares(source: Source) -> None:
    """One that is not declared is in no table and no message; one that is not read is set for nothing. Each is left out once,
    because some exclude each other."""
    declared, read = variables_of(source), set()
    given = {
        name for name in declared if not name.endswith("_FILE")
    }  # a secret comes from one of two, and both are asked for
    for left_out in ("", *declared):
        env = Recording({name: "https://x.example" if name.endswith("URL") else "x" for name in given - {left_out}})
        with contextlib.suppress(ConfigError):
            source.access(Environment(env, source.name))
        source.signing_key(Environment(env, source.name))
        read |= env.read
    assert read == declared


def test_every_variable_is_documented_and_read() -> None:
    """Those that others rely on, those of the program and those in the pages are the same. A second account is called ..._EU."""
    product = (path for path in (REPOSITORY / "mttr_pipeline").rglob("*.py") if "demo" not in path.parts)
    code = "\n".join(path.read_text(encoding="utf-8") for path in product)
    own = [source for source in registry().sources.values() if not source.third_party]
    known = set(re.findall(r'"(MTTR_[A-Z_]+)"', code)).union(*map(variables_of, own))
    pattern = rf"\b(?:{'|'.join(source.name.upper() for source in own)}|MTTR)_[A-Z][A-Z_]*[A-Z]\b"
    assert known >= VARIABLES, "documented for others, but not read"
    assert set(re.findall(pattern, PAGES["docs/configuration.md"].replace("_EU_", "_"))) == known
    assert set(re.findall(pattern, TEXT.replace("_EU_", "_"))) <= known


def test_the_tables_of_the_settings_are_current() -> None:
    """Written by hand, they named a default that had changed and left out a key. Each table stands on the page."""
    page = PAGES["docs/configuration.md"]
    assert page == reference.updated(page), "run `python -m mttr_pipeline.cli.reference docs/configuration.md`"
    assert set(re.findall(r"<!-- generated: (.+) -->", page)) == reference.BLOCKS.keys()


def test_a_generated_table_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- generated: words -->\nold\n<!-- end -->\nafter | old\n"
    written = reference.updated(page)
    assert written == f"before\n<!-- generated: words -->\n{reference.words()}<!-- end -->\nafter | old\n"
    assert "Won't fix" in written
    with pytest.raises(KeyError):
        reference.updated("<!-- generated: nonsense -->\n<!-- end -->\n")


def sections(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of `mttr.toml` as a path; names that the user chooses are left out of it."""
    for name, field in model.model_fields.items():
        yield (*prefix, name)
        for inner in models_in(field.annotation):
            yield from sections(inner, (*prefix, name))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (dict, tuple, list, Union, UnionType):
        for argument in get_args(annotation):
            yield from models_in(argument)


def test_every_key_of_the_configuration_file_is_documented() -> None:
    """Those of all sources too."""
    spoken = "\n".join(code(PAGES["docs/configuration.md"]))
    paths = list(sections(type(load_settings({}).file)))
    assert {("vocabulary", "type"), ("sources", "jira", "projects", "status")} <= set(paths)
    missing = [".".join(path) for path in paths if not re.search(rf"\b{path[-1]}\b", spoken)]
    assert missing == []


def test_the_configuration_examples_are_valid(tmp_path: Path) -> None:
    """Copied as they stand, every TOML block of the pages must load: unknown keys are errors."""
    pages = [text for page, text in PAGES.items() if page not in WALKS]
    blocks = [block for text in pages for block in re.findall(r"```toml\n(.*?)```", text, re.S)]
    assert len(blocks) >= 2
    for block in blocks:
        path = tmp_path / "mttr.toml"
        path.write_text(block, encoding="utf-8")
        assert tomllib.loads(block)
        assert config_tables(load_settings({}, config=path), UNTIL, "")


# -- what is published -------------------------------------------------------------------------------------------------


def test_every_table_is_documented_and_published() -> None:
    """docs/tables.md is written from the SQL headers; it must be the present ones."""
    made = {model.name for model in default_catalog().published}
    assert made >= TABLES
    assert PAGES["docs/tables.md"] == markdown(), "run `python -m mttr_pipeline.warehouse.reference > docs/tables.md`"


@pytest.mark.parametrize("page", sorted(PAGES.keys() - WALKS))
def test_every_sql_example_runs(page: str) -> None:
    """In a published file, statement by statement."""
    statements = [
        statement
        for block in re.findall(r"```sql\n(.*?)```", PAGES[page], re.S)
        for statement in re.sub(r"--[^\n]*", "", block).split(";")
        if statement.strip()
    ]
    if statements:
        with published(finished_run()) as con:
            for statement in statements:
                con.execute(statement)


def test_every_file_that_is_named_is_there() -> None:
    """Links between pages, and the files of a published generation."""
    for page, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
            assert ((REPOSITORY / page).parent / target).exists(), f"{page} links to {target}"
    folder = latest(finished_run())
    named = set(re.findall(r"\b(?:json/\w+\.json|parquet/\w+\.parquet|report\.html|manifest\.json)\b", TEXT))
    assert named and all((folder / name).is_file() for name in named), named
    scripts = set(re.findall(r"examples/\w+\.py", TEXT))
    assert scripts and all((REPOSITORY / name).is_file() for name in scripts)


def test_the_folders_of_the_package_are_those_in_the_readme() -> None:
    """A new folder needs a line that says what belongs there."""
    rows = re.findall(r"^\| `(\w+)/` \|", PAGES["README.md"], re.M)
    folders = {path.parent.name for path in (REPOSITORY / "mttr_pipeline").glob("*/__init__.py")}
    assert set(rows) == folders and len(rows) == len(folders)
