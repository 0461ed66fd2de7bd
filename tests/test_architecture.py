"""The structure of the house: who may import whom, where a vendor may be named, how long a module may be, what is documented.

Rules that only people know are broken within a month. These read every module, imports inside functions included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from support_e2e import REPOSITORY

from mttr_pipeline.alerts import places
from mttr_pipeline.demo.registry import SENDERS, VENDORS
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.sources.registry import registry

PACKAGE = REPOSITORY / "mttr_pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Each room, and the rooms whose modules it may import. Imports go down this table, never up.
ROOMS = {
    "definitions": "defs",
    "cli": "serve defs alerts told publish reports warehouse intake sources landing config interrupts errors hidden demo",
    "serve": "publish intake landing config interrupts errors",
    "defs": "alerts told publish reports warehouse intake sources landing config progress interrupts errors",
    "alerts": "sources told config errors hidden",
    "publish": "reports warehouse landing config errors hidden",
    "reports": "metrics landing config",
    "metrics": "",
    "warehouse": "told sources landing config interrupts errors hidden",
    "told": "landing errors",
    "intake": "sources landing config progress interrupts errors hidden",
    "sources": "landing config progress interrupts errors hidden",
    "landing": "errors hidden",
    "config": "errors hidden",
    "progress": "",
    "interrupts": "",
    "errors": "hidden",
    "hidden": "",
    "demo": "",
}
#: Only `mttr demo` may simulate vendors.
DEMO_COMMAND = "mttr_pipeline.cli.main"
#: Rooms that are about tables, and single modules elsewhere with the reason why they need DuckDB.
DUCKDB = {
    "cli": "questions to the published database",
    "publish": "writes the published files",
    "reports": "reads the tables that it presents",
    "alerts": "reads the table of conditions",
    "metrics": "reads and returns whole columns",
    "warehouse": "runs the SQL",
    "config.values": "a time zone must be one that DuckDB knows",
    "landing.formats": "reads the Parquet files that users give",
    "intake.presets": "runs the SQL of an import preset, in memory",
}
#: The company behind some of the vendors, which is named with them only.
COMPANIES = {"atlassian": {"jira", "jsm", "opsgenie"}}
#: Files that tell of vendors as such: the roster of the invented company says which tool watches which service.
ROSTER = {"mttr_pipeline/demo/company.py"}
#: Headers that still list the sources. Take a line out when the file is mended.
LEFTOVERS: set[str] = set()


# -- imports -----------------------------------------------------------------------------------------------------------


def dotted(path: Path) -> str:
    """The name of a module."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that one imports, anywhere in it. `from package import module` counts as the module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative imports hide who is imported"
            found.add(node.module)
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name for name in inner if name in _names())
    return frozenset(found)


@cache
def _names() -> frozenset[str]:
    return frozenset(map(dotted, MODULES))


def edges() -> Iterator[tuple[str, str]]:
    """(importing module, imported module), both of this project. The package itself holds the version only."""
    for path in MODULES:
        for target in imports(path):
            if target.startswith("mttr_pipeline."):
                yield dotted(path), target


def room(module: str) -> str:
    """`mttr_pipeline.sources.kit.http` -> `sources`."""
    return module.split(".")[1]


def test_the_table_of_rooms_is_complete_and_goes_one_way() -> None:
    """A new room needs a line; a line that allows an import upwards would allow a circle."""
    there = {dotted(path).split(".")[1] for path in MODULES if dotted(path).count(".")} - {"__main__"}
    assert there == set(ROOMS)
    order = list(ROOMS)
    for name, allowed in ROOMS.items():
        assert all(order.index(other) > order.index(name) for other in allowed.split()), name


def test_imports_go_down() -> None:
    """A room that knows one above it cannot be understood, tested or changed without it."""
    wrong = [
        f"{module} imports {target}"
        for module, target in edges()
        if module != "mttr_pipeline.__main__"
        and room(target) != room(module)
        and room(target) not in ROOMS[room(module)].split()
    ]
    assert sorted(wrong) == []


