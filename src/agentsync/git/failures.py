"""Translate git's output after a failed fetch into a message for the user and a hint."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urljoin

from agentsync.core.errors import SourceUnavailableError
from agentsync.core.urls import printable, redact, split_credentials
from agentsync.git.process import Done
from agentsync.git.remedies import credentials_hint, host_key_hint
from agentsync.git.remote import Remote


class TransientError(SourceUnavailableError):
    """A fetch failed for a reason that may pass: the network, an error of the server, the deadline."""


class AuthenticationError(SourceUnavailableError):
    """The server refused the credentials, or wants some."""


class TooLargeError(SourceUnavailableError):
    """The server sends more data than the source may take."""


class UnexplainedError(SourceUnavailableError):
    """A failure that matches no known fault: the only case in which the mirror itself is suspected."""


class OtherFormatError(SourceUnavailableError):
    """The repository at the URL has another object format than the mirror."""


class UntrustedError(SourceUnavailableError):
    """The TLS connection was not trusted, and git does not report why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A known kind of failure: how it shows in git's output, and how it is reported.

    A pattern with something open between two words takes the first of these in a line, so that it looks for the second
    once a line: what a server sends may be long.
    """

    pattern: re.Pattern[str]
    message: str
    hint: str
    transient: bool = False


def _fault(pattern: str, message: str, hint: str, *, transient: bool = False) -> Fault:
    return Fault(re.compile(pattern, re.IGNORECASE | re.MULTILINE), message, hint, transient)


_NO_REF = re.compile(r"couldn't find remote ref")
_REFUSED_ID = re.compile(r"not our ref|unadvertised object|no such remote ref|not a valid SHA1")

# Names and URLs that git quotes: a repository called `tls` does not indicate a TLS problem.
_NAMES = re.compile(r"(?<!\w)'[^'\n]*'|(?<!\w)\w++://\S+|(?<=host )\S+|(?<=hostname )\S+")

# The pack exceeds the quota, or the list of refs exceeds the memory.
_TOO_LARGE = re.compile(r"file too large|out of memory", re.IGNORECASE)

_OTHER_FORMAT = re.compile(r"mismatched algorithms|does not support this repository's object format")

# What a server prints, as opposed to git and ssh: anything may be in it.
_OF_THE_SERVER = re.compile(r"^remote:.*\n?", re.MULTILINE)

# git's answer for a helper by its name, and the shell's for one by its path or its command.
_NO_HELPER = re.compile(
    r"^git: 'credential-([^'\n]++)' is not a git command"
    r"|\bget: (?:line )?\d++: ([^\n:]++): (?:command )?(?:not found|no such file)",
    re.IGNORECASE | re.MULTILINE,
)

_LOCATION = re.compile(r"^<= Recv header: location:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_ADDED_TO_URL = re.compile(r"/info/refs(?:\?.*)?\Z", re.DOTALL)
_RETRY_AFTER = re.compile(r"^<= Recv header: retry-after:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_LONGEST_WAIT = 86400.0

_REDIRECT = _fault(
    r"returned error: 3\d\d|unable to update url base from redirection",
    "the server redirects to another URL",
    "redirects are not followed: write the new URL into the configuration",
)
_CREDENTIALS = _fault(
    r"authentication failed|could not read (username|password)|permission denied \("
    r"|too many authentication failures|returned error: (401|403)",
    "the server refused the credentials, or wants some",
    "",  # depends on what was used
)
_HOST_KEY = _fault(
    r"host key verification failed|^(?>.*?no ).* host key is known",
    "the server's host key is unknown",
    "",  # depends on where it is looked for
)
_UNREACHABLE = _fault(
    r"failed to connect|connection (refused|reset|closed|timed out)|couldn't connect|no route to host"
    r"|network is unreachable|timed out|too slow|timeout was reached|unable to access",
    "the server cannot be reached",
    "check the URL and the network",
    transient=True,
)
_UNRESOLVED = _fault(
    r"could not resolve (host|proxy)|name or service not known|temporary failure in name resolution",
    "the server's name cannot be resolved",
    "check the URL and the network",
    transient=True,
)
# With a proxy, git connects to nothing else.
_OF_PROXY = re.compile(r"could not resolve proxy|failed to connect|couldn't connect", re.IGNORECASE)
EXPIRED = _fault(
    r"certificate (has expired|is not yet valid)|expiration date has passed|^(?>.*?activation date ).* future",
    "the server's certificate has expired, or is not valid yet",
    "have it renewed, or correct the clock of this machine",
)
OTHER_HOST = _fault(
    r"does not match target host|no alternative certificate subject name|hostname mismatch|ip address mismatch",
    "the server's certificate is for another host",
    "write the host that it is for into the URL",
)
UNKNOWN_AUTHORITY = _fault(
    r"self[- ]signed certificate|unable to get (local )?issuer|unknown (ca|authority)",
    "the server's certificate is from an unknown authority",
    "for a private authority set ca_file",
)
_UNTRUSTED = _fault(
    r"ssl|certificate|gnutls|trust anchors|tls (connect|handshake|alert)",
    "no trusted TLS connection could be made",
    "for a private authority set ca_file",
)

# The first match wins, so specific patterns come before general ones.
_FAULTS = (
    _fault(r"^(?>.*?transport ).*not allowed", "the URL's protocol is not allowed", "use https or ssh"),
    _fault(
        r"dubious ownership|unsafe repository",
        "the local repository belongs to another user",
        "its configuration could run commands as you: give it your owner, or fetch it by ssh or https",
    ),
    _fault(
        r"host identification has changed|^(?>.*?host key ).* has changed",
        "the server's host key is not the known one",
        "make sure that the server is the right one before its entry in known_hosts is replaced",
    ),
    _HOST_KEY,
    _CREDENTIALS,
    _fault(
        r"(returned error:|tunnel failed, response|received http code) 407",
        "the proxy wants credentials",
        "write them into the source's proxy URL",
    ),
    _REDIRECT,
    _fault(r"returned error: 429", "the server is asked too often", "run agentsync less often, or with credentials"),
    _fault(r"returned error: 5\d\d", "the server reports an error of its own", "try again later", transient=True),
    _UNRESOLVED,
    EXPIRED,
    OTHER_HOST,
    UNKNOWN_AUTHORITY,
    _UNTRUSTED,
    _fault(
        r"cannot run ssh|ssh: (command )?not found|unable to find remote helper|is not a git command",
        "a program that git needs for this URL is missing",
        "install ssh, or git's support for https",
    ),
    _fault(
        r"^(?>.*?repository ).*not found|returned error: (404|410)|does not appear to be a git repository"
        r"|not valid: is this a git repository|no such file or directory|does not exist|could not be found",
        "there is no repository at this URL",
        "check the URL; a host may report the same for a repository that these credentials cannot access",
    ),
    _fault(r"no space left on device|disk quota exceeded", "there is no space left for the mirror", "free some space"),
    _fault(
        r"fsck error|error in packed object|error in object|pack is corrupted|inflate returned",
        "the server sent objects that fail git's checks",
        "look at them with `git fsck` in the source repository",
    ),
    _UNREACHABLE,
    _fault(
        r"early eof|hung up unexpectedly|rpc failed|expected flush|unexpected disconnect",
        "the connection broke off",
        "try again later",
        transient=True,
    ),
)


_KINDS = {_UNTRUSTED: UntrustedError, _CREDENTIALS: AuthenticationError}


def _advice(fault: Fault, done: Done, remote: Remote) -> tuple[str, str]:
    """Message and hint of a fault, which may depend on what was used."""
    if fault is _REDIRECT:
        return f"{fault.message}{_location(done.trace, remote)}", fault.hint
    if fault is _HOST_KEY:
        return fault.message, host_key_hint(remote)
    if fault in (_UNREACHABLE, _UNRESOLVED) and remote.auth.proxy and _OF_PROXY.search(done.stderr):
        proxy = redact(remote.auth.proxy)
        return f"the proxy {printable(proxy)} cannot be reached", "correct or remove `proxy` under the source's `auth`"
    if fault is _CREDENTIALS:
        missing = _NO_HELPER.search(done.stderr) if remote.auth.use_credential_helper else None
        if missing:
            message = f"the credential helper {printable(missing[1] or missing[2])} is missing"
            return message, "install it, or correct `credential.helper` in your git configuration"
        return fault.message, credentials_hint(remote)
    return fault.message, fault.hint


def refuses_id(done: Done) -> bool:
    """Whether the server refuses to send commits by id, or this one."""
    return _REFUSED_ID.search(done.stderr) is not None


def lacks_ref(done: Done, remote: Remote) -> bool:
    """Whether the server answered that it has no such ref or commit."""
    return not done.timed_out and (_NO_REF.search(done.stderr) is not None or (remote.is_commit and refuses_id(done)))


def explain(done: Done, remote: Remote) -> SourceUnavailableError:
    """Build the error for a failed fetch: a TransientError where it may work later.

    The last lines of the output are always part of the message, since they may be understood where the fault is not.
    """
    if done.timed_out:
        message = f"there was no answer within {remote.deadline:.3g} seconds"
        hint = "check the network, or raise the `timeout` of the source"
        return TransientError(_with_lines(message, done), place=remote.place, hint=hint)
    output = _NAMES.sub("", _OF_THE_SERVER.sub("", done.stderr))
    if _TOO_LARGE.search(output):
        return too_large(remote)
    if _OTHER_FORMAT.search(output):
        return OtherFormatError(done.reason, place=remote.place)
    for fault in _FAULTS:
        if fault.pattern.search(output):
            kind = _KINDS.get(fault, TransientError if fault.transient else SourceUnavailableError)
            message, hint = _advice(fault, done, remote)
            retry_after = _retry_after(done.trace)
            return kind(_with_lines(message, done), place=remote.place, hint=hint, retry_after=retry_after)
    return UnexplainedError(done.reason, place=remote.place)


def explain_untrusted(error: UntrustedError, fault: Fault) -> SourceUnavailableError:
    """Build the error for a TLS connection that was not trusted for a reason that is known by now."""
    message = error.message.replace(_UNTRUSTED.message, fault.message, 1)
    return SourceUnavailableError(message, place=error.place, hint=fault.hint, retry_after=error.retry_after)


def _with_lines(message: str, done: Done) -> str:
    return f"{message}: {done.last_lines}" if done.last_lines else message


def _location(trace: str, remote: Remote) -> str:
    """The URL that a repository was redirected to, as the rest of a sentence; empty where the answer has none."""
    locations = _LOCATION.findall(trace)
    if not locations:
        return ""
    base = split_credentials(remote.url)[0]
    try:
        url = urljoin(f"{base}/info/refs", locations[-1].strip())
    except ValueError:  # such as `https://[`
        return ""
    return f" ({printable(redact(_ADDED_TO_URL.sub('', url)))})"


def _retry_after(trace: str) -> float:
    """Seconds to wait by the Retry-After of the last answer (RFC 9110, 10.2.3), at most a day; 0 where it has none."""
    values = _RETRY_AFTER.findall(trace)
    if not values:
        return 0
    text = values[-1].strip()
    if text.isdecimal() and text.isascii():
        return min(float(text[:9]), _LONGEST_WAIT)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and hardly ever needed

    try:
        retry_at = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0
    return min(max(0.0, retry_at - time.time()), _LONGEST_WAIT)


def too_large(remote: Remote) -> TooLargeError:
    """Build the error for a source that exceeds its limit of bytes."""
    message = f"the repository takes more than the {remote.max_bytes / (1 << 20):.4g} MiB that a source may"
    return TooLargeError(
        message, place=remote.place, hint="keep the agents in a repository of their own, or raise `limits.fetch_bytes`"
    )


def explain_missing_ref(remote: Remote, refs: Sequence[str] | None) -> SourceUnavailableError:
    """Build the error for a ref or commit that the server does not have.

    Args:
        remote: the requested ref.
        refs: the refs that the server has; None where it does not list them.
    """
    if refs is not None and not refs:
        hint = "push the first agents to it"
        return SourceUnavailableError("the repository has no commits yet", place=remote.place, hint=hint)
    names: list[str] = []
    if remote.is_commit:
        message = f"the repository has no commit {remote.ref}"
    else:
        message = f"the repository has no {remote.title}"
        prefix = "refs/tags/" if remote.ref.startswith("refs/tags/") else "refs/heads/"
        names = [ref.removeprefix(prefix) for ref in refs or () if ref.startswith(prefix)]
        names = get_close_matches(remote.ref.removeprefix(prefix), names) or names[:5]
    hint = f"it has {printable(', '.join(names))}" if names else "check the source's ref"
    return SourceUnavailableError(message, place=remote.place, hint=hint)
