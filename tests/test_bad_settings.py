"""What `mttr.toml` may not say. It is refused when it is read, by a sentence that names the key and what would be right:
hours later a join or a cast would stop the night without naming either, or a figure would be wrong in silence.

How the command line ends is in test_bad_input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from zoneinfo import available_timezones

import duckdb
import pytest
from pydantic import BaseModel, ValidationError
from support import settings_for

from mttr_pipeline.config.terms import LIFECYCLE_ONLY, PHASES, Phase
from mttr_pipeline.defs.jobs import daily
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.registry import load_settings


def refused(folder: Path, content: str) -> str:
    """What is said about this `mttr.toml`."""
    path = folder / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_settings({}, config=path)
    return str(error.value).removeprefix(f"{path}: ")


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[targets.severities]\nSEV9 = 5\n", "'targets.severities.SEV9': must be 'SEV1', 'SEV2', 'SEV3' or 'SEV4'"),
        ('[services."Check out"]\nteam = 5\n', """'services."Check out".team': must be a valid string (found 5)."""),
        ("[services]\nCheckout = true\n", "'services.Checkout': must be a table (found true)."),
        (
            '[services.Checkout]\naliases = "web"\n',
            """'services.Checkout.aliases': must be a list, like ["one", "two"]""",
        ),
        (
            "[thresholds.phases]\ndetection = { warning = 5, critical = 3 }\n",
            "'thresholds.phases.detection': critical (3) is below warning (5).",
        ),
        ("[variants.x]\nstart = 1979-05-27\nend = 07:32:00\n", "(found 1979-05-27). (1 more)"),
    ],
)
def test_a_key_is_told_as_it_is_written(tmp_path: Path, content: str, said: str) -> None:
    """Who reads the sentence looks for the key in the file: no word of the library's, no value in Python's spelling."""
    assert said in refused(tmp_path, content)


def test_half_a_pair_says_that_both_are_needed(tmp_path: Path) -> None:
    """A threshold has no default for the other level: which one would it be held against?"""
    text = refused(tmp_path, "[thresholds.phases]\ndetection = { warning = 3 }\n")
    assert text == "'thresholds.phases.detection.critical' is missing; warning and critical are both needed there."
    text = refused(tmp_path, '[variants.hands_on]\nend = "closed_at"\n')
    assert text == "'variants.hands_on.start' is missing; start and end are both needed there."


def test_a_misspelt_key_is_told_before_the_one_that_is_missing(tmp_path: Path) -> None:
    """`warn` leaves `warning` missing too; and what is known is told in tables of tables as well."""
    text = refused(tmp_path, "[thresholds.severities.SEV1]\ndetection = { warn = 3, critical = 9 }\n")
    assert text == "unknown key 'thresholds.severities.SEV1.detection.warn'; known there: critical, warning. (1 more)"


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["basic", "custom", "Hands-On", '""'])
def test_a_variant_has_a_name_of_its_own(tmp_path: Path, name: str) -> None:
    """`custom` is what `mttr stats --type` and the macros call two stamps of one's own: a variant would take its place."""
    text = refused(tmp_path, f'[variants.{name}]\nstart = "detected_at"\nend = "closed_at"\n')
    assert "'variants'" in text and text.endswith("none of basic, service_restore, full_recovery, custom.")


# -- numbers -----------------------------------------------------------------------------------------------------------


