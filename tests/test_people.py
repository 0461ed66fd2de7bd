"""People: readers see pseudonyms, the same person always the same one, and only whoever has the key can undo that."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from support import build_all, land_custom, open_warehouse, rows

from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.people import KEY_FILE, pseudonyms

RECORD = {
    "external_id": "1",
    "title": "Paged o'neil.j@corp.example twice",
    "service": "mail of ops@corp.example",
    "tags": ["by jane@corp.example", "x"],
    "detected_at": "2026-10-01T00:00:00Z",
    "timeline": [
        {
            "event_type": "acknowledged",
            "at": "2026-10-01T00:10:00Z",
            "actor": "Jane Doe",
            "notes": "told jane@corp.example",
        },
        {"event_type": "resolved", "at": "2026-10-01T01:00:00Z", "actor": "JANE  DOE"},
    ],
}
SEEN = """SELECT i.title, i.service, i.tags, e.actor, e.notes FROM mart.incidents AS i
    JOIN mart.incident_events AS e USING (incident_id) WHERE e.actor IS NOT NULL ORDER BY e."at\""""


@pytest.mark.parametrize("publish", [False, True])
def test_what_readers_see_of_people(tmp_path: Path, publish: bool) -> None:
    """Names and addresses only where the settings say so; the landing zone has them either way."""
    land_custom(Landing(tmp_path / "landing"), [RECORD])
    warehouse = open_warehouse(tmp_path, {"people": {"publish_names": publish}}, after_nothing=True)
    warehouse.load(Landing(tmp_path / "landing"))
    build_all(warehouse, ("mart.incident_events", "core.incidents"))
    first, last = rows(warehouse.con, SEEN)
    warehouse.close()
    if publish:
        assert [first["actor"], last["actor"]] == ["Jane Doe", "JANE  DOE"]
        assert first["title"] == RECORD["title"] and first["notes"] == "told jane@corp.example"
        assert not (tmp_path / KEY_FILE).exists()
    else:
        assert first["actor"] == last["actor"] and first["actor"].startswith("person-")
        assert first["title"] == "Paged <e-mail> twice" and first["service"] == "mail of <e-mail>"
        assert first["tags"] == ["by <e-mail>", "x"] and first["notes"] == "told <e-mail>"
        assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def given(folder: Path, env: dict[str, str]) -> Any:
    return pseudonyms(settings_of({}, dict(registry().sources), env, data_dir=folder))


def test_a_pseudonym_is_that_of_the_key(tmp_path: Path) -> None:
    """The key that was made once is kept; one in the environment goes before it; another key is another pseudonym."""
    made = given(tmp_path, {})("Jane Doe")
    assert given(tmp_path, {})("jane doe") == made != given(tmp_path, {})("Jane Poe")
    other = given(tmp_path, {"MTTR_PSEUDONYM_KEY": "another-key-0123456789"})("Jane Doe")
    (tmp_path / "key").write_text("another-key-0123456789\n")
    assert given(tmp_path / "empty", {"MTTR_PSEUDONYM_KEY_FILE": str(tmp_path / "key")})("Jane Doe") == other != made
    assert not (tmp_path / "empty").exists()


def test_a_key_that_can_be_guessed_or_read_by_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MTTR_PSEUDONYM_KEY is no key: it has fewer than 16 characters"):
        given(tmp_path, {"MTTR_PSEUDONYM_KEY": "short"})
    (tmp_path / KEY_FILE).touch()
    with pytest.raises(ConfigError, match=f"{KEY_FILE} is no key"):
        given(tmp_path, {})
    (tmp_path / KEY_FILE).unlink()
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read or made .* or set MTTR_PSEUDONYM_KEY"):
        given(tmp_path, {})
