"""The projects of an organization: which of them are read, by which id the server knows them, and who owns them.

Stream: projects, when one of them changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.sentry.issues import plain
from mttr_pipeline.sources.sentry.pages import PER_PAGE, Params, read_list
from mttr_pipeline.sources.sentry.server import NOT_SHOWN

_PAGE: Params = (("per_page", str(PER_PAGE)), ("limit", str(PER_PAGE)))  # the word of Sentry, and of GlitchTip


class _Project(msgspec.Struct):
    id: str | int
    slug: Any = None
    name: Any = None
    teams: Any = None


_PROJECT = msgspec.json.Decoder(_Project)


class Projects:
    """The projects that are there, and those of them whose errors are wanted: all without a choice."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self._chosen = frozenset(chosen)
        self._ids: dict[str, str] = {}
        #: Whether the server lists them.
        self.is_known = False

    def read(self, client: HttpClient, organization: str, extract: Extract, digest: str) -> str:
        """Read all, and land them where they differ from those that `digest` stands for; gives their digest.

        Raises what `read_list` raises.
        """
        lines: dict[str, bytes] = {}

        def keep(rows: Sequence[bytes]) -> None:
            for row in rows:
                found = envelope.decode_as(_PROJECT, row)
                if found is None:
                    continue
                slug = next((one for one in (found.slug, found.name) if isinstance(one, str) and one), "")
                self._ids[slug] = str(found.id)
                lines[slug] = _line(found)

        try:
            read_list(client, f"/organizations/{organization}/projects/", keep, params=_PAGE)
        except HttpRefused as error:
            if error.status not in NOT_SHOWN:
                raise
            return digest
        self.is_known = True
        now = hashlib.blake2b(b"".join(line for _, line in sorted(lines.items())), digest_size=8).hexdigest()
        if now != digest and not extract.has("projects", now):
            extract.land("projects", now, lines.values())  # another attempt may have seen others
        return now

    @property
    def missing(self) -> list[str]:
        """Chosen ones that are not there."""
        return sorted(self._chosen - self._ids.keys()) if self.is_known else []

    def wants(self, slug: str) -> bool:
        """Whether the errors of a project are wanted."""
        return not self._chosen or slug in self._chosen

    def sees(self, slug: str) -> bool:
        """Whether a project is shown to this token, as far as that is known."""
        return not self.is_known or not slug or slug in self._ids

    def params(self, dialect: str) -> Params:
        """What asks for the chosen ones only: by slug, or by id where the server wants that."""
        if dialect != "glitchtip":
            return tuple(("project", slug) for slug in sorted(self._chosen))
        return tuple(("project", self._ids[slug]) for slug in sorted(self._chosen) if slug in self._ids)


def _line(found: _Project) -> bytes:
    teams = [one for one in found.teams if isinstance(one, dict)] if isinstance(found.teams, list) else []
    names = [plain(one.get("name")) or plain(one.get("slug")) for one in teams]
    return msgspec.json.encode(
        {
            "id": str(found.id),
            "slug": plain(found.slug),
            "name": plain(found.name),
            "teams": [name for name in names if isinstance(name, str) and name],
        }
    )
