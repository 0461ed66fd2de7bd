"""The SQL files as a set: every header says what is true of its table, and what is wrong with a file is said before a run.

The checks of the headers guard the publish, so each kind of them is shown bad data here and has to object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import open_warehouse

from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.catalog import default_catalog, house_models, ordered
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import SCHEMAS, Model, load_macros, parse_model, sql_folder

MODELS = default_catalog()
HEADER = '/*\ndescription = "d"\n[columns]\na = "the a"\n*/\n'
PUBLISHED = HEADER.replace("[columns]", "published = true\n[columns]")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Every table, built without one landed record."""
    warehouse = open_warehouse(tmp_path_factory.mktemp("models"), after_nothing=True)
    for model in warehouse.catalog.of_layer("facts"):  # they are in no file
        warehouse.build(model)
    yield warehouse
    warehouse.close()


# --- the files of the project -----------------------------------------------------------------------------------------


def test_every_sql_file_is_a_model() -> None:
    """A file in the wrong folder would silently be no table at all."""
    used = {model.where for model in MODELS}
    files = {f"sql/{path.relative_to(sql_folder())}" for path in sql_folder().rglob("*.sql")}
    assert {file for file in files if not file.startswith(("sql/macros/", "sql/import/"))} == used
    folders = {path.relative_to(sql_folder()).parts[0] for path in sql_folder().rglob("*.sql")}
    assert folders == {*SCHEMAS, "macros", "import"}


def test_no_table_depends_on_a_later_layer() -> None:
    """The lineage graph has no knots: raw, staging, core, facts, figures, mart, each from its own layer or an earlier one."""
    layer = {model.table: SCHEMAS.index(model.schema) for model in MODELS}
    assert [(m.table, name) for m in MODELS for name in m.depends if layer[name] > layer[m.table]] == []


def test_only_the_tables_of_sources_read_raw_tables() -> None:
    """Nothing downstream of staging knows what a vendor sends."""
    assert [(m.table, name) for m in MODELS for name in m.depends if name.startswith("raw.") and not m.account] == []


def test_every_model_comes_after_what_it_reads() -> None:
    place = {model.table: number for number, model in enumerate(MODELS)}
    assert [(m.table, name) for m in MODELS for name in m.depends if place[name] >= place[m.table]] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_the_header_says_what_the_table_is(empty: Warehouse, model: Model) -> None:
    """Documented columns are the produced ones, in order; every promise names columns that exist; nothing is left blank."""
    produced = empty.columns(model)
    documented = [name for name in model.columns if model.schema != "raw" or name != "reject_reason"]
    assert list(produced) == documented
    assert [name for name, text in model.columns.items() if not text.strip()] == []
    named = {*model.not_null, *(name for key in model.unique for name in key)}
    assert named <= produced.keys()
    if model.schema == "raw":
        assert model.source and model.stream and set(model.key) <= produced.keys()
        assert model.version is None or model.version in produced
        assert "reject_reason" in model.columns and "landed_in" in model.columns
    else:
        assert (model.source, model.stream, model.key, model.version) == (None, None, (), None)


def test_published_types_are_those_of_the_contract(empty: Warehouse) -> None:
    """Instants carry their zone, minutes are DOUBLE, local days are DATE; nothing that another program cannot read."""
    for model in MODELS:
        if not model.published:
            continue
        for name, kind in empty.columns(model).items():
            where = f"{model.table}.{name}"
            assert kind not in ("TIMESTAMP", "HUGEINT", "JSON", "INTERVAL", '"NULL"'), where
            assert (kind == "DATE") == name.endswith("_date"), where
            if name.endswith(("_at", "window_start", "window_end", "as_of")) or name in ("at", "since", "until"):
                assert kind == "TIMESTAMP WITH TIME ZONE", where
            if name.endswith("_minutes"):
                assert kind == "DOUBLE", where


def test_all_promises_hold_for_a_company_without_history(empty: Warehouse) -> None:
    """The first night has no incident; no check may mistake that for a fault."""
    assert [(m.table, check) for m in MODELS for check in empty.check(m) if not check.passed] == []


