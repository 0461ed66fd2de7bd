"""What every source has to stand: odd records beside sound ones. Packages that bring a source call it in their own tests.

    assert odd_record_problems(SOURCE, "tickets", TICKET, tmp_path) == []

What belongs here: records that no vendor should send, and what has to come of them in the tables of a source. What does not: HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.errors import MttrError, first_line
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.sources.kit.explain import is_json
from mttr_pipeline.warehouse.checks import run_checks
from mttr_pipeline.warehouse.database import Warehouse

#: Odd members at the end of a record, by what is odd.
ODD_MEMBERS = {
    "a thousand lists": b'"x":' + b"[" * 1000 + b"]" * 1000,
    "a hundred thousand objects": b'"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "five hundred lists": b'"x":' + b"[" * 500 + b"]" * 500,
    "NaN": b'"x":NaN',
    "Infinity": b'"x":[1,-Infinity]',
    "an integer beyond 64 bit": b'"x":' + b"9" * 400,
    "a number beyond a double": b'"x":1e999',
    "a name twice": b'"x":1,"x":{"y":2}',
    "half a pair": b'"x":"\\ud800"',
    "NUL": b'"x":"a\x00\\u0000"',
    "no UTF-8": b'"x":"\xff\xfe"',
    "a comma too many": b'"x":1,',
    "a word": b'"x":undefined',
    "five megabytes": b'"x":"' + b"x\\n" * 1_700_000 + b'"',
}
#: What a vendor may send instead of the value of any member.
ODD_VALUES = (
    b"null",
    b"7",
    b"-1e300",
    b"true",
    b'""',
    b'"text"',
    b"[]",
    b"{}",
    b'[[1],{"a":null}]',
    b'{"a":{"b":[1]}}',
)
#: What stands in the place of a record.
NO_RECORDS = (b"5", b"null", b"true", b'"text"', b"[]", b'[{"id":"L1"}]')
AS_OF = datetime(2100, 1, 1, tzinfo=UTC)


def odd_record_problems(
    source: Source, stream: str, record: Mapping[str, Any], folder: Path, identity: str = "id"
) -> list[str]:
    """What is wrong with how the SQL of a source takes odd records; empty when nothing is. Works in `folder`.

    `record` is a sound record of the stream as it is landed, and `identity` its member with the id; `record.id` is the member `id`
    of its member `record`. Copies of it get odd members and, one after the other, odd values; what is no JSON is tried only where
    the identity is `id`, because of other texts no id is known. They are landed between two sound ones. The load and the checks must
    not fail, each odd record must be in the raw table or in quarantine, and the sound ones must be there as if they were alone.
    """
    odd: dict[str, bytes] = {}
    wrapper, _, own = identity.rpartition(".")
    for what, members in ODD_MEMBERS.items():
        whole = {**(record[wrapper] if wrapper else record), own: f"odd {len(odd)}"}
        content = msgspec.json.encode(whole)[:-1] + b"," + members + b"}"
        if identity == "id" or is_json(content):
            odd[what] = msgspec.json.encode({**record, wrapper: msgspec.Raw(content)}) if wrapper else content
    for name in record.keys() - {identity, wrapper}:
        for value in ODD_VALUES:
            changed = {**record, name: msgspec.Raw(value)}
            odd[f"{name} = {value.decode()}"] = _copy(changed, identity, f"odd {len(odd)}")
    for name in record[wrapper].keys() - {own} if wrapper else ():
        for value in ODD_VALUES:
            changed = {**record, wrapper: {**record[wrapper], name: msgspec.Raw(value)}}
            odd[f"{wrapper}.{name} = {value.decode()}"] = _copy(changed, identity, f"odd {len(odd)}")
    sound = [_copy(record, identity, name) for name in ("sound 1", "sound 2")]
    try:
        alone, _ = _loaded(source, stream, sound, folder / "alone")
        page = b'{"rows":[' + b",".join([sound[0], *odd.values(), *NO_RECORDS, sound[1]]) + b"]}"
        together, quarantine = _loaded(source, stream, envelope.member_list(page, "rows"), folder / "together")
    except (MttrError, duckdb.Error) as error:
        return [first_line(error)]
    problems = [
        f"the sound record {key!r} is not there as if it were alone" for key in alone if together.get(key) != alone[key]
    ]
    if len(alone) != len(sound):
        problems.append("the sound record cannot be used itself")
    for place, what in enumerate(odd):
        if f"odd {place}" not in together and f"odd {place}" not in quarantine:
            problems.append(f"a record is neither in the table nor in quarantine: {what}")
    return problems


def _copy(record: Mapping[str, Any], identity: str, name: str) -> bytes:
    wrapper, _, own = identity.rpartition(".")
    if wrapper:
        return msgspec.json.encode({**record, wrapper: {**record[wrapper], own: name}})
    return msgspec.json.encode({**record, identity: name})


def _loaded(source: Source, stream: str, records: list[bytes], folder: Path) -> tuple[dict[str, Any], set[str]]:
    """The rows of the raw table by id, without their file, and the ids in quarantine. Raises ContractError for a failed check."""
    landing = Landing(folder / "landing")
    extract = landing.begin(source.name, "20990101T000000000Z-0000", {})
    extract.land(stream, "all", records)
    extract.finish(AS_OF)
    settings = settings_of({}, {source.name: source}, {}, data_dir=folder)
    warehouse = Warehouse(folder / "work.duckdb", settings, AS_OF, "conformance")
    try:
        warehouse.load(landing)
        for model in (model for model in warehouse.catalog if model.account == source.name):
            warehouse.build(model)
            for check in run_checks(warehouse.con, model):
                if not check.passed:
                    raise MttrError(f"{model.where}: the check {check.name} failed: {check.detail}")
        (table,) = (m.table for m in warehouse.catalog.of_layer("raw") if (m.source, m.stream) == (source.name, stream))
        found = warehouse.con.execute(f"SELECT * EXCLUDE (landed_in) FROM {table}")
        rows = {str(row[0]): row[1:] for row in found.fetchall()}
        listed = warehouse.con.execute("SELECT DISTINCT external_id FROM ops.quarantine").fetchall()
        return rows, {row[0] for row in listed}
    finally:
        warehouse.close()
