"""What must not be shown: credentials in any spelling, addresses of people, characters that steer a terminal.

    remember(secret)    from then on `redact` knows it; `config.environment` calls it for every secret that it reads
    redact(text)        no secret of this process, and nothing with the name or the form of a credential
    one_line(text)      no control character, no escape sequence, nothing that turns the direction of writing
    without_addresses   `<e-mail>` for each e-mail address

A text is searched before it is cut, because half a secret is one too. A body may spell a secret in many ways, and one inside the
other: percent signs, JSON and HTML escapes, hex, Base64 at any alignment, with line breaks or tags between. So the text is
unescaped step by step, each character of it keeps its place in what was there before, and after each step what stands there is
compared with the secret and its encodings.

What does not belong here: what a vendor's message is (`sources.kit.explain`), the pseudonyms of people (`warehouse.people`).
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

HIDDEN = "[hidden]"
ADDRESS = "<e-mail>"
LEAST = 4  # characters of a secret: a shorter one is no secret, and would hide parts of words
_PIECE = 8  # characters from the beginning or the end of a secret that are one too
_STEPS = 3  # encodings inside each other
MOST = 20_000  # characters of one text that are searched; what follows is cut off
_remembered: set[str] = set()

_NAMES = r"api[_-]?key|api[_-]?token|access[_-]?token|auth[_-]?token|client[_-]?secret|token|password|passwd|secret"
_PATTERNS = (
    # authorization schemes: `Token token=...`, `GenieKey ...`, `Basic ...`, `Bearer ...`
    re.compile(r"(?i)\b(authorization[\"'\\]*\s*[:=]\s*[\"'\\]*)[^\"'\\\r\n,}]+"),
    re.compile(r"(?i)\b(token token=|geniekey\s+|basic\s+(?=[\w+/=-]{8,})|bearer\s+(?=[\w.+/=-]{8,}))[^\s\"',;]+"),
    # query parameters and JSON members with the name of a secret
    re.compile(rf"(?i)\b((?:{_NAMES})(?:=|%3d))[^\s&\"'<>]+"),
    re.compile(rf"(?i)([\"'](?:{_NAMES})\\*[\"']\s*:\s*\\*[\"'])[^\"'\\]+"),
    re.compile(r"(://)[^/\s@]+(?=@)"),
)
_ESCAPED = re.compile(
    r"%(?:25)*(?P<hex>[0-9A-Fa-f]{2})|\\+u(?P<unit>[0-9A-Fa-f]{4})|\\+x(?P<byte>[0-9A-Fa-f]{2})|\\+(?P<plain>[\"'/])"
    r"|&#x(?P<point>[0-9A-Fa-f]{1,6});|&#(?P<number>[0-9]{1,7});|&(?P<name>amp|lt|gt|quot|apos|equals|plus|sol);"
    # nothing between two pieces of a secret: tags, line breaks, white space, what is not shown
    r"|(?P<gap>(?:<[^<>]{0,300}>|\\+[nrtbf]|[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff])+)"
)
#: What steers a terminal or hides what stands there: control characters (with the sequences that they begin), marks of direction.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?"
)
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_EMAIL = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?:@|%40|\\u0040|&#64;|&#x40;)"
    r"[A-Za-z0-9\u00a1-\uffff](?:[\w-]{0,61}\w)?(?:\.(?:[\w-]{0,61}\w))+",
    re.IGNORECASE,
)


def remember(secret: str) -> None:
    """Hide this secret in every text from now on, in whatever a vendor may have made of it."""
    if len(secret) >= LEAST:
        _remembered.add(secret)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `[hidden]` in place of credentials: those given, those remembered, and every value with the name or the form of
    one. Eight characters from the beginning or the end of a secret count as one, unless they are a word."""
    text = text[:MOST]
    spans = [span for secret in {*secrets, *_remembered} if len(secret) >= LEAST for span in _found(text, secret)]
    parts, end = [], 0
    for start, stop in _merged(spans):
        parts += [text[end:start], HIDDEN]
        end = stop
    text = "".join([*parts, text[end:]])
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def without_addresses(text: str) -> str:
    """`text` with `<e-mail>` in place of each e-mail address."""
    return _EMAIL.sub(ADDRESS, text) if "@" in text or "40" in text or "64" in text else text


def one_line(text: str) -> str:
    """`text` without what would steer the terminal that shows it: each run of such characters is one space."""
    return text if text.isprintable() else _STEERING.sub(" ", _SEQUENCES.sub(" ", text))


