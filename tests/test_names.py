"""Names of services and teams: capitals, blanks, - and _ and Unicode forms make no difference, and each stands for one thing.

Two rows for one name make two of each record that has it; the night then ended in a check that named neither.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import AS_OF, build_all, land, land_custom, open_warehouse, rows, settings_for
from support_e2e import mttr

from mttr_pipeline.config.names import normalize, owners
from mttr_pipeline.config.tables import config_tables
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.registry import load_settings


def services_of(folder: Path, configured: dict[str, Any], given: list[str]) -> list[str]:
    """The services that records with these names get; every promise of the tables is checked."""
    landing = Landing(folder / "landing")
    at = AS_OF - timedelta(days=1)
    records = [
        {"external_id": f"C-{n:03}", "service": name, "detected_at": at.isoformat()} for n, name in enumerate(given)
    ]
    land_custom(landing, records)
    warehouse = open_warehouse(folder, configured, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["core.vendor_records", "core.targets", "core.thresholds"])
        found = warehouse.con.execute("SELECT service FROM core.vendor_records ORDER BY external_id").fetchall()
        return [service for (service,) in found]
    finally:
        warehouse.close()


def test_an_alias_may_differ_in_capitals_and_blanks_only(tmp_path: Path) -> None:
    """Every spelling that a vendor sends is written down as it comes: the service's own among them, and one twice."""
    configured = {
        "services": {
            " Checkout ": {"aliases": ["checkout", "Checkout", " checkout-api ", "CHECKOUT-API"], "team": " Payments "}
        },
        "targets": {"services": {"checkout-API": {"SEV1": 5}}},
        "thresholds": {"services": {"checkout ": {"mitigation": {"warning": 1, "critical": 2}}}},
    }
    given = ["Checkout", "CHECKOUT", " checkout ", "checkout-api", " Checkout-Api ", "other"]
    assert services_of(tmp_path, configured, given) == ["Checkout"] * 5 + ["other"]


def test_a_target_may_spell_its_service_in_its_own_way(tmp_path: Path) -> None:
    """A target that holds for no incident, because of a hyphen, is one that nobody misses until it matters."""
    folder = tmp_path / "data"
    configured = {
        "targets": {"services": {"Search_Index": {"SEV3": 7}}},
        "thresholds": {"services": {"SEARCH INDEX": {"mitigation": {"warning": 1, "critical": 2}}}},
    }
    assert services_of(folder, configured, ["search-index", "search-index", "Search Index"]) == ["search-index"] * 3
    warehouse = open_warehouse(folder, configured, after_nothing=True)
    try:
        for table, column in (("core.targets", "service"), ("core.thresholds", "scope_value")):
            found = warehouse.con.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} ILIKE 'search%'")
            assert found.fetchall() == [("search-index",)], table
    finally:
        warehouse.close()


#: Of one service in two spellings, which is shown.
SHOWN = [
    (["Web", "web", "web"], "web"),  # the most frequent
    (["web", "Web"], "Web"),  # the first of two as frequent
    (["Web ", " Web", "web", "web", "Web"], "Web"),  # blanks around it count for the name within
    (["caf\u00e9", "cafe\u0301", "caf\u00e9"], "caf\u00e9"),  # composed and decomposed
    (["\uff21\uff30\uff29", "api", "api"], "api"),  # full width
]


@pytest.mark.parametrize(("given", "shown"), SHOWN)
def test_the_most_frequent_spelling_is_shown(tmp_path: Path, given: list[str], shown: str) -> None:
    """The same one on every run: a name that changes by night is another service to whoever reads the figures."""
    assert services_of(tmp_path, {}, given) == [shown] * len(given)