def numbers(annotation: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The place of every number in the file, with a name for each that the user chooses."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in (int, float):
        yield path
    elif origin is dict:
        name = get_args(inner[0])[0] if get_origin(inner[0]) is Literal else "x"
        yield from numbers(inner[1], (*path, name))
    elif origin is Annotated:
        yield from numbers(inner[0], path)
    elif origin in (Union, UnionType):
        for choice in inner:
            yield from numbers(choice, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from numbers(field.annotation, (*path, name))


FileSettings = type(settings_for(Path()).file)
NUMBERS = list(numbers(FileSettings))


def findings(path: tuple[str, ...], value: Any) -> list[str]:
    """What is wrong with this value at this place; what else its table would need is left out."""
    file = value
    for part in reversed(path):
        file = {part: file}
    try:
        FileSettings.model_validate(file)
    except ValidationError as error:
        return [found["msg"] for found in error.errors() if found["loc"] == path]
    return []


@pytest.mark.parametrize("path", NUMBERS, ids=".".join)
def test_every_number_has_limits(path: tuple[str, ...]) -> None:
    """`SEV1 = true` was a target of one minute, 1e300 and nan stopped the night in a cast, and what is less than half a
    microsecond was counted as none at all.
    """
    for wrong in (True, False, math.nan, math.inf, -math.inf, 1e300, 1e15, 10**400, 1e-9, -1, "5", [5]):
        (said,) = findings(path, wrong)
        assert "must be" in said and "number of" in said and " from " in said and " to " in said, (wrong, said)
    some = 1 if path[0] == "downtime" else 30  # a weight is a share
    assert findings(path, some) == findings(path, float(some)) == [], (
        "whole or not, TOML's two kinds of numbers are one to people"
    )


def test_every_kind_of_number_is_looked_at() -> None:
    """The walk over the settings above must not miss any: these are the ones that went wrong."""
    assert set(NUMBERS) >= {
        ("outliers", "hours"),
        ("lifecycle", "reopen_hours"),
        ("lifecycle", "flap_minutes"),
        ("targets", "severities", "SEV1"),
        ("targets", "services", "x", "SEV1"),
        ("targets", "phases", "detection"),
        ("targets", "at_risk_pct"),
        ("targets", "availability_pct"),
        ("thresholds", "services", "x", "detection", "critical"),
        ("lifecycle", "abandoned_days"),
        ("downtime", "severities", "SEV1"),
        ("downtime", "services", "x", "SEV1"),
        ("publish", "keep", "months"),
        ("sources", "jira", "lag_minutes"),
        ("sources", "pagerduty", "requests_per_minute"),
        ("sources", "jsm", "relist_requests"),
    }


def test_the_limits_themselves_are_allowed() -> None:
    """No reopen and no flap at all is 0; the defaults, and a span of ten years, are within."""
    defaults = FileSettings()
    assert FileSettings.model_validate(defaults.model_dump()) == defaults
    for path in (("lifecycle", "reopen_hours"), ("lifecycle", "flap_minutes"), ("sources", "jira", "audit_requests")):
        assert findings(path, 0) == []
    assert findings(("outliers", "hours"), 87_600) == findings(("targets", "phases", "closure"), 0.001) == []
    nights = ("publish", "keep", "nights")
    assert findings(("outliers", "hours"), 0) and findings(nights, 0) and findings(nights, 1.5)


def test_a_number_of_generations_means_nights(tmp_path: Path) -> None:
    """`keep = 30` was the whole setting once, and every generation of another night stayed then too."""
    (tmp_path / "mttr.toml").write_text("[publish]\nkeep = 30\n", encoding="utf-8")
    keep = load_settings({}, data_dir=tmp_path, config=tmp_path / "mttr.toml").file.publish.keep
    assert (keep.nights, keep.weeks, keep.months) == (30, 0, 0)


@pytest.mark.parametrize(
    ("value", "found"),
    [("true", "true"), ("inf", "inf"), ("1e300", "1e+300"), ("1e-9", "1e-09"), ('"5"', "'5'")],
)
def test_a_number_out_of_range_is_told_with_the_range(tmp_path: Path, value: str, found: str) -> None:
    text = refused(tmp_path, f"[targets.severities]\nSEV1 = {value}\n")
    assert text == (
        f"'targets.severities.SEV1': must be a number of minutes from 0.001 to 5256000 (ten years) (found {found})."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "[downtime.severities]\nSEV3 = 1.5\n",
            "'downtime.severities.SEV3': must be a number of at most three decimals, from 0 to 1",
        ),
        ("[downtime.severities]\nSEV3 = 30\n", "from 0 to 1 (found 30)"),
        ("[downtime.severities]\nSEV3 = -0.1\n", "from 0 to 1 (found -0.1)"),
        ("[downtime.severities]\nSEV3 = 0.3333\n", "at most three decimals, from 0 to 1 (found 0.3333)"),
        ("[downtime.severities]\nSEV5 = 1\n", "'downtime.severities.SEV5': must be 'SEV1', 'SEV2', 'SEV3' or 'SEV4'"),
        ("[downtime.services.cart]\nSEV1 = true\n", "'downtime.services.cart.SEV1': must be a number of"),
        ("[downtime]\ncount_noise = 5\n", "'downtime.count_noise': must be"),
        ("[downtime]\nweights = 1\n", "downtime.weights"),
        (
            "[lifecycle]\nabandoned_days = 0\n",
            "'lifecycle.abandoned_days': must be a number of days from 0.001 to 3650",
        ),
        (
            '[services.Cart]\naliases = ["shop"]\n[downtime.services.cart]\nSEV3 = 1\n[downtime.services.shop]\nSEV3 = 0\n',
            "'downtime.services': 'cart' and 'shop' are both names of the service 'Cart'; keep one of them",
        ),
    ],
)
def test_the_parts_that_downtime_counts(tmp_path: Path, content: str, said: str) -> None:
    """More than all of a service cannot be down, and a part in percent would make every minute count thirty times."""
    assert said in refused(tmp_path, content)


