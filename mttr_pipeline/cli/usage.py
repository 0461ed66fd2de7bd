"""Wrong usage of the command line in one sentence, exit code 2, like every other error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click

from mttr_pipeline.errors import ConfigError


class Commands(click.Group):
    """A group of commands whose usage errors, its own and theirs, are one sentence and say where help is."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """See click.BaseCommand; a usage error becomes a ConfigError."""
        with _one_sentence("mttr"):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """See click.BaseCommand; a usage error of a command becomes a ConfigError."""
        with _one_sentence(ctx.command_path):
            return super().invoke(ctx)


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def refuse_empty(context: click.Context) -> None:
    """Raises ConfigError for an option given without a value: `--start "$UNSET"` must not mean no --start at all."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.strip():
                name = parameter.opts[0] if isinstance(parameter, click.Option) else parameter.make_metavar(context)
                raise ConfigError(f"{name} is empty; give it a value or leave it out.")


class _Sentence(click.ClickException):
    exit_code = ConfigError.exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"mttr: {self.message}", file=file, err=True)


#: What click raises when nothing was asked, from 8.2 on: the help itself is the answer.
_HELP: type[Exception] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


@contextmanager
def _one_sentence(path: str) -> Iterator[None]:
    try:
        yield
    except _HELP:
        raise
    except click.UsageError as error:
        said = " ".join(error.format_message().split()).rstrip(".")
        said += " " if said.endswith("?") else "; "
        path = error.ctx.command_path if error.ctx else path
        raise _Sentence(f"{said}`{path} --help` lists what is valid.") from error