def test_every_line_of_the_table_is_used() -> None:
    """What is allowed and not needed invites the next shortcut."""
    used = {(room(module), room(target)) for module, target in edges()}
    idle = [
        f"{name} -> {other}" for name, rooms in ROOMS.items() for other in rooms.split() if (name, other) not in used
    ]
    assert idle == []


def test_only_the_demo_command_imports_the_demo() -> None:
    """A simulator in the product could answer instead of a vendor."""
    assert {module for module, target in edges() if room(target) == "demo" != room(module)} == {DEMO_COMMAND}


def test_a_source_knows_the_kit_and_itself() -> None:
    """Else a source could not be taken out, or be copied as the start of another one. The kit, and what is beside it, know none."""
    own = {path.parent.name for path in (PACKAGE / "sources").glob("*/__init__.py")} - {"kit"}
    wrong = []
    for module, target in edges():
        here, there = ([*name.split("."), ""][2] for name in (module, target))
        if room(module) != "sources" or room(target) != "sources" or there in ("kit", here):
            continue
        if here == "kit" or here in own or there in own:
            wrong.append(f"{module} imports {target}")
    assert sorted(wrong) == []


def test_only_the_shell_imports_dagster() -> None:
    """Everything else runs without the orchestrator, in tests and in other programs."""
    found = {dotted(path) for path in MODULES if any(name.split(".")[0] == "dagster" for name in imports(path))}
    assert {room(module) for module in found} == {"defs"}, sorted(found)


def test_duckdb_is_imported_where_tables_are() -> None:
    """What pulls or lands records must be able to run in parallel with the one writer, so it never opens a database."""
    found = {dotted(path).removeprefix("mttr_pipeline.") for path in MODULES if "duckdb" in imports(path)}
    wrong = {module for module in found if module not in DUCKDB and module.split(".")[0] not in DUCKDB}
    assert wrong == set()
    needed = {name for name in DUCKDB if any(module == name or module.startswith(f"{name}.") for module in found)}
    assert needed == set(DUCKDB), "a line of the table that nothing needs"


# -- sizes and documentation -------------------------------------------------------------------------------------------


def test_no_module_is_longer_than_400_lines() -> None:
    """A module is read in one sitting."""
    long = {dotted(path): n for path in MODULES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}


