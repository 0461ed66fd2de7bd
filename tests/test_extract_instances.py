"""Two accounts of one vendor: each is a source with a name of its own, in the landing zone and in every message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.jira.pull import Jira
from mttr_pipeline.sources.jsm.pull import Jsm
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.opsgenie.pull import Opsgenie
from mttr_pipeline.sources.pagerduty.pull import PagerDuty
from mttr_pipeline.sources.pulling import pull
from mttr_pipeline.sources.registry import load_settings

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
SOURCES: dict[str, type[Any]] = {
    "pagerduty": PagerDuty,
    "opsgenie": Opsgenie,
    "jsm": Jsm,
    "jira": Jira,
    "jira-dc": Jira,
}
TITLES = {"pagerduty": "PagerDuty", "opsgenie": "Opsgenie", "jsm": "JSM Operations", "jira": "Jira"}
CREDENTIALS = {
    "pagerduty": ["TOKEN"],
    "opsgenie": ["API_KEY", "API_URL"],
    "jsm": ["EMAIL", "API_TOKEN", "CLOUD_ID"],
    "jira": ["EMAIL", "API_TOKEN"],
    "jira-dc": ["PERSONAL_TOKEN"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[VendorServer]:
    volumes = {"pagerduty": 5, "opsgenie": 5, "opsgenie_incident": 2, "jsm": 5, "jira": 5, "jira-dc": 5}
    world = World(3, NOW, days=20, volumes=volumes)
    with VendorServer(world, clock=NOW, limits=None) as running:
        yield running


def build(tool: str, settings: Settings, name: str, **more: Any) -> HttpSource[Any]:
    kind = tool.partition("-")[0]
    account = settings.account(kind)
    return SOURCES[tool](name, account.access, account.options, **more)


@pytest.mark.parametrize("tool", SOURCES)
def test_each_account_lands_in_a_folder_of_its_own(server: VendorServer, tmp_path: Path, tool: str) -> None:
    """Ids, high-water marks and what was learned of a site would otherwise be those of the other account."""
    kind = tool.partition("-")[0]
    settings = load_settings(server.env(tool), data_dir=tmp_path)
    landing = Landing(tmp_path / "landing")
    landed = {}
    for name, title in ((kind, TITLES[kind]), (f"{kind}_eu", f"{TITLES[kind]} ({kind}_eu)")):
        source = build(tool, settings, name)
        assert (source.name, source.title) == (name, title)
        assert source.check().startswith(f"ok: {title} reachable at ")
        landed[name] = pull(source, settings, landing, "run-1", as_of=NOW).records
        source.close()
    assert sorted(path.name for path in landing.root.iterdir()) == [kind, f"{kind}_eu"]
    assert landed[kind] == landed[f"{kind}_eu"] > 0
    assert {m.plan["mode"] for m in landing.manifests()} == {"backfill"}, "a mark is that of one account only"


@pytest.mark.parametrize("tool", SOURCES)
@pytest.mark.parametrize("chosen", [False, True], ids=["by name", "chosen"])
def test_a_refused_account_names_its_own_variables(
    server: VendorServer, tmp_path: Path, tool: str, chosen: bool
) -> None:
    """With two accounts, `check PAGERDUTY_TOKEN` sends the reader to the one that works."""
    kind = tool.partition("-")[0]
    name = f"{kind}_eu"
    settings = load_settings(server.env(tool), data_dir=tmp_path)
    variables = {"variables": lambda suffix: f"CHOSEN_{suffix}"} if chosen else {}
    source = build(tool, settings, name, **variables)
    server.set_faults("unauthorized")
    try:
        with pytest.raises(PermanentError) as caught:
            source.check()
    finally:
        server.set_faults("none")
        source.close()
    text = str(caught.value)
    assert text.startswith(f"{TITLES[kind]} ({name}): ")
    prefix = "CHOSEN" if chosen else name.upper()
    assert all(f"{prefix}_{suffix}" in text for suffix in CREDENTIALS[tool]), text
    assert f"{kind.upper()}_{CREDENTIALS[tool][0]}" not in text


def test_names_of_an_instance() -> None:
    assert instance_title("Acme", "acme", "acme") == "Acme"
    assert instance_title("Acme", "acme", "acme_eu") == "Acme (acme_eu)"
    assert variables_of("acme_eu")("API_URL") == "ACME_EU_API_URL"
