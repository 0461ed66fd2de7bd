"""Toy Tickets: incidents with their history, pulled by its REST API."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.names import Text
from mttr_pipeline.config.options import Section, SourceOptions
from mttr_pipeline.sources.kit.declare import Source, Variable


class ToyOptions(SourceOptions):
    queue: Text | None = Field(None, description="the queue whose tickets are read; default: all queues")


class ToyAccess(Section):
    token: SecretStr
    url: str


def read_access(environment: Environment) -> ToyAccess | None:
    token = environment.secret("TOKEN")
    if token is None:
        return None
    return ToyAccess(token=token, url=environment.address("API_URL"))


SOURCE = Source(
    name="toy",
    title="Toy Tickets",
    yields=("records", "events", "words"),
    options=ToyOptions,
    words={"severity": {"Critical": "SEV1", "High": "SEV2", "Normal": "SEV3", "Low": "SEV4"}},
    variables=(
        Variable("TOKEN", "API token with read access", secret=True),
        Variable("API_URL", "address of the API"),
    ),
    credentials="{TOKEN} and {API_URL}",
    read_access=read_access,
    connect="mttr_toy.pull:Toy",
    sql=Path(__file__).parent / "sql",
)
