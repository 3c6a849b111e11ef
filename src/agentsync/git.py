"""Git in a cage: a bare mirror that is fetched into and read from, through GitPython's command facade alone.

GitPython copies this process's environment into git's, whatever environment it is given, so `env -u` removes
what was inherited. It is imported at the first command: its import takes 90 ms and fails where git is missing,
which has to be an error that a user can read.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from itertools import islice
from pathlib import Path
from subprocess import PIPE
from threading import Thread, Timer
from typing import IO, TYPE_CHECKING, Self, cast
from urllib.parse import quote

from agentsync.errors import ConfigError, SourceUnavailableError
from agentsync.urls import local_path, origin, redact, scheme, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from subprocess import Popen
    from types import TracebackType

    from git import Git

CANDIDATE = "refs/agentsync/candidate"
_TRUSTED = "refs/agentsync/trusted/"
_HEADS = "refs/agentsync/heads/"

MINIMUM_VERSION = (2, 31)  # the first that reads GIT_CONFIG_COUNT; an older one would ignore every setting below
_READ_SECONDS = 60.0
_STREAM_SECONDS = 600.0  # whoever takes the blobs works between them
_MAINTAIN_SECONDS = 120.0
_MAX_LOOSE, _MAX_PACKS = 1_000, 20
_STDERR_BYTES = 64 * 1024
_BATCH = 50  # ids written at once: under the 4,096 bytes that every pipe holds, so the write never waits

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"HEAD|refs/(?!.*(?:\.\.|//|@\{))[^\x00-\x20\x7f~^:?*\[\\]+[^\x00-\x20\x7f~^:?*\[\\/.]")

_FIXED_ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_ALLOW_PROTOCOL": "none",
}
_FIXED_SETTINGS = (
    ("protocol.version", "2"),
    ("fetch.fsckObjects", "true"),
    ("transfer.bundleURI", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "20"),
    ("credential.helper", ""),
    ("core.askPass", ""),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("gc.autoDetach", "false"),
    ("maintenance.auto", "false"),
    ("init.templateDir", ""),
    ("init.defaultBranch", "main"),
)
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-show-forced-updates", "--")


class TransientError(SourceUnavailableError):
    """A source that could not be fetched now and may be in a moment: network, a server's error, the deadline."""


class _UnexplainedError(SourceUnavailableError):
    """A failure that no known fault explains: the one case in which the mirror itself is suspected."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How to be let in; every file is read anew at each fetch.

    Attributes:
        token_file, username: an https token, sent as the password of basic authentication.
        ssh_key, known_hosts: used instead of the user's own keys, and instead of their known hosts.
        use_ssh_config, use_ssh_agent: whether the user's own ssh configuration and agent count.
        ca_file: certificates to trust instead of the system's.
        proxy: for http and https; no proxy where left out, whatever the environment says.
        use_netrc, use_credential_helper: whether the user's `.netrc` and git credential helpers are asked.
    """

    token_file: Path | None = None
    username: str = "x-access-token"
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    use_ssh_config: bool = False
    use_ssh_agent: bool = False
    ca_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    use_netrc: bool = False
    use_credential_helper: bool = False


@dataclass(frozen=True, slots=True)
class Remote:
    """What to fetch.

    Attributes:
        url: https or ssh, `host:path` included; a password in it never reaches git's arguments.
        ref: a full ref: `HEAD`, `refs/heads/x`, `refs/tags/x`, or a commit id of 40 or 64 hexadecimal digits.
        auth: how to be let in.
        allow_local: whether the URL may be a path or `file://`.
        allow_http: whether it may be http without TLS.
        deadline: seconds that a fetch may take by the clock on the wall.
    """

    url: str = field(repr=False)
    ref: str = "HEAD"
    auth: Auth = field(default_factory=Auth)
    allow_local: bool = False
    allow_http: bool = False
    deadline: float = 60.0

    @property
    def place(self) -> str:
        """The URL without its secrets."""
        return redact(self.url)

    @property
    def is_commit(self) -> bool:
        """Whether the ref is a commit id."""
        return _OBJECT_ID.fullmatch(self.ref) is not None


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit.

    Attributes:
        path: from the repository's root; bytes that are not UTF-8 are surrogate escapes.
        mode: `100644`, `100755`, `120000` (symbolic link) or `160000` (submodule).
        blob: the object's id; for a submodule, a commit of another repository.
        size: in bytes; 0 for a submodule.
    """

    path: str
    mode: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says about itself: its id, committer time in epoch seconds, first line, `Name <address>`."""

    id: str
    time: int
    subject: str
    author: str


