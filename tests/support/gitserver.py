"""Git servers on loopback: smart HTTP by git http-backend, with the ways in which a server can misbehave, and ssh."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Literal, Self, cast
from urllib.parse import urlsplit

import pytest

Mode = Literal[
    "serve", "silent", "trickle", "error", "page", "redirect", "cut", "stall", "garble", "endless pack", "endless refs"
]


@dataclass
class GitServer:
    """Serves every repository below a directory over HTTP.

    Attributes:
        root: the directory; `url("name.git")` is the repository `root/name.git`.
        port: where it listens; 0 for any that is free, and known once it runs.
        mode: what the server does from now on; from `cut` on it is an honest server until it sends a pack or refs.
        status, headers: its answer where the mode is `error`.
        elsewhere: where it redirects to.
        authorization: the header that a request needs; anything else is answered with 401.
        protocol_v2: whether the server knows protocol version 2.
        certificate: a PEM file with key and certificate, to serve over TLS.
        seen: the Authorization header of each request.
        packs: how many packs were sent.
        stalled: set once half of a pack was sent and nothing follows.
        on_request: called at each request, while the client waits.
    """

    root: Path
    port: int = 0
    mode: Mode = "serve"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    elsewhere: str = "/elsewhere"
    authorization: str = ""
    protocol_v2: bool = True
    certificate: Path | None = None
    seen: list[str] = field(default_factory=list)
    packs: int = 0
    on_request: Callable[[], None] = lambda: None
    stalled: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self.port = self._server.server_port
        self._server.git = self
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, name: str, userinfo: str = "") -> str:
        return f"{'https' if self.certificate else 'http'}://{userinfo}127.0.0.1:{self.port}/{name}"


class _Server(ThreadingHTTPServer):
    git: GitServer
    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        git = cast("_Server", self.server).git
        git.seen.append(self.headers.get("Authorization", ""))
        git.on_request()
        if git.mode == "silent":
            git.released.wait()
            self.close_connection = True
        elif git.mode == "trickle":
            self._trickle(git)
        elif git.mode == "error":
            self._answer(git.status, **git.headers)
        elif git.mode == "page":
            self._send(
                200, {"Content-Type": "text/html"}, b"<html>\nWelcome to the guest network! Please sign in.\n</html>\n"
            )
        elif git.mode == "redirect":
            self._answer(302, Location=f"{git.elsewhere}{self.path}")
        elif git.authorization and git.seen[-1] != git.authorization:
            self._answer(401, **{"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self._serve(git)

    do_POST = do_GET  # noqa: N815 - the base class looks the name up

    def finish(self) -> None:
        super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.connection.unwrap().close()  # without a proper shutdown, GnuTLS takes the answer for a torn one

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing, to keep a test's output clean."""

    def _trickle(self, git: GitServer) -> None:
        """Begin a proper answer, and go on with a byte now and then for as long as someone listens."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while not git.released.wait(0.05):
                self.wfile.write(b"0")
        self.close_connection = True

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _serve(self, git: GitServer) -> None:
        _, _, path, query, _ = urlsplit(self.path)  # whole URLs are what a proxy is asked for
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        if git.protocol_v2:
            environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environment, cwd=git.root, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        if b"packfile\n" in content[:_BEFORE_PACK]:
            git.packs += 1
            self._send_pack(git, status, headers, content)
        elif git.mode == "endless refs" and b"command=ls-refs" in body:
            self._send(status, headers, b"")
            self._go_on(_pkt(b"%s refs/heads/%0200d\n" % (b"1" * 40, 1)) * 1_000)
        else:
            self._send(status, headers, content)

    def _send_pack(self, git: GitServer, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """The answer with a pack in it, as it is or as the mode spoils it."""
        half = len(content) // 2
        match git.mode:
            case "cut":
                self._send(status, {**headers, "Content-Length": str(len(content))}, content[:half])
                self.close_connection = True
            case "stall":
                self._send(status, headers, content[:half])
                git.stalled.set()
                git.released.wait()
                self.close_connection = True
            case "garble":
                self._send(
                    status,
                    headers,
                    content[:half] + bytes(byte ^ 255 for byte in content[half:][:9]) + content[half + 9 :],
                )
            case "endless pack":
                self._send(status, headers, b"000dpackfile\n" + _pkt(b"\x01" + _ENDLESS_OBJECT))
                self._go_on(_pkt(b"\x01" + _NOISE))
            case _:
                self._send(status, headers, content)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _go_on(self, content: bytes) -> None:
        """Send the same for as long as someone takes it."""
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(content)


def basic(user: str, password: str) -> str:
    """The Authorization header of a user with a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _pkt(line: bytes) -> bytes:
    """A line as Git's protocol frames it."""
    return b"%04x%s" % (len(line) + 4, line)


