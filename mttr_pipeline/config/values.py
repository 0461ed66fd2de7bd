"""What a value of `mttr.toml` may be: checks for the types in `settings`, each with a sentence that says what is valid."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import duckdb
from pydantic import AfterValidator, BeforeValidator

#: Nobody measures less, and a microsecond, in which durations are counted, is far below it.
LEAST = 0.001

#: The longest span, by unit. More is a slip of the hand, and a column of microseconds overflows hours later.
TEN_YEARS = {"days": 3_650, "hours": 87_600, "minutes": 5_256_000}


def number(
    unit: str, least: float = LEAST, most: float | None = None, *, or_zero: bool = False, whole: bool = False
) -> BeforeValidator:
    """A number within these limits, by default ten years in this unit. `true`, `"5"`, `nan` and `inf` are none."""
    limit = TEN_YEARS[unit] if most is None else most
    rule = f"must be {'0 or ' * or_zero}a {'whole ' * whole}number of {unit} from {least} to {limit}"
    rule += " (ten years)" * (most is None)

    def check(value: Any) -> Any:
        # Python takes true for 1, and so does pydantic: a target of one minute.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(rule)
        if not (least <= value <= limit or (or_zero and value == 0)) or (whole and value % 1):
            raise ValueError(rule)
        return value

    return BeforeValidator(check)


def _weight(value: Any) -> Any:
    """A share of a service, in thousandths, so that sums of weighted time are whole numbers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1 or abs(value * 1000 - round(value * 1000)) > 1e-9:
        raise ValueError("must be a number of at most three decimals, from 0 to 1")
    return value


Weight = Annotated[float, BeforeValidator(_weight)]


def _day(value: Any) -> Any:
    """A date or instant, of TOML or as text. A bare number would be taken for seconds since 1970."""
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        if not isinstance(value, date) or not 1970 <= value.year < 2100:
            raise ValueError
    except ValueError:
        raise ValueError(
            "must be a date like 2026-01-31 or an instant like 2026-01-31T12:00:00Z, from 1970 to 2099"
        ) from None
    return value


Day = Annotated[date | datetime, BeforeValidator(_day)]


@cache
def _zones_of_duckdb() -> frozenset[str]:
    """The zones that DuckDB can compute with; they are part of its wheel."""
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as con:
        return frozenset(name for (name,) in con.execute("SELECT name FROM pg_timezone_names()").fetchall())


def _zone(value: str) -> str:
    """A name that both know: a system may have files that are no IANA zone (posix/..., localtime), and DuckDB has
    abbreviations that say something else than most would think (BST is the time of Bangladesh).
    """
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        valid = False
    else:
        valid = value in _zones_of_duckdb()
    if not valid:
        raise ValueError("must be an IANA time zone that DuckDB knows, like 'Europe/Berlin'")
    return value


Zone = Annotated[str, AfterValidator(_zone)]


def _pattern(value: str) -> str:
    """A regular expression as DuckDB reads it: without references back and looks around."""
    try:
        with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as con:
            con.execute("SELECT regexp_matches('', ?)", [value])
    except duckdb.Error:
        raise ValueError(
            "must be a regular expression without look-around and back references, like '(?i)^deployed'"
        ) from None
    if not value.strip():
        raise ValueError("must not be blank: it would fit everything")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: What each field of a cron schedule may hold: least, most and names.
_CRON: tuple[tuple[int, int, list[str]], ...] = (
    *((0, 59, []), (0, 23, []), (1, 31, [])),
    *((1, 12, ["", *_MONTHS]), (0, 7, _DAYS)),
)


def _cron(value: str) -> str:
    """Five fields of numbers, ranges, steps and lists. What never comes, such as 30 February, is refused too."""
    fields = value.lower().split()
    valid = len(fields) == len(_CRON) and all(map(_is_cron_field, fields, _CRON))
    if not valid or (fields[2] in ("30", "31") and fields[3] in ("2", "feb")):
        raise ValueError(
            "must be a cron schedule of five fields (minute, hour, day, month, weekday), like '15 3 * * *'"
        )
    return value