class Mirror:
    """A bare repository in the cache. The caller holds the lock of the run; nothing else writes here."""

    def __init__(self, directory: Path, home: Path) -> None:
        """Nothing is read or made before the first fetch.

        Args:
            directory: the repository; its parent is made where missing.
            home: an empty directory that git gets as HOME, made with mode 0700 where missing.
        """
        self.directory = directory.absolute()
        self._home = home.absolute()

    def fetch(self, remote: Remote) -> str:
        """Fetch one ref with its whole history into the candidate ref; a damaged mirror is made anew first.

        Returns:
            The commit's id; an annotated tag is followed to its commit.

        Raises:
            ConfigError: the ref or URL has a form that cannot be fetched.
            SourceUnavailableError: git is missing, or the fetch failed; TransientError where it may work later.
        """
        _check(remote)
        until = time.monotonic() + remote.deadline
        self._prepare()
        try:
            return self._fetch(remote, until)
        except _UnexplainedError:
            if not self._is_damaged():
                raise
        self._set_aside()
        self._prepare()
        return self._fetch(remote, until)

    def tree(self, commit: str, subfolder: str = "") -> list[TreeEntry]:
        """Every file below a folder at a commit, in git's order; none where there is no such folder."""
        folder = subfolder.strip("/")
        pathspec = ("--", f"{folder}/") if folder else ()
        listing = self._read("ls-tree", "-r", "-l", "-z", "--full-tree", commit, *pathspec)
        return [_entry(record) for record in listing.split(b"\0")[:-1]]

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The content of each blob, in the order asked for; one process, one blob in memory at a time."""
        remaining = iter(ids)
        until = time.monotonic() + _STREAM_SECONDS
        command = [_executable(), "cat-file", "--batch"]
        with _Process(command, self._home, self._environment(), until, stdin=True) as process:
            while batch := list(islice(remaining, _BATCH)):
                process.write("".join(f"{id_}\n" for id_ in batch).encode())
                for id_ in batch:
                    content = _answer(process.stdout)
                    if content is None:
                        raise self._unreadable(f"the mirror cannot give object {id_}")
                    yield id_, content

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit is reachable from another one, or is the same."""
        done = self._run("merge-base", "--is-ancestor", older, newer)
        if done.status not in {0, 1}:
            raise self._unreadable(done.reason)
        return done.status == 0

    def commit_facts(self, commit: str) -> CommitFacts:
        """What a commit says about itself."""
        format_ = "--format=%H%x00%ct%x00%an <%ae>%x00%s"
        shown = self._read("show", "-s", "--no-show-signature", "--encoding=UTF-8", format_, commit)
        id_, seconds, author, subject = shown.decode(errors="replace").removesuffix("\n").split("\0")
        return CommitFacts(id_, int(seconds), subject, author)

    def has(self, commit: str) -> bool:
        """Whether the mirror holds this commit."""
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").status == 0

    def trust(self, name: str, commit: str) -> None:
        """Remember a commit as the last trusted one under a name."""
        self._read("update-ref", _trusted_ref(name), commit)

    def trusted(self, name: str) -> str | None:
        """The last trusted commit under a name."""
        done = self._run("rev-parse", "--verify", "--quiet", _trusted_ref(name))
        return done.output.decode().strip() if done.status == 0 else None

    def maintain(self) -> None:
        """Repack, and drop what nothing refers to, once many fetches have left many small objects or packs."""
        counts = dict(line.split(": ", 1) for line in self._read("count-objects", "-v").decode().splitlines())
        if int(counts["count"]) > _MAX_LOOSE or int(counts["packs"]) > _MAX_PACKS:
            self._read("gc", "--quiet", "--force", "--prune=now", seconds=_MAINTAIN_SECONDS)

    # Fetching

    def _fetch(self, remote: Remote, until: float) -> str:
        url, environment = _network(remote, self._environment())
        done = self._run(*_FETCH, url, f"+{remote.ref}:{CANDIDATE}", environment=environment, until=until)
        if done.status and remote.is_commit and _REFUSED_ID.search(done.stderr):
            done = self._fetch_all(remote, url, environment, until)
        if done.status:
            raise self._explain(done, remote, url, environment, until)
        found = self._run("rev-parse", "--verify", "--end-of-options", f"{CANDIDATE}^{{commit}}", until=until)
        if found.status:
            raise _UnexplainedError(f"{_title(remote.ref)} does not lead to a commit", place=remote.place)
        return found.output.decode().strip()

    def _fetch_all(self, remote: Remote, url: str, environment: Mapping[str, str], until: float) -> _Done:
        """For servers that hand out no commit by its id: take every branch and look whether it is among them."""
        done = self._run(*_FETCH, url, f"+refs/heads/*:{_HEADS}*", environment=environment, until=until)
        if done.status:
            return done
        return self._run("update-ref", CANDIDATE, f"{remote.ref}^{{commit}}", until=until)

    def _explain(
        self, done: _Done, remote: Remote, url: str, environment: Mapping[str, str], until: float
    ) -> SourceUnavailableError:
        if done.timed_out:
            message = f"there was no answer within {remote.deadline:.3g} seconds"
            return TransientError(message, place=remote.place, hint="check the network, or raise the source's deadline")
        if _NO_REF.search(done.stderr) or (remote.is_commit and _REFUSED_ID.search(done.stderr)):
            return self._explain_ref(remote, url, environment, until)
        said = _NAMES.sub("", done.stderr)
        for fault in _FAULTS:
            if fault.pattern.search(said):
                kind = TransientError if fault.transient else SourceUnavailableError
                return kind(fault.message, place=remote.place, hint=fault.hint)
        return _UnexplainedError(done.reason, place=remote.place)

    def _explain_ref(
        self, remote: Remote, url: str, environment: Mapping[str, str], until: float
    ) -> SourceUnavailableError:
        listing = self._run("ls-remote", "--refs", "--", url, environment=environment, until=until)
        refs = [line.partition("\t")[2] for line in listing.output.decode(errors="replace").splitlines()]
        if listing.status == 0 and not refs:
            hint = "push the first agents to it"
            return SourceUnavailableError("the repository has no commits yet", place=remote.place, hint=hint)
        if remote.is_commit:
            message, names = f"the repository has no commit {remote.ref}", []
        else:
            message = f"the repository has no {_title(remote.ref)}"
            folder = "refs/tags/" if remote.ref.startswith("refs/tags/") else "refs/heads/"
            names = [ref.removeprefix(folder) for ref in refs if ref.startswith(folder)]
            names = get_close_matches(remote.ref.removeprefix(folder), names) or names[:5]
        hint = f"it has {_printable(', '.join(names))}" if names else "check the source's ref"
        return SourceUnavailableError(message, place=remote.place, hint=hint)

    # The mirror's own state

    def _prepare(self) -> None:
        """Make what is missing and remove what a killed git left behind."""
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.directory.exists():
                self._create()
            for pattern in ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/pack/tmp_*"):
                for leftover in self.directory.glob(pattern):
                    leftover.unlink(missing_ok=True)
        except OSError as error:
            raise self._blocked(error) from error

    def _create(self) -> None:
        """Built beside its place and renamed, so that a mirror is there wholly or not at all."""
        building = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700, parents=True)
        done = self._run("init", "--quiet", "--bare", environment=self._environment() | {"GIT_DIR": str(building)})
        if done.status:
            raise SourceUnavailableError(f"the mirror cannot be made: {done.reason}", place=str(self.directory))
        building.rename(self.directory)

    def _is_damaged(self) -> bool:
        done = self._run("fsck", "--full", "--no-dangling", "--no-progress")
        return done.status != 0 and not done.timed_out

    def _set_aside(self) -> None:
        """Keep one damaged mirror for whoever wants to find out why."""
        number = 0
        try:
            for old in self.directory.parent.glob(f"{self.directory.name}.corrupt-*"):
                number = max(number, int(old.name.rpartition("-")[2]))
                shutil.rmtree(old)
            self.directory.rename(self.directory.with_name(f"{self.directory.name}.corrupt-{number + 1}"))
        except OSError as error:
            raise self._blocked(error) from error

    def _unreadable(self, reason: str) -> SourceUnavailableError:
        """A damaged mirror is set aside at once: a fetch that finds nothing new would not notice the damage."""
        if self.directory.exists() and not self._is_damaged():
            return SourceUnavailableError(reason, place=str(self.directory))
        if self.directory.exists():
            self._set_aside()
        hint = "run again: the source is fetched anew"
        return SourceUnavailableError(f"the mirror is damaged: {reason}", place=str(self.directory), hint=hint)

    def _blocked(self, error: OSError) -> SourceUnavailableError:
        message = f"the mirror cannot be written: {error.strerror}"
        return SourceUnavailableError(
            message, place=str(error.filename or self.directory), hint="check its owner and the space"
        )

    # Running git

    def _environment(self) -> dict[str, str]:
        own = {"HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home), "GIT_DIR": str(self.directory)}
        return _with_settings(_base_environment() | own, _FIXED_SETTINGS)

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None, until: float | None = None) -> _Done:
        end = time.monotonic() + _READ_SECONDS if until is None else until
        return _run([_executable(), *arguments], self._home, environment or self._environment(), end)

    def _read(self, *arguments: str, seconds: float = _READ_SECONDS) -> bytes:
        done = self._run(*arguments, until=time.monotonic() + seconds)
        if done.status:
            raise self._unreadable(done.reason)
        return done.output


