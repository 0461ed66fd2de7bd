"""`mttr serve`: its options, and the lines it prints."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.util import find_spec

import click

from mttr_pipeline.cli.exits import DONE, Globals, exits
from mttr_pipeline.errors import ConfigError

PER_MINUTE = 600


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8321, show_default=True, metavar="PORT", help="0: any free one."
)
@click.option(
    "--rate",
    type=click.IntRange(1, 1_000_000),
    default=PER_MINUTE,
    show_default=True,
    metavar="N",
    help="Deliveries a minute and account; more are asked to come again later.",
)
@exits
def serve(given: Globals, host: str, port: int, rate: int) -> int:
    """Receive webhooks by HTTP and show the newest report, until Ctrl-C.

    POST /webhook/<account> writes a body into the inbox, where the next run takes it. GET / is the report; the files beside it have
    the paths they have in `published/latest`. Anything but 127.0.0.1 needs MTTR_SERVE_TOKEN, which callers show as bearer token
    or as password.
    """
    if find_spec("uvicorn") is None or find_spec("starlette") is None:
        raise ConfigError("`mttr serve` needs two more packages; install them with pip install 'mttr-pipeline[serve]'.")
    from mttr_pipeline.defs.resources import prepared
    from mttr_pipeline.serve.app import receivers
    from mttr_pipeline.serve.server import Server

    settings = given.settings()
    prepared(settings.data_dir)
    server = Server(settings, os.environ, host, port, rate, _said)
    _said(f"Serving {settings.data_dir / 'published' / 'latest'} on {server.address}")
    _said(f"POST {server.address}/webhook/<account> takes {', '.join(receivers(settings))}")
    server.run()
    return DONE


def _said(line: str) -> None:
    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}", err=True)