def test_spellings_that_became_one_name_are_a_finding(tmp_path: Path) -> None:
    """What was folded is said, each source for itself: the spellings that are shown under another one. An alias is somebody's own
    decision, blanks around a name are nobody's, and a source that spells as the others do has nothing to be told.
    """
    landing = Landing(tmp_path / "landing")
    given = [
        ("web-shop", "Core"),
        ("Web Shop", "core"),
        ("web-shop ", None),
        ("till", None),
        ("mail", "Core"),
        ("mail", "Core"),
    ]
    land_custom(
        landing,
        [
            {"external_id": f"C-{n}", "service": service, "team": team, "detected_at": "2026-10-01T00:00:00Z"}
            for n, (service, team) in enumerate(given)
        ],
    )
    alert = {"message": "m", "createdAt": "2026-10-01T00:00:00Z", "updatedAt": "2026-10-01T00:00:00Z"}
    land(
        landing,
        "opsgenie",
        {
            "alerts": [
                {**alert, "id": str(n), "tags": [f"service:{name}"]} for n, name in enumerate(["WEB_SHOP", "mail"])
            ]
        },
    )
    land(landing, "jsm", {"alerts": [{**alert, "id": "1", "tags": ["service:mail"]}]})
    warehouse = open_warehouse(tmp_path, {"services": {"Checkout": {"aliases": ["till"]}}}, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["figures.findings_names"])
        found = {row["source"]: row for row in rows(warehouse.con, "FROM figures.findings_names")}
    finally:
        warehouse.close()
    told = {source: (row["n"], row["total"], row["examples"]) for source, row in found.items()}
    assert told == {
        "custom": (2, 6, ["Web Shop (shown as web-shop)", "core (shown as Core)"]),
        "opsgenie": (1, 2, ["WEB_SHOP (shown as web-shop)"]),
        "jsm": (0, 1, None),
    }
    assert {row["level"] for row in found.values()} == {"info"}


def test_a_filter_may_use_any_spelling(tmp_path: Path) -> None:
    """An analyst copies the name from the vendor, where it is spelt differently, and would find nothing."""
    landing = Landing(tmp_path / "landing")
    names = [("payments-api", "Core Team"), ("payments-api", None), ("Caf\u00e9", "core_team"), (None, "Stra\u00dfe")]
    land_custom(
        landing,
        [
            {"external_id": f"C-{n}", "service": service, "team": team, "detected_at": "2026-10-01T00:00:00Z"}
            for n, (service, team) in enumerate(names)
        ],
    )
    warehouse = open_warehouse(tmp_path, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["core.incidents"])
        for condition, expected in (
            ("services := ['Payments API']", ["C-0", "C-1"]),
            ("services := ['\uff30AYMENTS_API']", ["C-0", "C-1"]),
            ("services := ['cafe\u0301', 'UNKNOWN']", ["C-2", "C-3"]),
            ("services := ['payments']", []),
            ("services := []", []),
            ("services := [NULL]", []),
            ("teams := ['coreteam']", ["C-0", "C-2"]),
            ("teams := ['STRASSE'], services := ['unknown']", ["C-3"]),
            ("teams := NULL, services := NULL", ["C-0", "C-1", "C-2", "C-3"]),
        ):
            found = warehouse.con.execute(f"SELECT external_id FROM mttr_population({condition}) ORDER BY 1").fetchall()
            assert [name for (name,) in found] == expected, condition
    finally:
        warehouse.close()


# What one person may write: names of three services in every spelling, claimed once, twice or not at all.
spellings = st.sampled_from([" a", "a", "A", "b", "B ", "c", "C"])


@given(st.dictionaries(spellings, st.lists(spellings, max_size=3), max_size=3))
def test_a_name_is_one_service_s_or_it_is_refused(aliases: dict[str, list[str]]) -> None:
    """Whatever is written: refused exactly when two services claim a name, else each name has one row."""
    claims = Counter(
        name for service, more in aliases.items() for name in {normalize(name) for name in (service, *more)}
    )
    contested = any(count > 1 for count in claims.values())
    try:
        assert set(owners(aliases)) == set(claims) and not contested
    except ValueError:
        assert contested
    else:
        file = {"services": {name: {"aliases": more} for name, more in aliases.items()}}
        _, rows = config_tables(settings_for(Path(), file), AS_OF, "")["services"]
        assert sorted(row[0] for row in rows) == sorted(claims)


