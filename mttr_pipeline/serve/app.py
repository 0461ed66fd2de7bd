"""The two doors of `mttr serve`: `POST /webhook/<account>` into the inbox, and GET for the files of the newest generation.

| answer | when |
| --- | --- |
| 200 `{"status": "accepted", "delivery_id": ...}` | the body is safe on the disk; `"repeated"` when it waits there already |
| 400 | no JSON document |
| 401 | neither the token nor, where the account's secret is set, a valid signature |
| 404 | no such account, or no such file |
| 408, 413, 415 | it does not come within the time, is too large, or is compressed |
| 503 with Retry-After | too many in this minute. Not 429: some senders try again after 5xx only |
| 507 | the disk does not take it |

What belongs here: HTTP. What does not: who may come in (`entrance`), how a body is stored (`deliveries`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mttr_pipeline.config.settings import Account, Settings
from mttr_pipeline.intake.received import webhook_of
from mttr_pipeline.landing.demonstration import is_demo_folder
from mttr_pipeline.landing.readers import MAX_RECORD_BYTES
from mttr_pipeline.publish import latest
from mttr_pipeline.serve.deliveries import CUSTOM, Delivery, is_json, kept_headers, store
from mttr_pipeline.serve.entrance import Rate, is_signed, is_signer, stranger

BODY_SECONDS = 10.0
_MANIFEST = "manifest.json"
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


class Refused(Exception):
    """What is answered instead of a delivery id."""

    def __init__(self, code: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.code, self.headers = code, {name.replace("_", "-"): value for name, value in headers.items()}


class Doors:
    """Both doors, over one data directory.

    `told` hears a line for each delivery and each refusal: account, what came of it, delivery id.
    """

    def __init__(self, settings: Settings, token: str | None, per_minute: int, told: Callable[[str], object]) -> None:
        self._data_dir = settings.data_dir
        self._token = token
        self._told = told
        self._rate = Rate(per_minute)
        self._accounts: dict[str, Account | None] = receivers(settings)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/webhook/{account}", self._webhook, methods=["POST"]),
                Route("/", self._first_page, methods=["GET"]),
                Route("/{path:path}", self._file, methods=["GET"]),
            ]
        )

    async def _webhook(self, request: Request) -> Response:
        name = request.path_params["account"]
        try:
            delivery, is_new = await self._received(request, name)
        except Refused as refused:
            self._told(f"{name if name in self._accounts else 'unknown account'}: refused, {refused}")
            close = {"Connection": "close"}  # what is left of the body is not read
            return JSONResponse(
                {"status": "refused", "error": str(refused)}, refused.code, {**refused.headers, **close}
            )
        status = "accepted" if is_new else "repeated"
        self._told(f"{name}: {status} {delivery.id}")
        return JSONResponse({"status": status, "delivery_id": delivery.id})

    async def _received(self, request: Request, name: str) -> tuple[Delivery, bool]:
        if is_demo_folder(self._data_dir):
            raise Refused(403, "this data directory belongs to `mttr demo` and takes no real data")
        if name not in self._accounts:
            raise Refused(404, f"no account takes webhooks under this name; known: {', '.join(self._accounts)}")
        account = self._accounts[name]
        if not is_signer(account) and (why := stranger(self._token, request.headers)):
            raise Refused(401, why, WWW_Authenticate="Bearer")
        if "content-encoding" in request.headers:
            raise Refused(415, "compressed bodies are not taken; send it as it is")
        if seconds := self._rate.wait(name, time.monotonic()):
            raise Refused(
                503, "too many deliveries in this minute; send it again later", Retry_After=f"{math.ceil(seconds)}"
            )
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(request)
        except TimeoutError as error:
            raise Refused(408, f"the body did not come within {BODY_SECONDS:.0f} s") from error
        except ClientDisconnect as error:
            raise Refused(400, "the sender hung up before the body was there") from error
        if account is not None and is_signer(account) and not is_signed(account, request.headers, body):
            raise Refused(401, "the signature is missing or not that of this body")
        if not is_json(body):
            raise Refused(400, "the body is no JSON document")
        delivery = Delivery(account, body, kept_headers(account, request.headers))
        try:
            return delivery, await asyncio.to_thread(store, self._data_dir, delivery)
        except OSError as error:
            raise Refused(507, f"the inbox cannot be written ({error.strerror}); send it again later") from error

    async def _first_page(self, request: Request) -> Response:
        return self._denied(request) or RedirectResponse("report.html", 307, _ALWAYS)

    async def _file(self, request: Request) -> Response:
        """A file that the manifest of the newest generation lists, and nothing else."""
        if denied := self._denied(request):
            return denied
        folder = await asyncio.to_thread(latest, self._data_dir / "published")
        if folder is None:
            return JSONResponse({"error": "nothing is published yet; `mttr run` publishes"}, 404, _ALWAYS)
        name = request.path_params["path"]
        if name != _MANIFEST and name not in await asyncio.to_thread(_listed, folder):
            return JSONResponse({"error": "there is no such file in the newest generation"}, 404, _ALWAYS)
        return FileResponse(folder / name, headers=_ALWAYS)

    def _denied(self, request: Request) -> Response | None:
        why = stranger(self._token, request.headers)
        if why is None:
            return None
        ask = {**_ALWAYS, "WWW-Authenticate": 'Basic realm="mttr", charset="UTF-8"'}
        return JSONResponse({"error": why}, 401, ask)


def receivers(settings: Settings) -> dict[str, Account | None]:
    """The names that stand in `/webhook/<name>`: accounts whose source sends webhooks, and that of custom records."""
    return {account.name: account for account in settings.accounts if webhook_of(account) is not None} | {CUSTOM: None}


def _listed(folder: Path) -> set[str]:
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes())
    except (OSError, msgspec.DecodeError):
        return set()
    return set(manifest["files"])


async def _body(request: Request) -> bytes:
    """The body, no larger than a record may be. Raises Refused."""
    too_large = Refused(413, f"the body is larger than {MAX_RECORD_BYTES >> 20} MiB")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_RECORD_BYTES:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MAX_RECORD_BYTES:
            raise too_large
    return b"".join(parts)
