"""`[oncall]` of `mttr.toml`: whose load is shown, and by whose clocks."""

from __future__ import annotations

from pydantic import Field

from mttr_pipeline.config.names import ByService
from mttr_pipeline.config.options import Section
from mttr_pipeline.config.values import Zone


class OnCall(Section):
    """`[oncall]`: how the load of those who are on call is shown."""

    per_person: bool = Field(
        False, description="whether the load is also shown per person, by pseudonym; else per team and rota only"
    )
    time_zones: ByService[Zone] = Field(
        default_factory=dict,
        description="team -> zone of its nights (22 to 8 h) and hours; other teams have the reporting time zone",
    )