# What git is told


def _base_environment() -> dict[str, str]:
    return _FIXED_ENVIRONMENT | {"PATH": os.environ.get("PATH", os.defpath)}


def _check(remote: Remote) -> None:
    if not (remote.is_commit or _REF.fullmatch(remote.ref)) or remote.ref.endswith(".lock"):
        hint = "write HEAD, refs/heads/…, refs/tags/… or a whole commit id"
        raise ConfigError(f"{remote.ref!r} is not a full ref", place=remote.place, hint=hint)
    if not remote.url or not remote.url.isprintable():
        raise ConfigError("the URL is empty or holds a control character", place=_printable(remote.place))
    used = scheme(remote.url)
    if used not in _protocols(remote):
        raise SourceUnavailableError(
            "local paths are not allowed" if used == "file" else f"{used} URLs are not allowed",
            place=remote.place,
            hint={"file": "set allow_local = true", "http": "use https, or set allow_http = true"}.get(
                used, "use https or ssh"
            ),
        )


def _protocols(remote: Remote) -> list[str]:
    return ["https", "ssh", *(["file"] if remote.allow_local else []), *(["http"] if remote.allow_http else [])]


def _network(remote: Remote, base: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The URL and the environment of a fetch; secrets are in the environment, since arguments are seen in `ps`."""
    auth = remote.auth
    url, user, password = split_credentials(remote.url)
    if path := local_path(remote.url):
        url = str(Path(path).expanduser().absolute())
    environment = dict(base) | {"GIT_ALLOW_PROTOCOL": ":".join(_protocols(remote)), "GIT_SSH_COMMAND": _ssh(auth)}
    settings = [("http.proxy", auth.proxy or "")]
    if auth.ca_file:
        settings.append(("http.sslCAInfo", str(auth.ca_file)))
    if auth.token_file and scheme(url) in {"http", "https"}:
        user, password = auth.username, _token(auth.token_file)
    if user or password:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        settings.append((f"http.{origin(url)}.extraHeader", f"Authorization: Basic {basic}"))
    if auth.use_ssh_agent and (agent := os.environ.get("SSH_AUTH_SOCK")):
        environment["SSH_AUTH_SOCK"] = agent
    if auth.use_netrc or auth.use_credential_helper:
        environment["HOME"] = str(Path.home())
    if auth.use_credential_helper:
        session = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # where a keyring is reached
        environment |= {name: os.environ[name] for name in session if name in os.environ}
        settings += _credential_settings(environment)
    return url, _with_settings(environment, settings)


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SourceUnavailableError(f"the token file cannot be read: {reason}", place=str(path)) from error
    if not token or not token.isprintable():
        raise SourceUnavailableError("the token file must hold one line", place=str(path), hint="write a new token")
    return token


def _ssh(auth: Auth) -> str:
    """OpenSSH takes the user's home from the password database, not HOME, so its files are named or ruled out here."""
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "ServerAliveInterval=15"]
    # A shared connection would outlive the fetch, and hold its pipes open.
    options += ["ControlMaster=no", "ControlPath=none"]
    if not auth.use_ssh_agent:
        options.append("IdentityAgent=none")
    if auth.ssh_key:
        options += ["IdentitiesOnly=yes", f"IdentityFile={_ssh_quoted(auth.ssh_key)}"]
    if auth.known_hosts:
        options += [f"UserKnownHostsFile={_ssh_quoted(auth.known_hosts)}", "GlobalKnownHostsFile=none"]
    configuration = [] if auth.use_ssh_config else ["-F", "none"]
    return shlex.join(["ssh", *configuration, *(f"-o{option}" for option in options)])