def _is_cron_field(text: str, rule: tuple[int, int, list[str]]) -> bool:
    least, most, names = rule
    for part in text.split(","):
        span, _, step = part.partition("/")
        ends = [str(names.index(end)) if end and end in names else end for end in span.split("-")]
        numbers = [int(end) for end in ends if re.fullmatch(r"[0-9]{1,2}", end)]
        is_span = span == "*" or (len(numbers) == len(ends) <= 2 and least <= numbers[0] <= numbers[-1] <= most)
        is_step = re.fullmatch(r"[1-9][0-9]?", step) and (span == "*" or "-" in span)
        if not is_span or ("/" in part and not is_step):
            return False
    return True


CronSchedule = Annotated[str, AfterValidator(_cron)]


def _owner(value: str) -> str:
    if not re.fullmatch(r"team:\S+|[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError("must be an e-mail address, or the name of a team like 'team:sre'")
    return value


Owner = Annotated[str, AfterValidator(_owner)]


def _tags(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not (
            re.fullmatch(r"([\w.-]{1,63}/)?[\w.-]{1,63}", name, re.ASCII)
            and re.fullmatch(r"[\w.-]{0,63}", value, re.ASCII)
        ):
            raise ValueError(
                f"{name!r} = {value!r}: a tag is at most 63 letters, digits, '.', '_' and '-', and so is its value"
            )
    return given


Tags = Annotated[dict[str, str], AfterValidator(_tags)]


def _kinds(given: tuple[str, ...]) -> tuple[str, ...]:
    """Dagster shows at most ten kinds of an asset, and the asset with the most has four of its own."""
    if len(given) > 6 or not all(re.fullmatch(r"[\w.-]{1,50}", kind, re.ASCII) for kind in given):
        raise ValueError("at most six kinds, each of at most 50 letters, digits, '.', '_' and '-', like 'snowflake'")
    return given


Kinds = Annotated[tuple[str, ...], AfterValidator(_kinds)]


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", value):
        raise ValueError("scheme, host and path of a web address and nothing else, like https://acme.example.com")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]


def _proxy_address(value: str) -> str:
    """Credentials stand in the environment only: mttr.toml is kept with the code."""
    if re.match(r"[^/]*//[^/]*@", value):
        raise ValueError("must not carry a user name or password; put an address with them into HTTPS_PROXY")
    if not re.fullmatch(r"https?://[^/?#@\s:]+(:\d{1,5})?/?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?/?", value):
        raise ValueError("must be the address of an HTTP proxy like http://proxy.example.com:3128")
    return value.rstrip("/")


ProxyAddress = Annotated[str, AfterValidator(_proxy_address)]


def _place_address(value: str) -> str:
    """An address that fsspec can write to. Credentials stand in the environment only, here too."""
    scheme, _, rest = value.partition("://")
    if re.match(r"[^/]*@", rest) or "?" in rest:
        raise ValueError("must not carry a user name, a password or a query; credentials come from the environment")
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) or not rest.strip("/") or "::" in rest or re.search(r"\s", rest):
        raise ValueError("must be an address like s3://bucket/prefix or file:///mnt/share/mttr")
    if scheme in ("memory", "http", "https", "data"):
        raise ValueError(
            f"{scheme}:// is no place to publish to; use one such as s3://bucket/prefix or file:///mnt/share"
        )
    if scheme in ("file", "local") and not rest.startswith("/"):
        raise ValueError("must have three slashes and the whole path, like file:///mnt/share/mttr")
    return value.rstrip("/")


PlaceAddress = Annotated[str, AfterValidator(_place_address)]


def _no_secrets(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses names of secrets, in tables inside too: mttr.toml is kept with the code."""
    for name, inner in value.items():
        if re.search(r"(?i)secret|token|password|passwd|credential|connection_?string|(^|_)(key|pat)$", name):
            raise ValueError(f"{name} is a credential; it comes from the environment, never from this file")
        if isinstance(inner, dict):
            _no_secrets(inner)
    return value


OpenOptions = Annotated[dict[str, Any], AfterValidator(_no_secrets)]