@pytest.mark.parametrize("name", ["internal", "analyst"])
def test_macros_are_there(name: str) -> None:
    assert "CREATE OR REPLACE MACRO" in load_macros(name)


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1 AS a", "has no /\\* header \\*/"),
        (HEADER, "has no SELECT below its header"),
        ("", "has no /\\* header \\*/"),
        ("-- a comment first\n" + HEADER + "SELECT 1 AS a", "has no /\\* header \\*/"),
        ("/*\ndescription = \n*/ SELECT 1", "no valid TOML"),
        ('/*\ndescription = "d"\ncolour = "red"\n[columns]\na = "x"\n*/ SELECT 1', "unknown keys colour"),
        ('/*\n[columns]\na = "x"\n*/ SELECT 1', "description and \\[columns\\] are required"),
        (
            '/*\ndescription = "d"\npublished = true\ngathered = true\n[columns]\na = "x"\n*/ SELECT 1 AS a',
            "cannot be published",
        ),
        ('/*\ndescription = "d"\ngathered = true\n[columns]\na = "x"\n*/', "needs the type of each"),
        ('/*\ndescription = "d"\n*/ SELECT 1', "description and \\[columns\\] are required"),
        ('/*\ndescription = " "\n[columns]\n*/ SELECT 1', "description and \\[columns\\] are required"),
        ('/*\ndescription = " \\t"\n[columns]\na = "x"\n*/ SELECT 1', "description and \\[columns\\] are required"),
        ('/*\ndescription = """\n\n"""\n[columns]\na = "x"\n*/ SELECT 1', "description and \\[columns\\] are required"),
        ('/*\ndescription = "d"\n[columns]\na = "x"\nb = ""\nc = " "\n*/ SELECT 1', "what these columns mean: b, c\\."),
    ],
)
def test_a_bad_header_is_an_error_that_names_the_file(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=f"sql/core/thing.sql.*{message}"):
        parse_model(text, "core", "thing")


def test_the_mart_is_published() -> None:
    """A table in the folder of the answers that no reader gets would be a mistake."""
    with pytest.raises(ContractError, match=r"sql/mart/thing\.sql.*write published = true"):
        parse_model(HEADER + "SELECT 1 AS a", "mart", "thing")


def folder_of(root: Path, **files: str) -> Path:
    """An sql folder; the names are `schema__table`."""
    for name, sql in files.items():
        schema, _, table = name.partition("__")
        (root / schema).mkdir(exist_ok=True)
        header = PUBLISHED if schema == "mart" else HEADER
        (root / schema / f"{table}.sql").write_text(header + sql, encoding="utf-8")
    return root


def test_an_unknown_table_is_an_error_that_names_both(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, mart__thing="SELECT a FROM core.nowhere")
    with pytest.raises(ContractError, match=r"sql/mart/thing\.sql selects from core\.nowhere, which no file makes"):
        ordered(house_models(folder))


def test_a_circle_is_an_error_that_names_its_members(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, core__one="SELECT a FROM core.two", core__two="SELECT a FROM core.three", core__three="FROM core.one"
    )
    with pytest.raises(ContractError, match="circle") as raised:
        ordered(house_models(folder))
    assert all(f"core.{name}" in str(raised.value) for name in ("one", "two", "three"))


def test_a_later_layer_is_an_error_that_names_both(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, core__one="SELECT a FROM mart.two", mart__two="SELECT 1 AS a")
    with pytest.raises(ContractError, match=r"sql/core/one\.sql selects from mart\.two, which is in a later layer"):
        ordered(house_models(folder))


def test_a_view_for_readers_selects_from_what_they_get(tmp_path: Path) -> None:
    """In their file the other tables are not there."""
    folder = folder_of(tmp_path, core__one="SELECT 1 AS a")
    (folder / "mart").mkdir()
    view = PUBLISHED.replace("published = true", "published = true\nview = true")
    (folder / "mart" / "two.sql").write_text(view + "SELECT a FROM core.one", encoding="utf-8")
    with pytest.raises(ContractError, match=r"sql/mart/two\.sql is a view for readers and selects from core\.one"):
        ordered(house_models(folder))


def test_two_tables_cannot_be_published_under_one_name(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, mart__one="SELECT 1 AS a")
    (folder / "core").mkdir()
    (folder / "core" / "one.sql").write_text(PUBLISHED + "SELECT 1 AS a", encoding="utf-8")
    with pytest.raises(ContractError, match=r"core\.one and mart\.one are both published as one"):
        ordered(house_models(folder))


def test_dependencies_are_read_from_the_sql_not_from_its_comments(tmp_path: Path) -> None:
    """A table that is only talked about is no dependency; one that is read through a macro can be named."""
    folder = folder_of(
        tmp_path,
        core__a="SELECT 1 AS a",
        core__b="SELECT a FROM core.a -- unlike core.c\n /* nor mart.d */",
        core__c="SELECT b.a FROM core.b AS b JOIN core.a USING (a)",
    )
    (folder / "mart").mkdir()
    hidden = PUBLISHED.replace("[columns]", 'depends = ["core.c"]\n[columns]')
    (folder / "mart" / "d.sql").write_text(hidden + "SELECT a FROM some_macro()", encoding="utf-8")
    found = {model.table: model.depends for model in ordered(house_models(folder))}
    assert found == {"core.a": (), "core.b": ("core.a",), "core.c": ("core.a", "core.b"), "mart.d": ("core.c",)}


def test_a_table_that_is_not_as_documented_is_an_error(empty: Warehouse) -> None:
    """Wrong, missing, additional or reordered: the documentation that travels with the data must be right."""
    for sql in ("SELECT 1 AS b", "SELECT 1 AS a, 2 AS b", "SELECT 2 AS b, 1 AS a"):
        model = parse_model(HEADER + sql, "core", "scratch")
        with pytest.raises(ContractError, match=r"core\.scratch has the columns .*, but its header documents a\."):
            empty.build(model)