@pytest.mark.parametrize("share", ["0.8", "100.5"])
def test_a_share_is_in_percent(tmp_path: Path, share: str) -> None:
    """0.8 means 80 to whoever writes it: taken for less than one percent, every incident would be at risk."""
    assert "percent from 1 to 100 " in refused(tmp_path, f"[targets]\nat_risk_pct = {share}\n")


@pytest.mark.parametrize(
    "value", ["2024", "true", "07:32:00", '"last year"', '"1704067200"', "0001-01-01", "9999-12-31"]
)
def test_the_first_pull_begins_at_a_date(tmp_path: Path, value: str) -> None:
    """`since = 2024` was 2024 seconds after the beginning of 1970, and the year 1 has nothing before it to overlap with."""
    text = refused(tmp_path, f"[sources.jira]\nsince = {value}\n")
    assert text.startswith("'sources.jira.since': must be a date like 2026-01-31"), text


@pytest.mark.parametrize("value", ["2024-01-31", '"2024-01-31"', "2024-01-31T00:00:00", '"2024-01-31T00:00:00Z"'])
def test_a_date_may_be_text(tmp_path: Path, value: str) -> None:
    """Some write TOML's dates in quotes; that is no reason to refuse them."""
    (tmp_path / "mttr.toml").write_text(f"[sources.jira]\nsince = {value}\n")
    since = load_settings({}, config=tmp_path / "mttr.toml").file.sources.jira.since
    assert since and (since.year, since.month, since.day) == (2024, 1, 31)


# -- time zones --------------------------------------------------------------------------------------------------------

ODD_ZONES = (
    "posix/Europe/Berlin",
    "right/Europe/Berlin",
    "localtime",
    "europe/berlin",
    "BST",
    "Europe",
    "../etc/passwd",
    "",
)


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_a_zone_is_one_that_the_database_knows(tmp_path: Path, zone: str) -> None:
    """Python reads zones from the system, DuckDB has its own list: what only one of them knows stopped the run in a query,
    or meant another zone than the one that was thought of.
    """
    places = ("reporting_time_zone", "[sources.custom]\ntime_zone", "[dagster]\ntime_zone")
    for content in (f'{place} = "{zone}"\n' for place in places):
        text = refused(tmp_path, content)
        assert "time_zone': must be an IANA time zone that DuckDB knows, like 'Europe/Berlin' (found " in text, text


