"""Secrets out of files: every secret of every source has a `_FILE`, and what is wrong with a file is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.registry import load_settings, registry

ADDRESSES = {"JIRA_URL": "https://jira.example", "JIRA_EMAIL": "ops@jira.example"}
ADDRESSES |= {"JSM_CLOUD_ID": "0a", "JSM_EMAIL": "ops@jira.example"}
ADDRESSES |= {"GITHUB_REPOS": "acme/shop", "GITLAB_PROJECTS": "acme/shop", "SENTRY_ORG": "acme"}
SECRETS = [
    (source.name, Environment({}, source.name).variable(suffix))
    for source in registry().sources.values()
    if not source.third_party
    for suffix in source.secrets()
]


@pytest.mark.parametrize(("source", "variable"), SECRETS)
def test_every_secret_can_come_from_a_file(tmp_path: Path, source: str, variable: str) -> None:
    """Else one secret of a company stays in the environment, where every child process sees it."""
    file = tmp_path / "secret"
    file.write_text("from-a-file-1\r\n")
    file.chmod(0o400)
    addresses = {name: value for name, value in ADDRESSES.items() if name.startswith(source.upper())}
    if variable == "JIRA_WEBHOOK_SECRET" or "PERSONAL" in variable:
        addresses.pop("JIRA_EMAIL")
    account = load_settings({**addresses, variable + "_FILE": str(file)}, config=None).account(source)
    found = account.signing_key or next(
        getattr(account.access, n) for n in ("token", "key") if hasattr(account.access, n)
    )
    assert found.get_secret_value() == "from-a-file-1"


def test_a_second_account_has_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mttr.toml").write_text('[sources.pagerduty_eu]\nkind = "pagerduty"\n')
    (tmp_path / "secret").write_text("eu-token\n")
    env = {"PAGERDUTY_EU_TOKEN_FILE": str(tmp_path / "secret")}
    settings = load_settings(env, config=tmp_path / "mttr.toml")
    assert [account.name for account in settings.enabled] == ["pagerduty_eu"]


@pytest.mark.parametrize(
    ("content", "also", "said"),
    [
        (None, {}, ("cannot be read (No such file", "correct the path")),
        (b"", {}, ("is empty", "write the credential")),
        (b"\n", {}, ("is empty",)),
        (b"two words-hunter2", {}, ("contains white space", "copy the credential")),
        (b"\xff\xfehunter2", {}, ("non-ASCII",)),
        (b"hunter2" * 20_000, {}, ("too large",)),
        (
            b"hunter2",
            {"PAGERDUTY_TOKEN": "hunter3"},
            ("PAGERDUTY_TOKEN and PAGERDUTY_TOKEN_FILE are both set", "unset"),
        ),
    ],
)
def test_what_is_wrong_with_a_file(
    tmp_path: Path, content: bytes | None, also: dict[str, str], said: tuple[str, ...]
) -> None:
    """The sentence names the variable, never what stands in the file: it may be the wrong one."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings({"PAGERDUTY_TOKEN_FILE": str(file), **also}, config=None)
    text = str(caught.value)
    assert "PAGERDUTY_TOKEN_FILE" in text and all(part in text for part in said) and "hunter" not in text
