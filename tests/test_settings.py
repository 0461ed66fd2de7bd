"""Settings: where each value comes from, what wins, and that a credential never shows.

What is wrong and how that is told is in test_bad_input; that everything is documented in test_docs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import settings_for

from mttr_pipeline.config.clock import parse_instant
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.registry import load_settings, registry
from mttr_pipeline.warehouse.catalog import catalog
from mttr_pipeline.warehouse.fingerprint import definition_hash

CREDENTIALS = {
    "github": {"GITHUB_TOKEN": "secret-gh", "GITHUB_REPOS": "acme/shop"},
    "gitlab": {"GITLAB_TOKEN": "secret-gl", "GITLAB_PROJECTS": "acme/shop"},
    "jira": {"JIRA_URL": "https://jira.example.com", "JIRA_PERSONAL_TOKEN": "secret-jira"},
    "jsm": {"JSM_CLOUD_ID": "ab-12", "JSM_EMAIL": "me@example.com", "JSM_API_TOKEN": "secret-jsm"},
    "opsgenie": {"OPSGENIE_API_KEY": "secret-og"},
    "pagerduty": {"PAGERDUTY_TOKEN": "secret-pd"},
    "sentry": {"SENTRY_AUTH_TOKEN": "secret-sn", "SENTRY_ORG": "acme"},
    "slack": {"SLACK_TOKEN": "secret-sl"},
}

EVERYTHING = {k: v for env in CREDENTIALS.values() for k, v in env.items()}


def enabled(env: dict[str, str]) -> list[str]:
    return [account.name for account in load_settings(env).enabled]


def hash_of(settings: Settings) -> str:
    return definition_hash(catalog(settings.accounts), settings)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no mttr.toml of the person who runs the tests


def test_nothing_set_is_every_default() -> None:
    settings = load_settings({})
    assert settings.data_dir == Path("data") and settings.config_file is None
    assert settings.file == settings_for(Path()).file and settings.enabled == ()


def test_simulated_vendors_are_asked_as_fast_as_they_answer() -> None:
    """A demonstration whose pulls wait out a minute of a real vendor's rate is watched by nobody; a real run keeps it."""
    settings = settings_for(Path(), {"sources": {"jira": {"requests_per_minute": 7, "connections": 3}}})
    limits = {account.name: account.options.requests_per_minute for account in settings.accounts}
    assert (limits["jira"], limits["github"]) == (7, 800)
    unpaced = settings.without_pace()
    assert {account.options.requests_per_minute for account in unpaced.accounts} == {None}
    assert unpaced.account("jira").options.connections == 3


def test_a_source_is_on_when_its_credentials_are_set() -> None:
    assert list(CREDENTIALS) == [name for name, source in registry().sources.items() if source.pulled]
    for name, env in CREDENTIALS.items():
        assert enabled(env) == [name]
        blank = {key: "  " if "secret" in value else value for key, value in env.items()}
        if name not in ("github", "gitlab", "jsm", "sentry"):  # a place without a token is a mistake, not an intention
            assert enabled(blank) == []
    assert enabled(EVERYTHING) == list(CREDENTIALS)


def test_credentials_never_print() -> None:
    """A settings object in a log, a traceback or a debugger must not give them away."""
    settings = load_settings(EVERYTHING)
    for text in (repr(settings), str(settings), f"{settings.account('pagerduty')!r}", settings.file.model_dump_json()):
        assert "secret" not in text.replace("SecretStr", "")


def test_addresses_have_defaults_and_may_carry_a_path() -> None:
    settings = load_settings(EVERYTHING)
    assert settings.account("pagerduty").access.url == "https://api.pagerduty.com"
    assert settings.account("opsgenie").access.url == "https://api.opsgenie.com"
    assert settings.account("jsm").access.url == "https://api.atlassian.com"
    moved = load_settings({**EVERYTHING, "PAGERDUTY_API_URL": "http://127.0.0.1:8080/pagerduty/"})
    assert moved.account("pagerduty").access.url == "http://127.0.0.1:8080/pagerduty"


def test_the_token_tells_jira_cloud_from_data_center() -> None:
    server = load_settings(CREDENTIALS["jira"]).account("jira").access
    assert server and not server.is_cloud and server.email is None
    cloud = (
        load_settings(
            {"JIRA_URL": "https://x.atlassian.net", "JIRA_EMAIL": "me@example.com", "JIRA_API_TOKEN": "secret"}
        )
        .account("jira")
        .access
    )
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
    linked = settings_for(Path(), {"sources": {"jsm": {"web_url": "https://acme.atlassian.net/"}}})
    assert linked.file.sources.jsm.web_url == "https://acme.atlassian.net"
    assert hash_of(linked) == hash_of(load_settings({}))
    mapped = settings_for(Path(), {"sources": {"jsm": {"severity": {"P9": "SEV4"}}}})
    assert hash_of(mapped) != hash_of(linked)


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
        with pytest.raises(ConfigError, match="web_url"):
            settings_for(Path(), {"sources": {"opsgenie": {"web_url": wrong}}})


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