def test_a_function_that_is_not_there_is_an_error() -> None:
    header = HEADER.replace("[columns]", 'python = "mttr_pipeline.metrics.nowhere:rows"\n[columns]')
    model = parse_model(header + "SELECT a FROM computed", "core", "scratch")
    with pytest.raises(ContractError, match=r"sql/core/scratch\.sql: python = .*nowhere.* is not there"):
        model.function()


# --- bad data ---------------------------------------------------------------------------------------------------------


def verdicts(warehouse: Warehouse, header: str, values: str) -> dict[str, bool]:
    """Check name -> passed, for a table core.scratch(a, b) of these rows."""
    columns = '\n[columns]\na = "the a"\nb = "the b"\n'
    sql = f"SELECT * FROM (VALUES {values}) AS t(a, b)"
    model = parse_model(f'/*\ndescription = "d"\n{header}{columns}*/\n{sql}', "core", "scratch")
    warehouse.build(model)
    found = warehouse.check(model)
    assert [check.name for check in found] == list(model.promises())
    assert all(check.detail for check in found)
    return {check.name: check.passed for check in found}


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ('not_null = ["a"]', "(1, 2), (NULL, 3)", {"not_null": False}),
        ('not_null = ["a", "b"]', "(1, NULL)", {"not_null": False}),
        ('unique = [["a"]]', "(1, 2), (1, 3)", {"unique_a": False}),
        ('unique = [["a"]]', "(NULL, 2), (NULL, 3)", {"unique_a": False}),  # two rows without a key are not one
        ('unique = [["a", "b"]]', "(1, 2), (1, 3)", {"unique_a_b": True}),
        ('unique = [["a", "b"]]', "(1, NULL), (1, NULL)", {"unique_a_b": False}),
        ('[assert]\nordered = "a <= b"', "(1, 2), (3, 2)", {"ordered": False}),
        ('[assert]\nordered = "a <= b"', "(1, 2), (3, NULL)", {"ordered": True}),  # what is unknown breaks nothing
        ('[assert]\nsurely = "a = 1"\nnever = "a = 2"', "(1, 2)", {"surely": True, "never": False}),
    ],
)
def test_checks_object_to_bad_data(empty: Warehouse, header: str, values: str, expected: dict[str, bool]) -> None:
    assert verdicts(empty, header, values) == expected


@pytest.mark.parametrize(
    ("values", "once"),
    [
        ("('a', 1), ('b', 1), ('a', 2)", True),
        ("('a', 1), ('b', 1), ('a', 1)", False),
        ("('a', 1), ('a', NULL)", True),
        ("('a', NULL), ('a', NULL)", False),
        ("(NULL, 1), (NULL, 1)", False),
        ("('a', -1), ('b', 5000000000000)", True),  # numbers that no row of bits is long enough for
    ],
)
def test_numbered_keys_are_checked_as_exactly_as_others(empty: Warehouse, values: str, once: bool) -> None:
    """A bit for each number is quick to count; where it proves nothing, the keys themselves decide."""
    header = 'description = "d"\nunique = [["a", "incident_no"]]\n[columns]\na = "the a"\nincident_no = "the number"'
    sql = f"SELECT * FROM (VALUES {values}) AS t(a, incident_no)"
    model = parse_model(f"/*\n{header}\n*/\n{sql}", "core", "scratch")
    empty.build(model)
    assert [check.passed for check in empty.check(model)] == [once]


@pytest.mark.parametrize(
    "header",
    ['[assert]\nbroken = "no_such_column > 1"', '[assert]\nbroken = "a::INTEGER > 1"', '[assert]\nbroken = "a > "'],
)
def test_a_check_that_fails_itself_is_a_failed_check(empty: Warehouse, header: str) -> None:
    """A misspelt check must stop the publish, not be passed over."""
    assert verdicts(empty, header, "('x', 2)") == {"broken": False}


@pytest.mark.parametrize(
    ("table", "damage", "check"),
    [
        ("mart.mttr_stats", "UPDATE {} SET excluded_open = excluded_open + 1", "counts_add_up"),
        ("mart.mttr_stats", "UPDATE {} SET mean_minutes = 0 WHERE incidents_analyzed = 0", "no_data_is_null"),
        (
            "mart.mttr_stats",
            "INSERT INTO {0} FROM {0} LIMIT 1",
            "unique_calculation_type_scope_scope_value_window_start",
        ),
        ("core.windows", "INSERT INTO {0} FROM {0} LIMIT 1", "unique_name"),
        ("core.phase_model", "UPDATE {} SET phase_model = NULL", "not_null"),
    ],
)
def test_the_promises_of_the_figures_object_to_damage(empty: Warehouse, table: str, damage: str, check: str) -> None:
    """Not only do the kinds of check work: the ones that guard the figures are there."""
    model = next(model for model in MODELS if model.table == table)
    empty.build(model)
    try:
        empty.con.execute(damage.format(table))
        assert check in [found.name for found in empty.check(model) if not found.passed]
    finally:
        empty.build(model)