CLAIMED_TWICE = [
    (
        '[services.Checkout]\naliases = ["web"]\n[services.Shop]\naliases = [" Web "]\n',
        "'services': the alias 'Web' of 'Shop' is a name of 'Checkout' too; a name stands for one service",
    ),
    (
        '[services.Checkout]\n[services.Shop]\naliases = ["checkout"]\n',
        "'services': the alias 'checkout' of 'Shop' is a name of 'Checkout' too; a name stands for one service",
    ),
    (
        "[targets.services]\nweb-shop = {}\nWeb_Shop = {}\n",
        "'targets.services': 'web-shop' and 'Web_Shop' are one name; keep one",
    ),
    ("[services.Checkout]\n[services.checkout]\n", "'services': 'Checkout' and 'checkout' are one name; keep one"),
    (
        '[services.Checkout]\naliases = ["web"]\n[targets.services]\nCheckout = { SEV1 = 5 }\nWeb = { SEV1 = 6 }\n',
        "'targets.services': 'Checkout' and 'Web' are both names of the service 'Checkout'; keep one",
    ),
    (
        '[services.Checkout]\n[thresholds.services]\nCheckout = {}\n"checkout " = {}\n',
        "'thresholds.services': 'Checkout' and 'checkout ' are one name; keep one",
    ),
    ('[targets.services]\nweb = {}\n" web" = {}\n', "'targets.services': 'web' and ' web' are one name; keep one"),
    (
        "[sources.jira.projects]\nOPS = {}\nops = {}\n",
        "'sources.jira.projects': 'OPS' and 'ops' are one name; keep one",
    ),
    (
        '[sources.jira.projects.OPS.status]\nParked = "paused"\n"parked " = "closed"\n',
        "'sources.jira.projects.OPS.status': 'Parked' and 'parked ' are one name; keep one",
    ),
    (
        '[sources.pagerduty.severity]\nHuge = "SEV1"\nhuge = "SEV2"\n',
        "'sources.pagerduty.severity': 'Huge' and 'huge' are one name; keep one",
    ),
]


@pytest.mark.parametrize(("content", "said"), CLAIMED_TWICE)
def test_a_name_with_two_meanings_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """Which one counts would depend on the order of a dictionary; both are named, so that one can be taken out."""
    path = tmp_path / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_settings({}, config=path)
    assert f"{path}: {said}" in str(error.value)


def test_run_and_doctor_say_it_before_the_night_does(tmp_path: Path) -> None:
    """Exit 2 before anything is pulled; and whoever asks the doctor first is told the same."""
    (content, said), *_ = CLAIMED_TWICE
    path = tmp_path / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    data_dir, env = tmp_path / "data", {"PAGERDUTY_TOKEN": "x"}
    run = mttr("--data-dir", data_dir, "--config", path, "run", env=env).ended(2)
    doctor = mttr("--data-dir", data_dir, "--config", path, "doctor", env=env).ended(2)
    assert said in " ".join(run.err.split()) and said in " ".join(doctor.out.split()) and not data_dir.exists()


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('[services.""]\n', "services"),
        ('[services.Checkout]\naliases = ["web", "  "]\n', "services.Checkout.aliases.1"),
        ('[services.Checkout]\nteam = ""\n', "services.Checkout.team"),
        ('[targets.services.""]\nSEV1 = 5\n', "targets.services"),
        ('[thresholds.services." "]\n', "thresholds.services"),
        ('[sources.jira.projects.""]\n', "sources.jira.projects"),
        ('[sources.jira.status]\n"" = "closed"\n', "sources.jira.status"),
        ('[sources.jira.fields]\n" " = "severity"\n', "sources.jira.fields"),
        ('[sources.opsgenie.severity]\n"" = "SEV1"\n', "sources.opsgenie.severity"),
        ('[sources.opsgenie]\nmitigated_patterns = [""]\n', "sources.opsgenie.mitigated_patterns.0"),
    ],
)
def test_a_blank_name_is_refused(tmp_path: Path, content: str, key: str) -> None:
    """It names nothing, or everything: every note begins with an empty pattern, and '' is how all projects are kept."""
    path = tmp_path / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_settings({}, config=path)
    assert f"{path}: '{key}': " in str(error.value) and "blank" in str(error.value)