def _ssh_quoted(path: Path) -> str:
    return f'"{path.expanduser().absolute()}"'.replace("%", "%%")


def _credential_settings(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The `credential.*` settings of the user and the system, and nothing else of what they have configured."""
    isolated = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "XDG_CONFIG_HOME")
    theirs = {name: value for name, value in environment.items() if name not in isolated}
    theirs |= {name: os.environ[name] for name in ("XDG_CONFIG_HOME",) if name in os.environ}
    until = time.monotonic() + _READ_SECONDS
    command = [_executable(), "config", "-z", "--get-regexp", r"^credential\."]
    records = _run(command, Path.home(), theirs, until).output.decode(errors="surrogateescape").split("\0")[:-1]
    pairs = (record.partition("\n") for record in records)
    return [(name, value) for name, _, value in pairs]


def _with_settings(environment: Mapping[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Git's configuration by environment: settings are added to those that are there already."""
    first = int(environment.get("GIT_CONFIG_COUNT", "0"))
    result = dict(environment) | {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        result |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return result


# What git answers


@dataclass(frozen=True, slots=True)
class _Done:
    status: int
    output: bytes
    stderr: str
    timed_out: bool

    @property
    def reason(self) -> str:
        """The last line in which git says what is wrong, safe to show."""
        if self.timed_out:
            return "git took too long"
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
        last = fatal[-1] if fatal else f"git exited with status {self.status}"
        return _printable(redact(last.removeprefix("fatal: ").removeprefix("error: ")))


@dataclass(frozen=True, slots=True)
class _Fault:
    pattern: re.Pattern[str]
    message: str
    hint: str
    transient: bool = False


def _fault(pattern: str, message: str, hint: str, *, transient: bool = False) -> _Fault:
    return _Fault(re.compile(pattern, re.IGNORECASE), message, hint, transient)


_NO_REF = re.compile(r"couldn't find remote ref")
_REFUSED_ID = re.compile(r"not our ref|unadvertised object|no such remote ref|not a valid SHA1")

# Names and URLs that git quotes: a repository called `tls` is no sign of trouble with TLS.
_NAMES = re.compile(r"(?<!\w)'[^'\n]*'|\w+://\S+|(?<=host )\S+|(?<=hostname )\S+")

# The first that matches counts, so what is particular stands before what is general.
_FAULTS = (
    _fault(r"transport .*not allowed", "the URL's protocol is not allowed", "use https or ssh"),
    _fault(
        r"dubious ownership|unsafe repository",
        "the local repository belongs to another user",
        "its configuration could run commands as you: give it your owner, or fetch it by ssh or https",
    ),
    _fault(
        r"host identification has changed|host key .* has changed",
        "the server's host key is not the known one",
        "make sure that the server is the right one before its entry in known_hosts is replaced",
    ),
    _fault(
        r"host key verification failed|no .* host key is known",
        "the server's host key is unknown",
        "add it to the known_hosts file, after comparing it with what the host publishes",
    ),
    _fault(
        r"authentication failed|could not read (username|password)|access denied|permission denied \("
        r"|too many authentication failures|returned error: (401|403)",
        "the server refused the credentials, or wants some",
        "check the token file or ssh key; a host may say the same of a repository that does not exist",
    ),
    _fault(r"returned error: 407", "the proxy wants credentials", "write them into the source's proxy URL"),
    _fault(
        r"returned error: 3\d\d|unable to update url base from redirection",
        "the server redirects to another URL",
        "redirects are not followed: write the new URL into the configuration",
    ),
    _fault(r"returned error: (429|5\d\d)", "the server reports an error of its own", "try again later", transient=True),
    _fault(
        r"could not resolve (host|proxy)|name or service not known|temporary failure in name resolution",
        "the server's name cannot be resolved",
        "check the URL and the network",
        transient=True,
    ),
    _fault(
        r"ssl|certificate|gnutls|trust anchors|tls (connect|handshake|alert)",
        "no trusted TLS connection could be made",
        "for a private authority set ca_file",
    ),
    _fault(
        r"cannot run ssh|ssh: (command )?not found|unable to find remote helper",
        "a program that git needs for this URL is missing",
        "install ssh, or git's support for https",
    ),
    _fault(
        r"repository .*not found|returned error: (404|410)|does not appear to be a git repository"
        r"|not valid: is this a git repository|no such file or directory|does not exist|could not be found",
        "there is no repository at this URL",
        "check the URL; a host may say the same of a repository that these credentials cannot see",
    ),
    _fault(r"no space left on device|disk quota exceeded", "there is no space left for the mirror", "free some space"),
    _fault(
        r"fsck error|error in packed object|error in object",
        "the server sent objects that fail git's checks",
        "look at them with `git fsck` in the source repository",
    ),
    _fault(
        r"failed to connect|connection (refused|reset|closed|timed out)|couldn't connect|no route to host"
        r"|network is unreachable|timed out|too slow|timeout was reached|unable to access",
        "the server cannot be reached",
        "check the URL and the network",
        transient=True,
    ),
    _fault(
        r"early eof|hung up unexpectedly|rpc failed|expected flush|unexpected disconnect",
        "the connection broke off",
        "try again later",
        transient=True,
    ),
)


def _answer(stream: IO[bytes]) -> bytes | None:
    """One answer of `cat-file --batch`; None where there is no such object, or where it ends too soon."""
    header = stream.readline().split()
    if len(header) != 3:  # noqa: PLR2004 - id, type and size
        return None
    size = int(header[2])
    content = stream.read(size + 1)
    return content[:-1] if len(content) == size + 1 else None


def _entry(record: bytes) -> TreeEntry:
    facts, _, path = record.partition(b"\t")
    mode, _, id_, size = facts.decode().split()
    return TreeEntry(path.decode(errors="surrogateescape"), mode, id_, 0 if size == "-" else int(size))


def _trusted_ref(name: str) -> str:
    return _TRUSTED + quote(name, safe="").replace(".", "%2E").replace("~", "%7E")


def _title(ref: str) -> str:
    for folder, kind in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(folder):
            return f"{kind} {ref.removeprefix(folder)}"
    return ref


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


# The process


class _Process:
    """A git command in a process group of its own, killed whole at its deadline or when it is left early."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        until: float,
        *,
        stdin: bool = False,
    ) -> None:
        self._popen = _start(command, directory, environment, stdin=stdin)
        self.stdout = cast("IO[bytes]", self._popen.stdout)
        self.timed_out = False
        self._stderr = bytearray()
        self._reader = Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._timer = Timer(max(0.0, until - time.monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            if kind is not None:
                self._kill()
            if self._popen.stdin:
                self._popen.stdin.close()
            self._popen.wait()
        finally:
            self._timer.cancel()
            self._reader.join(timeout=1)
            self.stdout.close()

    @property
    def status(self) -> int:
        return self._popen.wait()

    @property
    def stderr(self) -> str:
        return self._stderr.decode(errors="replace")

    def write(self, data: bytes) -> None:
        """Hand data to git; a git that is gone is noticed by what it answers."""
        stdin = cast("IO[bytes]", self._popen.stdin)
        with contextlib.suppress(BrokenPipeError):
            stdin.write(data)
            stdin.flush()

    def _drain(self) -> None:
        """Keep the end of what git says, so that a server cannot fill the memory with it."""
        with cast("IO[bytes]", self._popen.stderr) as stream:
            while chunk := os.read(stream.fileno(), _STDERR_BYTES):
                self._stderr += chunk
                del self._stderr[:-_STDERR_BYTES]

    def _expire(self) -> None:
        if self._popen.poll() is None:
            self.timed_out = True
            self._kill()

    def _kill(self) -> None:
        if self._popen.poll() is not None:
            return
        if sys.platform == "win32":
            self._popen.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str], until: float) -> _Done:
    with _Process(command, directory, environment, until) as process:
        output = process.stdout.read()
    return _Done(process.status, output, process.stderr, timed_out=process.timed_out and process.status != 0)


def _start(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], *, stdin: bool = False
) -> Popen[bytes]:
    inherited = [name for name in os.environ if name not in environment]
    if sys.platform == "win32":
        # There is no env(1) there; what would lead git astray is refused instead of removed.
        if astray := [name for name in inherited if name.upper().startswith("GIT_")]:
            raise SourceUnavailableError(f"{astray[0]} is set and would change what git does", hint="unset it")
        isolated = list(command)
    else:
        isolated = ["env", *(part for name in inherited for part in ("-u", name)), *command]
    handle = _facade()(directory).execute(
        isolated,
        istream=PIPE if stdin else None,
        as_process=True,
        shell=False,
        env=environment,
        start_new_session=True,
    )
    # GitPython's wrapper would end the process whenever it is collected; from here on it is ours.
    popen, handle.proc = handle.proc, None
    return cast("Popen[bytes]", popen)


@cache
def _facade() -> type[Git]:
    try:
        from git import Git  # noqa: PLC0415 - see the module's docstring
    except ImportError as error:
        hint = "unset GIT_PYTHON_GIT_EXECUTABLE and GIT_PYTHON_REFRESH, or correct them"
        raise SourceUnavailableError("GitPython cannot start git", hint=hint) from error
    return Git


def _executable() -> str:
    """The path of a git that is new enough."""
    path = shutil.which("git")
    if path is None:
        raise SourceUnavailableError("git was not found", hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    version = _version(path)
    if version < MINIMUM_VERSION:
        message = f"git {_dotted(version)} is too old"
        raise SourceUnavailableError(message, place=path, hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    return path


@cache
def _version(path: str) -> tuple[int, ...]:
    done = _run([path, "version"], Path(path).parent, _base_environment(), time.monotonic() + _READ_SECONDS)
    match = re.match(rb"git version (\d+)\.(\d+)", done.output)
    return tuple(map(int, match.groups())) if match else (0,)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