def pattern(secrets: Iterable[str]) -> str:
    """A regular expression (RE2) that finds the texts worth to be given to `redact`: a fast look at very many. Empty for no secret.

    It knows a secret and its encodings, but not one that is split or escaped twice.
    """
    found = []
    for secret in sorted({secret for secret in secrets if len(secret) >= LEAST}):
        found.append(re.escape(secret if _is_word(secret[:_PIECE]) else secret[:_PIECE]))
        found.append(re.escape(quote(secret, safe="")))
        for target, normal in _targets(secret)[1:]:
            head = re.escape(target[: 2 * _PIECE if normal is str.lower else _PIECE])
            found.append(f"(?i:{head})" if normal is str.lower else re.sub(r"\\?\+", "[+-]", head).replace("/", "[/_]"))
    return "|".join(dict.fromkeys(found))


def _found(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Where the secret, an encoding or an end of it stands in the text."""
    for view, places in _views(text):
        for target, normal in _targets(secret):
            for start, stop in _matches(normal(view), target):
                yield places[start][0], places[stop - 1][1]


@lru_cache(maxsize=4)  # one text is searched for many secrets
def _views(text: str) -> list[tuple[str, list[tuple[int, int]]]]:
    """The text as it is and after each step of unescaping, every character with where it begins and ends in the text."""
    places = [(index, index + 1) for index in range(len(text))]
    views = [(text, places)]
    for _ in range(_STEPS):
        out: list[str] = []
        spots: list[tuple[int, int]] = []
        end = 0
        for match in _ESCAPED.finditer(text):
            out.append(text[end : match.start()])
            spots += places[end : match.start()]
            if said := _unescaped(match):
                out.append(said)
                spots.append((places[match.start()][0], places[match.end() - 1][1]))
            end = match.end()
        if end == 0:
            break
        text, places = "".join([*out, text[end:]]), [*spots, *places[end:]]
        views.append((text, places))
    return [*views, *_without_separators(*views[-1])]


def _without_separators(text: str, places: list[tuple[int, int]]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Hex as `3a:7f` or `3a-7f`."""
    kept = [index for index, char in enumerate(text) if char not in ":-"]
    if len(kept) < len(text):
        yield "".join(text[index] for index in kept), [places[index] for index in kept]


def _unescaped(match: re.Match[str]) -> str:
    """One character, or nothing."""
    for group in ("hex", "unit", "byte", "point"):
        if match[group]:
            return _character(int(match[group], 16))
    if match["number"]:
        return _character(int(match["number"]))
    return match["plain"] or (html.unescape(f"&{match['name']};") if match["name"] else "")


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 else ""


@lru_cache(maxsize=256)
def _targets(secret: str) -> list[tuple[str, Callable[[str], str]]]:
    """The secret and its encodings, each with how a text is written for the comparison."""
    raw = secret.encode()
    targets: list[tuple[str, Callable[[str], str]]] = [(secret, str), (raw.hex(), str.lower)]
    for before in range(3):  # where a group of three bytes begins
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first, last = -(-before * 4 // 3), (before + len(raw)) * 8 // 6  # digits that hold bits of the secret only
        targets.append((coded[first:last], _one_base64))
    return [(target, normal) for target, normal in targets if len(target) >= LEAST]


def _one_base64(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def _matches(text: str, target: str) -> Iterator[tuple[int, int]]:
    """Where the target, or enough of its beginning or end to be worth something, stands in the text."""
    head, tail = target[:_PIECE], target[-_PIECE:]
    whole = len(target) <= _PIECE
    for piece, forward in ((target, True),) if whole else ((head, True), (tail, False)):
        start = text.find(piece)
        while start >= 0:
            stop = start + len(piece)
            if forward:
                length = stop - start
                while length < len(target) and stop < len(text) and text[stop] == target[length]:
                    stop, length = stop + 1, length + 1
            else:
                length = stop - start
                while length < len(target) and start > 0 and text[start - 1] == target[-length - 1]:
                    start, length = start - 1, length + 1
            if length == len(target) or not _is_word(text[start:stop]):
                yield start, stop
            start = text.find(piece, max(stop, start + 1))


def _is_word(text: str) -> bool:
    """Letters of one case and dashes, which may stand there without any secret."""
    return not any(char.isdigit() for char in text) and (text.lower() == text or text.upper() == text)


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = stop = -1
    for first, last in sorted(spans):
        if first > stop:
            if stop >= 0:
                yield start, stop
            start, stop = first, last
        stop = max(stop, last)
    if stop >= 0:
        yield start, stop
