"""Settings: where each value comes from, what wins, and that a credential never shows.

What is wrong and how that is told is in test_bad_input; that everything is documented in test_docs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mttr_pipeline.config.settings import VENDORS, FileSettings, load_settings, parse_instant
from mttr_pipeline.config.vocabulary import definition_hash
from mttr_pipeline.errors import ConfigError

CREDENTIALS = {
    "pagerduty": {"PAGERDUTY_TOKEN": "secret-pd"},
    "opsgenie": {"OPSGENIE_API_KEY": "secret-og"},
    "jsm": {"JSM_CLOUD_ID": "ab-12", "JSM_EMAIL": "me@example.com", "JSM_API_TOKEN": "secret-jsm"},
    "jira": {"JIRA_URL": "https://jira.example.com", "JIRA_PERSONAL_TOKEN": "secret-jira"},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no mttr.toml of the person who runs the tests


def test_nothing_set_is_every_default() -> None:
    settings = load_settings({})
    assert settings.data_dir == Path("data") and settings.config_file is None
    assert settings.file == FileSettings() and settings.enabled_sources == ()


def test_a_source_is_on_when_its_credentials_are_set() -> None:
    assert CREDENTIALS.keys() == VENDORS.keys()
    for name, env in CREDENTIALS.items():
        assert load_settings(env).enabled_sources == (name,)
        blank = {key: "  " if "secret" in value else value for key, value in env.items()}
        if name != "jsm":  # a cloud id without a token is a mistake, not an intention
            assert load_settings(blank).enabled_sources == ()
    assert load_settings({k: v for env in CREDENTIALS.values() for k, v in env.items()}).enabled_sources == tuple(
        VENDORS
    )


def test_credentials_never_print() -> None:
    """A settings object in a log, a traceback or a debugger must not give them away."""
    settings = load_settings({k: v for env in CREDENTIALS.values() for k, v in env.items()})
    for text in (repr(settings), str(settings), f"{settings.pagerduty!r}", settings.model_dump_json()):
        assert "secret" not in text.replace("SecretStr", "")


def test_addresses_have_defaults_and_may_carry_a_path() -> None:
    everything = {k: v for env in CREDENTIALS.values() for k, v in env.items()}
    settings = load_settings(everything)
    assert settings.pagerduty and settings.opsgenie and settings.jsm and settings.jira
    assert settings.pagerduty.url == "https://api.pagerduty.com"
    assert settings.opsgenie.url == "https://api.opsgenie.com"
    assert settings.jsm.url == "https://api.atlassian.com"
    moved = load_settings({**everything, "PAGERDUTY_API_URL": "http://127.0.0.1:8080/pagerduty/"})
    assert moved.pagerduty and moved.pagerduty.url == "http://127.0.0.1:8080/pagerduty"


def test_the_token_tells_jira_cloud_from_data_center() -> None:
    server = load_settings(CREDENTIALS["jira"]).jira
    assert server and not server.is_cloud and server.email is None
    cloud = load_settings(
        {"JIRA_URL": "https://x.atlassian.net", "JIRA_EMAIL": "me@example.com", "JIRA_API_TOKEN": "secret"}
    ).jira
    assert cloud and cloud.is_cloud and cloud.email == "me@example.com"


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[outliers]\nhours = 24\n")
    (tmp_path / "b.toml").write_text("[outliers]\nhours = 48\n")
    env = {"MTTR_DATA_DIR": "/somewhere", "MTTR_CONFIG": "a.toml"}
    settings = load_settings(env)
    assert (settings.data_dir, settings.file.outliers.hours) == (Path("/somewhere"), 24)
    settings = load_settings(env, data_dir="here", config="b.toml")
    assert (settings.data_dir, settings.file.outliers.hours) == (Path("here"), 48)


def test_a_file_in_the_working_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "mttr.toml").write_text('[sources.jira]\nsince = 2024-01-01\n[services.Checkout]\naliases = ["shop"]\n')
    settings = load_settings({})
    assert settings.config_file == Path("mttr.toml")
    assert settings.file.sources.jira.since == date(2024, 1, 1)
    assert settings.file.services["Checkout"].aliases == ("shop",)


def test_an_address_of_pages_is_no_definition() -> None:
    """Numbers from before and after a link was corrected stay comparable, and no address is published as a definition."""
    linked = FileSettings.model_validate({"sources": {"jsm": {"web_url": "https://acme.atlassian.net/"}}})
    assert linked.sources.jsm.web_url == "https://acme.atlassian.net"
    before = load_settings({})
    assert definition_hash(before.model_copy(update={"file": linked})) == definition_hash(before)


def test_no_link_begins_with_what_is_no_address() -> None:
    """A path is put behind it: after a query or without a host every link would lead astray, after a password tell it."""
    for wrong in (
        "acme.atlassian.net",
        "https://",
        "ftp://x",
        "https://me:pw@x",
        "https://x/?a=1",
        "https://x/#a",
        "https://x y",
    ):
        with pytest.raises(ValueError, match="web_url"):
            FileSettings.model_validate({"sources": {"opsgenie": {"web_url": wrong}}})


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
    ],
)
def test_instants_of_the_command_line_are_utc(text: str, instant: datetime) -> None:
    assert parse_instant(text, "--as-of") == instant


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))))
def test_any_instant_survives(at: datetime) -> None:
    """Whatever offset an operator's tool writes, the instant is the same; one that cannot be is refused by name."""
    try:
        assert parse_instant(at.isoformat(), "--as-of") == at
    except ConfigError as error:
        assert "--as-of" in str(error)
