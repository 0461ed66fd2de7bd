"""What every command of `mttr` has: the options before its name, and an exit code and one sentence for whatever happens in it.

What does not belong here: any command.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from mttr_pipeline import interrupts
from mttr_pipeline.cli.usage import refuse_empty
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import MttrError, cleaned, not_permitted
from mttr_pipeline.hidden import one_line, redact
from mttr_pipeline.sources.registry import load_settings

DONE, FAILED, PARTLY = 0, 1, 3


@dataclass(frozen=True)
class Globals:
    """The options that stand before the command."""

    data_dir: str | None
    config: str | None
    debug: bool

    def settings(self, env: Mapping[str, str] | None = None) -> Settings:
        """The settings that these options and the environment (default: that of the process) give. Raises ConfigError."""
        return load_settings(env, data_dir=self.data_dir, config=self.config)


def exits(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns or raises into an exit code and, for an error, one sentence on stderr."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        context = click.get_current_context()
        with interrupts.watched(lambda number: _say_end(context, number)) as signals:
            try:
                if context.parent:
                    refuse_empty(context.parent)
                refuse_empty(context)
                code = command(context.obj, *args, **options)
            except MttrError as error:
                print_error(str(error), context.obj.debug)
                code = error.exit_code
            except KeyboardInterrupt:
                signals.wait()
                code = FAILED
            except (click.exceptions.Exit, click.ClickException):
                raise
            except PermissionError as error:
                print_error(str(not_permitted(error)), context.obj.debug)
                code = not_permitted(error).exit_code
            except Exception as error:
                sentence = f"Unforeseen failure ({type(error).__name__}); run again with --debug to see where."
                print_error(sentence, context.obj.debug)
                code = FAILED
        context.exit(code if signals.exit_code is None else signals.exit_code)

    return run


_KEPT = "what was landed is kept, and the next run goes on from there."
_AFTER_SIGNAL = dict.fromkeys(("run", "demo", "rebuild"), _KEPT) | {
    # It may come when the last file has just been taken.
    "import": "import the files again: what was taken already counts once."
}


def _say_end(context: click.Context, number: int) -> None:
    """The sentence for a command that a signal ends."""
    name = interrupts.NAMES[signal.Signals(number)]
    after = _AFTER_SIGNAL.get(context.info_name or "", "")
    click.echo(f"mttr: Ended by {name}{'; ' if after else '.'}{after}", err=True)
    sys.stderr.flush()


def print_error(sentence: str, debug: bool) -> None:
    """One line on stderr, without secrets; with `debug` after the traceback. Nothing once a signal was heard: that was said."""
    if interrupts.heard():
        return
    if debug:
        click.echo("".join(traceback.format_exception(cleaned(sys.exception() or Exception()))), err=True)
    click.echo(f"mttr: {redact(one_line(sentence))}", err=True)