def public(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public functions and classes, and the public methods of these, but for setters and for bodies of `...`."""
    for node in getattr(tree, "body", ()):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        is_setter = any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list)
        if not is_setter and ast.unparse(node.body[0]) != "...":
            yield f"{prefix}.{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public(node, f"{prefix}.{node.name}")


def test_everything_public_is_documented() -> None:
    """Modules say what belongs there; functions and classes say what they mean, so that nobody has to read their callers."""
    silent = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent += [name for name, node in public(tree, dotted(path)) if not ast.get_docstring(node)]
        silent += [] if ast.get_docstring(tree) else [dotted(path)]
    assert silent == []


# -- vendors -----------------------------------------------------------------------------------------------------------


@cache
def vendors() -> dict[str, Source]:
    """The sources that are somebody's product. Custom records are no vendor's."""
    return {
        name: source for name, source in registry().sources.items() if source.has_accounts and not source.third_party
    }


def family(source: Source) -> set[str]:
    """The vendors that may be named in the rooms of one: itself, those it shares SQL with, and its relatives: of two products one of
    which has the name of the other in its own, either may tell of records of the other."""
    return {
        name
        for name, other in vendors().items()
        if other is source
        or set(other.traits) & set(source.traits)
        or other.title in source.title
        or source.title in other.title
    }


def rooms_of(source: Source) -> list[Path]:
    """Its folder, its SQL and macros with those of its traits, and its simulator."""
    sql, names = REPOSITORY / "sql", (source.name, *source.traits)
    return [
        PACKAGE / "sources" / source.name,
        *(sql / schema / name for schema in ("raw", "staging") for name in names),
        *(sql / "macros" / f"{name}.sql" for name in names),
        *(PACKAGE / "demo" / folder for folder in simulators().get(source.name, ())),
    ]


@cache
def simulators() -> dict[str, set[str]]:
    """Source -> folders of its simulators."""
    found: dict[str, set[str]] = {}
    for path in (PACKAGE / "demo").glob("*/__init__.py"):
        module = import_module(dotted(path))
        for vendor in (*getattr(module, "SIMULATORS", ()), *getattr(module, "SENDERS", ())):
            found.setdefault(vendor.source, set()).add(path.parent.name)
    return found


@cache
def texts() -> dict[str, str]:
    """Path -> content, in lower case, of every file of the product but those that are about vendors: roster and import presets."""
    found = [path for folder in (PACKAGE, REPOSITORY / "sql") for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {path.relative_to(REPOSITORY).as_posix(): path for path in found if path.suffix != ".pyc"}
    return {
        name: path.read_text(encoding="utf-8").casefold()
        for name, path in named.items()
        if name not in ROSTER and not name.startswith("sql/import/")
    }


@cache
def written_to() -> dict[str, set[Path]]:
    """Product that messages are posted to -> the modules that name it: where its address is read, and where its form is written.

    The same product may be a source, in rooms of its own: what it is sent and what it is asked have nothing in common.
    """
    kinds = [kind for kind in vars(places).values() if isinstance(kind, type) and hasattr(kind, "title")]
    addresses = PACKAGE / "config" / "alert_places.py"
    return {
        kind.title.casefold(): {addresses, PACKAGE / "alerts" / f"{kind.__module__.split('.')[-1]}.py"}
        for kind in kinds
        if kind is not places.Place
    }


def allowed(name: str, known: dict[str, Source] | None = None) -> set[str]:
    """The vendors and companies that a file may name."""
    path, known = REPOSITORY / name, vendors() if known is None else known
    hosts = [source for source in known.values() if any(path.is_relative_to(place) for place in rooms_of(source))]
    found = {vendor for source in hosts for vendor in family(source)}
    posted = {product for product, paths in written_to().items() if path in paths}
    found |= {vendor for vendor, source in known.items() if posted & {vendor, source.title.casefold()}}
    return found | {company for company, owned in COMPANIES.items() if owned & {source.name for source in hosts}}


def named_in(text: str) -> set[str]:
    """The vendors and companies that a text in lower case names."""
    words = {name: (name, source.title.casefold()) for name, source in vendors().items()}
    return {
        name
        for name, known in {**words, **{name: (name,) for name in COMPANIES}}.items()
        if any(w in text for w in known)
    }


def test_no_vendor_is_named_outside_its_rooms() -> None:
    """Then a new source is new files and nothing else. Comments count: an example of a vendor's is read as a rule for all."""
    wrong = {name: strange for name, text in texts().items() if (strange := named_in(text) - allowed(name))}
    assert {name: strange for name, strange in wrong.items() if name not in LEFTOVERS} == {}


def test_a_product_that_is_written_to_is_named_where_that_is_done() -> None:
    """And nowhere else, so that the rule above holds on the day on which it becomes a source too."""
    assert "slack" in written_to() and all(path.is_file() for paths in written_to().values() for path in paths)
    source = replace(vendors()["jira"], name="slack", title="Slack")
    naming = {name for name, text in texts().items() if "slack" in text}
    own = {name for name in naming if any((REPOSITORY / name).is_relative_to(room) for room in rooms_of(source))}
    assert {REPOSITORY / name for name in naming - own} == written_to()["slack"]
    assert all("slack" in allowed(name, {"slack": source}) for name in naming - own)
    assert "slack" not in allowed("mttr_pipeline/alerts/mail.py", {"slack": source})


def test_every_vendor_is_found_in_its_own_rooms() -> None:
    """The search above must not be blind."""
    for name, source in vendors().items():
        for place in (PACKAGE / "sources" / name, REPOSITORY / "sql" / "raw" / name):
            assert any(
                name in named_in(text) for path, text in texts().items() if (REPOSITORY / path).is_relative_to(place)
            )
            assert place in rooms_of(source)
    assert simulators().keys() == {one.source for one in (*VENDORS, *SENDERS)}
