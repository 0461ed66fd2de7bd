"""People: of what Slack knows about somebody only the name is landed, by which other tools know them too.

What does not belong here: pseudonyms, which the warehouse makes for all sources.
"""

from __future__ import annotations

from typing import Any

import msgspec


def person_line(number: str, user: Any) -> bytes | None:
    """The line of somebody: the id, and the name that other tools know too."""
    if not isinstance(user, dict):
        return None
    profile = user.get("profile")
    in_profile = profile.get("real_name") if isinstance(profile, dict) else None
    name = user.get("real_name") or in_profile or user.get("name")
    is_bot = user.get("is_bot") is True or number == "USLACKBOT"
    return msgspec.json.encode({"id": number, "name": name if isinstance(name, str) else None, "is_bot": is_bot})
