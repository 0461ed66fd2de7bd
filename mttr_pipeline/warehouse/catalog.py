"""Every table of a run: the SQL files of the house and of each account's source, checked and put in order.

What belongs here: finding the files, the rules that hold between them, the order. What does not: running them (`database`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import ConfigError, ContractError, first_line
from mttr_pipeline.sources.kit.declare import Source, unusable
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.gathering import check_parts, gather, with_promises
from mttr_pipeline.warehouse.models import REFERENCE, SAME, SCHEMAS, Model, load_macros, parse_model, sql_folder
from mttr_pipeline.warehouse.trial import try_out

#: The layers in which a source has tables of its own.
OF_SOURCES = ("raw", "staging")
#: What the tables of every pulled source include, besides those of its traits.
PULLED = "pulled"


@dataclass(frozen=True)
class Member:
    """An account as the tables see it."""

    name: str
    source: Source

    @property
    def traits(self) -> frozenset[str]:
        """Names of the folders of shared SQL that its tables are made of too."""
        return frozenset({*self.source.traits, *([PULLED] if self.source.pulled else [])})


class Catalog:
    """The tables in an order in which each comes after all it depends on. `problems`: account -> why its tables are left out."""

    def __init__(self, models: Sequence[Model], problems: Mapping[str, str], members: Sequence[Member]) -> None:
        self._models = {model.table: model for model in models}
        self._upstream: dict[str, frozenset[str]] = {}
        self.problems = dict(problems)
        self.members = tuple(members)
        for model in models:
            above = (self._upstream[name] for name in model.depends)
            self._upstream[model.table] = frozenset(model.depends).union(*above)
        self._places = {model.table: model.place for model in models if model.place != model.table}

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, table: object) -> bool:
        return table in self._models

    def __getitem__(self, table: str) -> Model:
        return self._models[table]

    @property
    def published(self) -> list[Model]:
        """What readers get."""
        return [model for model in self if model.published]

    def of_layer(self, schema: str) -> list[Model]:
        """The tables of one layer."""
        return [model for model in self if model.schema == schema]

    def file(self, model: Model) -> Path:
        """The SQL file of a table."""
        source = next((member.source for member in self.members if member.name == model.account), None)
        own = (source and source.sql) or sql_folder()
        path = model.where.removeprefix("sql/")
        return own / path if (own / path).exists() else sql_folder() / path

    def upstream(self, table: str) -> frozenset[str]:
        """Every table that one is made of, through others too."""
        return self._upstream[table]

    def in_place(self, sql: str) -> str:
        """SQL with each published table named as it is stored."""
        return REFERENCE.sub(lambda match: self._places.get(match[0], match[0]), sql)

    def in_file(self, sql: str) -> str:
        """SQL of a published view: readers call the file as they like, so its tables are named without a database."""
        return REFERENCE.sub(lambda match: match["table"], sql)

    @property
    def macros(self) -> str:
        """The macros of the pipeline, those of traits and those that sources bring."""
        return macros_of(self.members)


def catalog(accounts: Sequence[Account]) -> Catalog:
    """The tables of these accounts. Raises ContractError for a fault in this project's own SQL; a third party's is a problem.

    Raises ConfigError when the name of an account makes a table that is there already.
    """
    return _catalog(tuple(Member(account.name, account.source) for account in accounts))


def default_catalog() -> Catalog:
    """The tables of one account of every source."""
    return _catalog(tuple(Member(name, source) for name, source in registry().sources.items()))


def unusable_sources(accounts: Sequence[Account]) -> dict[str, str]:
    """Why sources of other packages are left out: name -> sentence. Accounts of one source share a sentence, which stands there
    once."""
    names: dict[str, str] = {}
    for name, sentence in {**registry().problems, **catalog(accounts).problems}.items():
        names.setdefault(sentence, name)
    return {name: sentence for sentence, name in names.items()}


_made: dict[tuple[str, ...], Catalog] = {}


def _catalog(members: tuple[Member, ...]) -> Catalog:
    key = tuple(f"{member.name}={member.source.name}={member.source.sql}" for member in members)
    if key not in _made:
        _made[key] = _build(members)
    return _made[key]


def _build(members: tuple[Member, ...]) -> Catalog:
    house = house_models()
    kept: list[Member] = []
    models: list[Model] = []
    problems: dict[str, str] = {}
    for member in sorted(members, key=lambda member: member.source.third_party):  # our own go first
        source = member.source
        if source.name in problems:  # all accounts of a source have the same SQL
            problems[member.name] = problems[source.name]
            continue
        try:
            found = account_models(member, house)
            if twice := {model.table for model in found} & {model.table for model in [*house, *models]}:
                if member.name != source.name:
                    raise ConfigError(
                        f"The account {member.name} would make the table {min(twice)}, which is there already; give it another "
                        "name in mttr.toml."
                    )
                raise ContractError(f"{member.name} makes the table {min(twice)}, which is there already.")
            if source.third_party:
                order = ordered([*models, *found, *gathered(house, [*models, *found])])
                if member.name == source.name:
                    own = [model for model in order if model.account == member.name]
                    try_out(source, own, [model for model in house if model.gathered], _macros_before(member, kept))
        except ConfigError:
            raise
        except Exception as error:  # whatever is wrong with a stranger's files, the other sources work
            if not source.third_party:
                raise
            problems[member.name] = unusable(source.name, source.package or "", first_line(error))
            continue
        kept.append(member)
        models += found
    return Catalog(ordered([*models, *gathered(house, models)]), problems, kept)


def gathered(house: Sequence[Model], models: Sequence[Model]) -> list[Model]:
    """The tables that no source owns, where the gathered ones read these tables of sources."""
    return [
        gather(model, [part for part in models if part.yields == model.name]) if model.gathered else model
        for model in house
    ]


def macros_of(members: Iterable[Member]) -> str:
    """The macros of the pipeline, those of traits and those that sources bring."""
    members = list(members)
    traits = sorted({trait for member in members for trait in member.traits})
    own = {member.source.name: member.source.sql for member in members}
    texts = [load_macros("internal"), load_macros("links"), *map(load_macros, traits)]
    return "\n".join([*texts, *(load_macros(name, folder) for name, folder in sorted(own.items()))])


def _macros_before(member: Member, others: Iterable[Member]) -> str:
    return "\n".join([macros_of(others), *map(load_macros, sorted(member.traits))])


@cache
def house_models(folder: Path | None = None) -> tuple[Model, ...]:
    """The tables that no source owns."""
    folder = folder or sql_folder()
    found = [
        parse_model(path.read_text(encoding="utf-8"), schema, path.stem)
        for schema in SCHEMAS
        for path in sorted((folder / schema).glob("*.sql"))
    ]
    return tuple(with_texts(found))


def account_models(member: Member, house: Sequence[Model]) -> list[Model]:
    """The tables of one account: of its source's folders, and of the files that are shared by its traits. `house` are the tables
    that no source owns.

    Raises ContractError when a file is wrong, and when what the tables yield is not what the source declares.
    """
    own = member.source.sql or sql_folder()
    folders = [(own, member.source.name), *((sql_folder(), trait) for trait in sorted(member.traits))]
    found = [
        _parse(path, schema, f"sql/{schema}/{name}/{path.name}", member.name)
        for schema in OF_SOURCES
        for folder, name in folders
        for path in sorted((folder / schema / name).glob("*.sql"))
    ]
    if not found:
        raise ContractError(f"there is no SQL in raw/{member.source.name} and staging/{member.source.name}.")
    found = with_texts(found, house)
    contracts = [model for model in house if model.gathered]
    check_parts(contracts, found)
    yielded = {model.yields for model in found if model.yields}
    if lacking := sorted(set(member.source.yields) - yielded):
        raise ContractError(f"The declaration of {member.name} yields {', '.join(lacking)}, but no SQL does.")
    if more := sorted(yielded - set(member.source.yields)):
        raise ContractError(f"The SQL of {member.name} yields {', '.join(more)}, which its declaration does not say.")
    return [with_promises(contracts, model) for model in found]


def with_texts(models: Iterable[Model], others: Iterable[Model] = ()) -> list[Model]:
    """The models with what they take over from the tables in `like`, which may be some of the `others`.

    Raises ContractError for a table or column that is not there, and for tables that take over from each other in a circle.
    """
    found = {model.table: model for model in models}
    known = {model.table: model for model in others} | found
    order = TopologicalSorter({name: [model.like] if model.like else [] for name, model in found.items()})
    try:
        for name in order.static_order():
            if name in found and found[name].like:
                known[name] = _with_texts(found[name], known)
    except CycleError as error:
        raise ContractError(
            f"`like` of these SQL files names each other in a circle: {' -> '.join(error.args[1])}."
        ) from error
    return [known[name] for name in found]


def _with_texts(model: Model, known: Mapping[str, Model]) -> Model:
    pattern = known.get(model.like or "")
    if pattern is None:
        raise ContractError(f"{model.where} is like {model.like}, which no file makes.")
    if not model.sql and model.schema == pattern.schema == "raw":  # another stream of the same records
        model = replace(model, sql=pattern.sql)
    if not model.columns:
        asserts, not_null = pattern.asserts | model.asserts, model.not_null or pattern.not_null
        return replace(model, columns=pattern.columns, asserts=asserts, not_null=not_null)
    missing = [name for name, text in model.columns.items() if text == SAME and name not in pattern.columns]
    if missing:
        raise ContractError(
            f"{model.where} takes over columns that {pattern.table} does not have: {', '.join(missing)}."
        )
    texts = {name: pattern.columns[name] if text == SAME else text for name, text in model.columns.items()}
    return replace(model, columns=texts)


def _parse(path: Path, schema: str, where: str, account: str) -> Model:
    try:
        return parse_model(path.read_text(encoding="utf-8"), schema, path.stem, where=where, account=account)
    except (AttributeError, TypeError, ValueError) as error:  # a header of other types, a file that is no text
        raise ContractError(f"{where} cannot be read: {first_line(error)}.") from error


def ordered(models: Sequence[Model]) -> list[Model]:
    """Each after all it depends on. Raises ContractError for an unknown table, a later layer, a cycle and a name used twice."""
    known = {model.table: model for model in models}
    places: dict[str, str] = {}
    for model in models:
        if (other := places.setdefault(model.place, model.table)) != model.table:
            raise ContractError(f"{other} and {model.table} are both published as {model.name}; rename one of them.")
        for name in model.depends:
            if name not in known:
                raise ContractError(f"{model.where} selects from {name}, which no file makes.")
            if SCHEMAS.index(known[name].schema) > SCHEMAS.index(model.schema):
                raise ContractError(f"{model.where} selects from {name}, which is in a later layer.")
            if model.view and model.published and not (known[name].published and not known[name].view):
                raise ContractError(
                    f"{model.where} is a view for readers and selects from {name}, which they do not get as a table."
                )
    try:
        order = TopologicalSorter({name: model.depends for name, model in known.items()}).static_order()
        return [known[name] for name in order]
    except CycleError as error:
        raise ContractError(f"The SQL files depend on each other in a circle: {' -> '.join(error.args[1])}.") from error