def certificate_of(directory: Path, host: str = "IP:127.0.0.1", days: int = 2) -> Path:
    """A key and a certificate that nobody has signed but itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, so there is no certificate")
    key, request, signed, both = (directory / f"{name}.pem" for name in ("key", "request", "certificate", "both"))
    extensions = directory / "extensions"
    extensions.write_text(f"subjectAltName={host}\nbasicConstraints=critical,CA:TRUE\n")
    new = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x".split()
    sign = ["x509", "-req", "-in", str(request), "-signkey", str(key), "-extfile", str(extensions)]
    for command in (
        [*new, "-keyout", str(key), "-out", str(request)],
        [*sign, "-days", str(days), "-out", str(signed)],
    ):
        subprocess.run([openssl, *command], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + signed.read_bytes())
    return both


_BEFORE_PACK = 200
# A deflate stream may be a stored block for ever, so the same stored block of noise can follow without end.
_BLOCK = random.Random(1).randbytes(60_000)  # noqa: S311 - noise, not a secret
_NOISE = b"\x00" + len(_BLOCK).to_bytes(2, "little") + (len(_BLOCK) ^ 0xFFFF).to_bytes(2, "little") + _BLOCK
# A pack of version 2 with one object: a blob (type 3) of 2**39 bytes, with its size in groups of seven bits.
_ENDLESS_OBJECT = b"PACK\0\0\0\2\0\0\0\1" + b"\xb0" + b"\x80" * 5 + b"\x01" + b"\x78\x01"


def find_sshd() -> str | None:
    """OpenSSH's server, which is rarely on PATH; it must be called by its whole path."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


_PRIVILEGE_SEPARATION = Path("/run/sshd")
# Where the init system has not made the directory that sshd insists on as root, it gets one that only it can see.
_MAKE_RUN = 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$0" "$@"'
_IN_A_RUN_OF_ITS_OWN = ("unshare", "--mount", "sh", "-c", _MAKE_RUN)


class NotStartedError(Exception):
    """The server does not run on this machine; the message is its own."""


class SshServer:
    """OpenSSH on loopback for the user who runs the tests, with a host key and a client key of its own."""

    def __init__(self, directory: Path, sshd: str) -> None:
        directory.mkdir(mode=0o700)
        self.key = directory / "client key"  # with a space, since paths have them
        self.known_hosts = directory / "known hosts"
        self._host_key = directory / "host"
        self._authorized = directory / "authorized"
        self._configuration = directory / "sshd_config"
        self._sshd = sshd
        for key in (self.key, self._host_key):
            _generate_key(key)
        shutil.copy(f"{self.key}.pub", self._authorized)

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._configuration.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self._host_key}\nPidFile none\n"
            f"AuthorizedKeysFile {self._authorized}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        )
        command = [self._sshd, "-D", "-e", "-f", str(self._configuration)]
        if os.geteuid() == 0 and not _PRIVILEGE_SEPARATION.is_dir() and shutil.which("unshare"):
            command = [*_IN_A_RUN_OF_ITS_OWN, *command]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        printed = ""
        for line in self._process.stderr or ():
            if line.startswith("Server listening"):
                self.introduce()
                return self
            printed += line
        self._process.communicate()
        raise NotStartedError(printed.strip())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def introduce(self, public_key: str | None = None) -> None:
        """Write the known-hosts file: the server's own key, or another one."""
        key = public_key or self._host_key.with_suffix(".pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}")

    def url(self, path: Path) -> str:
        return f"ssh://127.0.0.1:{self.port}{path}"


def _generate_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
