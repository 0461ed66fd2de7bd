"""The `mttr` command: options in, one sentence or one table out, an exit code that a cron job can trust.

0 done and published; 1 failed, nothing published; 2 bad usage or configuration; 3 published, but a source, the copy elsewhere or
the summary for Dagster failed; 130 and 143 ended by Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from mttr_pipeline import __version__
from mttr_pipeline.cli.exits import DONE, FAILED, Globals, exits
from mttr_pipeline.cli.incident import incident
from mttr_pipeline.cli.published import database
from mttr_pipeline.cli.running import CREDENTIALS, PULLED, execute, ready, told_if_wrong
from mttr_pipeline.cli.serving import serve
from mttr_pipeline.cli.terminal import doctor_line, wide_console
from mttr_pipeline.cli.usage import Commands, listed
from mttr_pipeline.config.clock import parse_clock
from mttr_pipeline.config.environment import OF_FILE
from mttr_pipeline.demo.profiles import PROFILES
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.hidden import one_line
from mttr_pipeline.intake.presets import house_presets
from mttr_pipeline.landing.demonstration import FOLDER, refuse_demo_folder
from mttr_pipeline.sources.registry import registry

WAIT_SECONDS = 600.0


_RECEIVED = [source.title for source in registry().sources.values() if source.webhook]


@click.group(
    cls=Commands,
    help=f"Honest incident-recovery metrics from {listed([source.title for source in PULLED.values()])}.\n\n"
    f"Credentials come from the environment. {CREDENTIALS}. `mttr demo` needs none.\n\n"
    f"Every secret can come from a file instead: the same variable with {OF_FILE} at its end names it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--data-dir", metavar="DIR", help="Where everything is kept. Default: MTTR_DATA_DIR, else ./data.")
@click.option(
    "--config", metavar="FILE", help="Configuration file. Default: MTTR_CONFIG, else ./mttr.toml if it exists."
)
@click.option("--debug", is_flag=True, help="Show tracebacks and the log of the run.")
@click.version_option(__version__, prog_name="mttr")
@click.pass_context
def main(context: click.Context, data_dir: str | None, config: str | None, debug: bool) -> None:
    """Keep the options that every command needs."""
    context.obj = Globals(data_dir, config, debug)


@main.command()
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME",
    help=f"Only this source or account of one (repeatable): {', '.join(PULLED)}.",
)
@click.option(
    "--since",
    metavar="ISO",
    help="First instant to pull; without an offset UTC. Default: from where the last run ended.",
)
@click.option("--until", metavar="ISO", help="First instant not to pull. Default: the clock of the run.")
@click.option("--full-refresh", is_flag=True, help="Pull the whole history again.")
@click.option("--as-of", metavar="ISO", help="Clock of the run: open incidents last until then. Default: now.")
@exits
def run(
    given: Globals,
    sources: tuple[str, ...],
    since: str | None,
    until: str | None,
    full_refresh: bool,
    as_of: str | None,
) -> int:
    """Pull, load, normalise, compute, check, publish: the nightly job once."""
    with told_if_wrong(given, as_of):
        settings = ready(given, sources, since, until, as_of)
    return execute(
        given,
        settings,
        "nightly",
        {"sources": list(sources), "since": since, "until": until, "full_refresh": full_refresh, "as_of": as_of},
    )


@main.command()
@click.option("--as-of", metavar="ISO", help="Clock of the run: open incidents last until then. Default: now.")
@exits
def rebuild(given: Globals, as_of: str | None) -> int:
    """Build every table again from the landing zone, without any request."""
    settings = given.settings()
    if as_of is not None:
        parse_clock(as_of, "--as-of")
    if not (settings.data_dir / "landing").is_dir():
        raise ConfigError(
            f"{settings.data_dir} has no landing zone to rebuild from; `mttr run`, `mttr import` or `mttr demo` fills one."
        )
    return execute(given, settings, "rebuild", {"as_of": as_of, "start_over": True})


@main.command()
@click.option("--seed", default=1, show_default=True, help="Another seed, another invented company history.")
@click.option(
    "--faults",
    default="light",
    show_default=True,
    metavar="PROFILE",
    help=f"How badly the vendors behave: {', '.join([*PROFILES][:3])}, or one thing at a time: "
    f"{', '.join([*PROFILES][3:])}.",
)
@exits
def demo(given: Globals, seed: int, faults: str) -> int:
    """Run the nightly job against simulated vendors: no credentials, no network, invented incidents.

    Everything goes to ./mttr-demo, or to --data-dir: MTTR_DATA_DIR is for real data.
    """
    from mttr_pipeline.defs.resources import held, prepared
    from mttr_pipeline.demo import LINKED, REVIEWED, WEEKLY, VendorServer, World, deliver
    from mttr_pipeline.demo.registry import VENDORS
    from mttr_pipeline.intake.received import SOURCE as RECEIVED
    from mttr_pipeline.landing.demonstration import SENT, empty_demo_folder, refuse_other_folder

    given = replace(given, data_dir=given.data_dir or FOLDER)
    settings = given.settings()
    simulated = {vendor.source for vendor in VENDORS} | {RECEIVED}
    if faults not in PROFILES:
        raise ConfigError(f"--faults: there is no profile {faults!r}; use one of {', '.join(sorted(PROFILES))}.")
    refuse_other_folder(settings.data_dir, simulated)  # at once, not after having waited for the run that is making it
    # Until it has ended: nobody else may read what is emptied here, or pull into it from another company.
    with held(prepared(settings.data_dir), WAIT_SECONDS), ExitStack() as stack:
        empty_demo_folder(settings.data_dir, simulated)
        world = World(seed, datetime.now(UTC).replace(microsecond=0), linked=LINKED, weekly=WEEKLY, reviews=REVIEWED)
        deliver(world, settings.data_dir / SENT, world.until)
        server = stack.enter_context(VendorServer(world, faults=faults, seed=seed))
        stack.callback(_restore_environment, dict(os.environ))
        prefixes = tuple(f"{account.name.upper()}_" for account in settings.accounts)
        for name in [name for name in os.environ if name.startswith(prefixes)]:
            del os.environ[name]
        os.environ.update(server.env())
        offered = dict.fromkeys(vendor.source for vendor in VENDORS if server.env(vendor.name))
        titles = listed([PULLED[name].title for name in offered])
        Console(stderr=True).print(f"Simulated {titles} on {server.address}, faults: {faults}", highlight=False)
        return execute(given, given.settings(), "nightly", {"simulated": True})


@main.command(
    "import",
    help="Take custom incident records (JSON Lines, JSON, CSV or Parquet) and received webhook bodies (JSON Lines, JSON) of "
    f"{listed(_RECEIVED)} into the landing zone, or files as another program exports them (--as).\n\n`mttr rebuild` or the next "
    "`mttr run` publishes them.",
)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--as",
    "preset",
    metavar="PRESET",
    help=f"Read the files with a preset: {', '.join(house_presets())}, or one of [imports] in mttr.toml.",
)
@click.option(
    "--undo", "extract", metavar="EXTRACT", help="Take back the import with this id; the next run leaves it out."
)
@exits
def import_(given: Globals, files: tuple[str, ...], preset: str | None, extract: str | None) -> int:
    """Land files; the next run publishes them."""
    from mttr_pipeline.cli.files import land, take_back

    refuse_demo_folder(given.settings().data_dir)
    if extract is not None:
        if files or preset:
            raise ConfigError("--undo takes an import back and reads no file; leave files and --as out.")
        click.echo(take_back(given.settings(), extract, WAIT_SECONDS))
    else:
        if not files:
            raise ConfigError(
                "No file was named; write `mttr import FILE...` with JSON Lines, JSON, CSV or Parquet files."
            )
        click.echo(land(given.settings(), files, preset, WAIT_SECONDS))
    return DONE


@main.command()
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(0, 36_500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Only months that ended so many days ago.",
)
@exits
def compact(given: Globals, days: int) -> int:
    """Merge the files of past months in the landing zone into one archive per source and month: a tar file of the extracts.

    No record, hash or reference changes. Nothing is deleted, unless mttr.toml says how long raw records stay ([landing] keep_days).
    """
    from mttr_pipeline.cli.files import compact_landing

    click.echo(compact_landing(given.settings(), days, WAIT_SECONDS))
    return DONE


_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print it.",
)


@main.command()
@click.option(
    "--type",
    "calculation_type",
    default="basic",
    show_default=True,
    metavar="T",
    help="Variant: basic, service_restore, full_recovery or a configured one; custom for two stamps of your own.",
)
@click.option(
    "--severity", "severities", multiple=True, metavar="S", help="Only this severity (repeatable): SEV1 to SEV4."
)
@click.option(
    "--service", "services", multiple=True, metavar="S", help="Only this service (repeatable); `unknown` for none."
)
@click.option("--team", "teams", multiple=True, metavar="T", help="Only this team (repeatable); `unknown` for none.")
@click.option("--start", metavar="ISO", help="First instant of detection that counts; without an offset UTC.")
@click.option("--end", metavar="ISO", help="First instant that counts no more.")
@click.option("--start-stamp", metavar="S", help="Another start, such as acknowledged_at.")
@click.option("--end-stamp", metavar="S", help="Another end, such as mitigated_at.")
@click.option("--include-outliers", is_flag=True, help="Leave nothing out for its length.")
@click.option(
    "--outlier-hours",
    type=float,
    metavar="H",
    help="Longer than this is an outlier. Default: the configured limit, 168.",
)
@click.option("--by", metavar="DIM", help="One row per severity, service, team, day, week or month.")
@_FORMAT
@exits
def stats(given: Globals, form: str, **asked: Any) -> int:
    """Calculate on the published database: counts, exclusions, mean, median, percentiles, in minutes."""
    from mttr_pipeline.cli.answer import as_csv, as_json, as_table, in_words
    from mttr_pipeline.cli.stats import Question, ask

    answer = ask(database(given.settings(), "stats"), Question(**asked))
    if form == "table":
        console = wide_console()
        console.print(in_words(answer.basis), soft_wrap=True, highlight=False)
        console.print(as_table(answer))
    else:
        click.echo(as_json(answer) if form == "json" else as_csv(answer))
    return DONE


@main.command()
@click.option(
    "--accept", nargs=2, metavar="A B", help="These two records are one incident; or the deploy B introduced A."
)
@click.option(
    "--refuse", nargs=2, metavar="A B", help="These two records are not one incident; or the deploy B did not."
)
@click.option("--by", metavar="NAME", help="Who decides.")
@click.option("--why", metavar="TEXT", help="Why.")
@_FORMAT
@exits
def links(
    given: Globals,
    form: str,
    accept: tuple[str, str] | None,
    refuse: tuple[str, str] | None,
    by: str | None,
    why: str | None,
) -> int:
    """List pairs of records that may be one incident; accept or refuse one.

    A decision goes into links.csv beside mttr.toml. A record is named source:external_id, or by the beginning of its incident_id; a
    deploy source:external_id, or by the beginning of its deploy_id.
    """
    from mttr_pipeline.cli.answer import csv_of, json_of
    from mttr_pipeline.cli.links import COLUMNS, as_table, decide, pairs

    settings = given.settings()
    names = accept or refuse
    if names is None:
        if by or why:
            raise ConfigError("--by and --why belong to a decision; add --accept A B or --refuse A B.")
        found = pairs(database(settings, "links"), settings)
        if form == "table":
            wide_console().print(as_table(found))
        else:
            click.echo(json_of(found) if form == "json" else csv_of(COLUMNS, found))
        return DONE
    if accept and refuse:
        raise ConfigError("--accept and --refuse are two decisions; give one at a time.")
    if not by or not why:
        raise ConfigError("A decision needs --by and --why: who decides, and why.")
    click.echo(decide(database(settings, "links"), settings, names, "same" if accept else "different", by, why))
    return DONE


main.add_command(incident)
main.add_command(serve)


@main.command()
@click.option("--test", "sends", is_flag=True, help="Send one message to every configured place.")
@_FORMAT
@exits
def alerts(given: Globals, form: str, sends: bool) -> int:
    """List the conditions in force and when each was told; send a test message.

    A condition is told once when it begins and once when it is over, to the places that ALERT_* name.
    """
    from mttr_pipeline.cli.alerts import COLUMNS, as_table, flat, in_force, test
    from mttr_pipeline.cli.answer import csv_of, json_of

    settings = given.settings()
    if sends:
        code = DONE
        for arrived, line in test(settings):
            click.echo(one_line(line), err=not arrived)
            sys.stdout.flush()  # a place may take its time, and a person waits
            code = code if arrived else FAILED
        return code
    found = in_force(settings)
    if form == "table":
        wide_console().print(as_table(found))
    else:
        click.echo(json_of(found) if form == "json" else csv_of(COLUMNS, flat(found)))
    return DONE


@main.command()
@exits
def doctor(given: Globals) -> int:
    """Check configuration, credentials (one cheap request per source), disk and versions."""
    from mttr_pipeline.cli.doctor import examine

    worst = DONE
    for finding in examine(given.settings):
        click.echo(doctor_line(finding))
        sys.stdout.flush()  # a source may take its time, and a person waits
        worst = max(worst, finding.exit_code)
    return worst


def _restore_environment(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)