@pytest.mark.parametrize(
    "schedule",
    ["", "daily", "15 3 * *", "60 3 * * *", "15 24 * * *", "15 3 0 * *", "15 3 30 2 *", "*/0 * * * *", "5-1 * * * *"],
)
def test_a_schedule_is_one_that_dagster_knows(tmp_path: Path, schedule: str) -> None:
    """Else the code location does not load, with a stack trace and without the name of the key."""
    text = refused(tmp_path, f'[dagster]\nschedule = "{schedule}"\n')
    assert "'dagster.schedule': must be a cron schedule of five fields (minute, hour, day, month, weekday)" in text, (
        text
    )


@pytest.mark.parametrize("schedule", ["15 3 * * *", "*/15 0-5,22 1,15 jan-jun mon-fri", "0 6 1-7/2 * 7"])
def test_what_is_taken_for_a_schedule_dagster_takes_too(tmp_path: Path, schedule: str) -> None:
    """The check is our own, because settings are read without Dagster."""
    (tmp_path / "mttr.toml").write_text(f'[dagster]\nschedule = "{schedule}"\n')
    wanted = load_settings({}, config=tmp_path / "mttr.toml").file.dagster
    assert daily(wanted).cron_schedule == schedule


def test_owners_and_tags_are_those_that_dagster_takes(tmp_path: Path) -> None:
    """Both are shown in Dagster, which stops at what it does not know."""
    text = refused(tmp_path, '[dagster]\nowners = ["sre"]\n')
    assert (
        text.startswith("'dagster.owners")
        and "must be an e-mail address, or the name of a team like 'team:sre'" in text
    )
    text = refused(tmp_path, '[dagster]\ntags = { "cost centre" = "1" }\n')
    assert text.startswith("'dagster.tags': 'cost centre' = '1': a tag is at most 63 letters"), text
    for kinds in ('["a b"]', '["a", "b", "c", "d", "e", "f", "g"]'):
        assert refused(tmp_path, f"[dagster]\nkinds = {kinds}\n").startswith("'dagster.kinds': at most six kinds")


def test_every_zone_that_both_know_is_taken() -> None:
    """The check must not refuse what works: all IANA names, those with an older spelling too."""
    names = available_timezones() - {"localtime"}
    refused = []
    for name in names:
        try:
            FileSettings(reporting_time_zone=name)
        except ValidationError:
            refused.append(name)
    assert len(names) > 400 and len(refused) < 10, refused
    with duckdb.connect() as con:
        for name in names - set(refused):
            con.execute("SELECT timezone(?, TIMESTAMP '2026-01-01 12:00:00')", [name])


# -- phases ------------------------------------------------------------------------------------------------------------


def test_a_target_of_a_phase_that_the_model_does_not_have(tmp_path: Path) -> None:
    """It would be held against nothing, and nobody would be told. Under auto the incidents decide which model it is."""
    target = "[targets.phases]\nresolution = 10\n"
    text = refused(tmp_path, f'phase_model = "coarse"\n{target}')
    assert text.startswith("'targets.phases.resolution': the coarse phase model has no such phase; take the target out")
    for model in ("auto", "lifecycle"):
        (tmp_path / "mttr.toml").write_text(f'phase_model = "{model}"\n{target}')
        assert load_settings({}, config=tmp_path / "mttr.toml").file.targets.phases == {"resolution": 10}


def test_only_that_phase_is_the_lifecycle_s_alone() -> None:
    """What is refused above is what the table of phases says."""
    of_model = {model: {row[2] for row in PHASES if row[0] == model} for model in ("lifecycle", "coarse")}
    assert of_model["lifecycle"] == set(get_args(Phase))
    assert of_model["lifecycle"] - of_model["coarse"] == {LIFECYCLE_ONLY}
