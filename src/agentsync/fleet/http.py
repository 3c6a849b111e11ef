"""JSON over HTTP(S) with a limit on everything: size, time, and who gets the token."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import TypeAdapter, ValidationError

from agentsync import __version__
from agentsync.core.address import is_loopback
from agentsync.core.errors import ConfigError, SourceUnavailableError, why
from agentsync.core.urls import redact

_SECONDS: Final = 30.0  # without any byte
_LONGEST_SECONDS: Final = 120.0  # for one answer
_PART: Final = 1 << 16
_SHOWN: Final = 300  # characters of an error's text


class AnswerError(SourceUnavailableError):
    """The server answered with an error.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, *, place: str, hint: str, status: int) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """A server that speaks JSON.

    Attributes:
        base: what every path is appended to, without a slash at its end.
        headers: of every request; among them the token, which no other server gets.
        largest: bytes that an answer may have.
    """

    base: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    largest: int = 4 << 20

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            ConfigError: it is none, or a token would be sent to another machine without TLS.
        """
        try:
            parts = urlsplit(self.base)
            host, _ = parts.hostname or "", parts.port
        except ValueError as error:
            raise ConfigError(f"this is no address: {error}", place=redact(self.base)) from error
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
            hint = "give it as https://HOST[:PORT][/PATH], and credentials by their own options"
            raise ConfigError("this is no address of an API", place=redact(self.base), hint=hint)
        if parts.scheme == "http" and self.headers and not is_loopback(host):
            raise ConfigError("a token is sent over https only", place=redact(self.base))

    def get(self, path: str) -> Any:
        """Return what a path answers with.

        Raises:
            SourceUnavailableError: there is no answer, or one that is an error, too large or no JSON.
        """
        return self._ask("GET", path, None)

    def send(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        """Send a document and return the answer; errors are as for `get`."""
        return self._ask(method, path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, data: bytes | None) -> Any:
        place = redact((self.base + path).partition("?")[0])
        headers = {"User-Agent": f"agentsync/{__version__}", "Accept": "application/json", **self.headers}
        headers |= {"Content-Type": "application/json"} if data is not None else {}
        request = Request(self.base + path, data, headers, method=method)  # noqa: S310 - the scheme was checked
        try:
            with build_opener(_NoRedirects).open(request, timeout=_SECONDS) as response:
                return json.loads(_read(response, self.largest))
        except HTTPError as error:
            with error:
                raise _as_error(error, place) from error
        except (ValueError, RecursionError) as error:
            raise SourceUnavailableError(f"its answer cannot be used: {error}", place=place) from error
        except (OSError, HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
            raise SourceUnavailableError(f"no answer: {why(cause) or type(cause).__name__}", place=place) from error


class _NoRedirects(HTTPRedirectHandler):
    """Follows nothing: the token would go along."""

    def redirect_request(self, *_: object) -> None:
        return None


def _read(response: HTTPResponse | HTTPError, largest: int) -> bytes:
    """Read an answer.

    Raises:
        ValueError: it is too large, or too slow.
    """
    end, data = time.monotonic() + _LONGEST_SECONDS, bytearray()
    while part := response.read1(_PART):  # read() would wait for all of it, one byte after another
        data += part
        if len(data) > largest:
            raise ValueError(f"it is over {largest:,} bytes")
        if time.monotonic() > end:
            raise ValueError(f"it took over {_LONGEST_SECONDS:.0f} seconds")
    return bytes(data)


def _as_error(error: HTTPError, place: str) -> AnswerError:
    try:
        answer = json.loads(_read(error, _PART))
        reason = next((answer[key] for key in ("error", "message", "detail") if key in answer), "")
    except (OSError, HTTPException, ValueError, RecursionError, TypeError):
        reason = ""
    text = f": {reason if isinstance(reason, str) else json.dumps(reason)}"[:_SHOWN] if reason else ""
    hints: Mapping[int, str] = {
        HTTPStatus.UNAUTHORIZED: "the token is missing, wrong or expired",
        HTTPStatus.FORBIDDEN: "the token lacks a permission",
        HTTPStatus.NOT_FOUND: "the address or the name is wrong, or the token may not see it",
    }
    is_moved = HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST
    hint = "it redirects; give the address that it leads to" if is_moved else hints.get(error.code, "")
    return AnswerError(f"it answers {error.code} {error.reason}{text}", place=place, hint=hint, status=error.code)


_T = TypeVar("_T")


def checked(answer: Any, form: type[_T]) -> _T:
    """Return an answer in the form that it should have.

    Raises:
        SourceUnavailableError: it has another one.
    """
    try:
        return TypeAdapter(form).validate_python(answer)
    except ValidationError as error:
        raise SourceUnavailableError("the server's answer has another form than its documentation states") from error


def token_from(variable: str) -> str:
    """Return a token from the environment; empty where there is none.

    Raises:
        ConfigError: it has characters that no header may have.
    """
    token = os.environ.get(variable, "").strip()
    return checked_token(token, variable)


def checked_token(token: str, place: str) -> str:
    """Return a token that a header may carry.

    Raises:
        ConfigError: it has characters that no header may have.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError("this is no token: it has blanks, or characters beyond ASCII", place=place)
    return token
