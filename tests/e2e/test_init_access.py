"""`agentsync init URL` works where `git clone URL` works, on real servers, and says what is wrong where it does not."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gitserver import GitServer, NotStartedError, SshServer, basic, certificate_of, find_sshd
from support.machine import Machine, Result
from support.repository import Repository
from support.terminal import answered

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals and helpers")

SECRET = "s3cret-pw"


def git(machine: Machine, *settings: str) -> None:
    """Set pairs of a name and a value in the user's git configuration."""
    for name, value in zip(settings[::2], settings[1::2], strict=True):
        command = ["git", "config", "--global", "--add", name, value]
        subprocess.run(command, env={**os.environ, **machine.environment}, check=True)


def auth(machine: Machine) -> Any:
    """What is written down."""
    (source,) = tomllib.loads(machine.config.read_text())["sources"].values()
    return source.get("auth")


def message(result: Result) -> str:
    """The error: one line on what is wrong, and one on what to do."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert [line[:6] for line in lines] == ["error:", " hint:"], result.stderr
    return "\n".join(lines)


@pytest.fixture
def private(tmp_path: Path, repository: Repository) -> Iterator[GitServer]:
    """A private repository over https, with a certificate that only a file of the user's vouches for."""
    certificate = certificate_of(tmp_path)
    with GitServer(repository.path.parent, certificate=certificate, authorization=basic("ada", SECRET)) as server:
        yield server


@pytest.fixture
def trusting(machine: Machine, tmp_path: Path) -> Machine:
    git(machine, "http.sslCAInfo", str(tmp_path / "certificate.pem"))
    return machine


def store(machine: Machine, server: GitServer, password: str = SECRET) -> None:
    """Git's own helper, with a password in its file."""
    git(machine, "credential.helper", "store")
    (machine.home / ".git-credentials").write_text(server.url("", f"ada:{password}@"))


def test_https_by_a_credential_helper_and_an_authority_of_git(trusting: Machine, private: GitServer) -> None:
    store(trusting, private)
    result = trusting.run("init", private.url("team.git"))
    assert result.code == 0, result.stderr
    assert "uses: use_credential_helper (git's credential.helper, store)" in result.stdout
    assert "uses: ca_file /" in result.stdout
    assert auth(trusting) == {
        "use_credential_helper": True,
        "ca_file": str(trusting.root / "certificate.pem"),
    }
    assert SECRET not in trusting.config.read_text()
    etc = trusting.root / "etc"  # of a service of the machine, which uses nothing of a user
    of_machine = {"CONFIGURATION_DIRECTORY": str(etc)}
    command = ("init", private.url("team.git"), "--config", etc / "config.toml")
    assert "from an unknown authority" in message(trusting.run(*command, environment=of_machine))
    assert trusting.run("pull").code == 0


def test_a_password_that_is_wrong_a_helper_that_is_missing_and_none_at_all(
    trusting: Machine, private: GitServer
) -> None:
    url = private.url("team.git")
    none = message(trusting.run("init", url))
    assert "the server refused the credentials, or wants some: " in none
    line = (
        trusting.config.read_text()
        .splitlines()
        .index('#token_file = "~/.config/agentsync/token" # a file with one line: a token that may read it')
    )
    assert f"set `token_file` in ~/.config/agentsync/config.toml:{line + 1}, then run `agentsync plan`" in none
    # The line works.
    (trusting.config.parent / "token").write_text(SECRET)
    text = trusting.config.read_text().replace("#token_file", 'username = "ada"\ntoken_file')
    trusting.config.write_text(text)
    assert trusting.run("plan").code == 0
    trusting.config.unlink()
    store(trusting, private, "wr0ng-pw")
    wrong = message(trusting.run("init", url))
    assert f"log in with `git ls-remote {url}`" in wrong
    assert "wr0ng-pw" not in wrong + trusting.config.read_text()
    trusting.config.unlink()
    for helper, name in (("nothere", "nothere"), ("/opt/no/helper", "/opt/no/helper"), ("!none-such", "none-such")):
        git(trusting, "credential.helper", "", "credential.helper", helper)
        missing = message(trusting.run("init", url))
        assert f"the credential helper {name} is missing: " in missing
        assert "install it, or correct `credential.helper`" in missing
        trusting.config.unlink()


def test_an_authority_that_is_not_known_is_not_trusted_even_where_git_does_not_check(
    machine: Machine, private: GitServer
) -> None:
    git(machine, "http.sslVerify", "false")
    text = message(machine.run("init", private.url("team.git")))
    assert "the server's certificate is from an unknown authority" in text
    assert not machine.config.exists()


def test_a_proxy_of_git_or_of_the_environment_is_used_and_named_where_it_is_down(
    machine: Machine, repository: Repository
) -> None:
    with GitServer(repository.path.parent) as proxy:
        git(machine, "http.proxy", f"http://127.0.0.1:{proxy.port}")
        result = machine.run("init", "http://agents.invalid/team.git")
        assert result.code == 0, result.stderr
        assert "(git's http.proxy)" in result.stdout
        assert auth(machine) == {"proxy": f"http://127.0.0.1:{proxy.port}"}
        machine.config.unlink()
        (machine.home / ".gitconfig").unlink()
        variables = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
        assert machine.run("init", "http://agents.invalid/team.git", environment=variables).code == 0
        machine.config.unlink()
        direct = machine.run("init", proxy.url("team.git"), environment={**variables, "no_proxy": "127.0.0.1"})
        assert direct.code == 0, direct.stderr
        assert auth(machine) is None
        machine.config.unlink()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://ada:{SECRET}@127.0.0.1:{closed.getsockname()[1]}"
    text = message(machine.run("init", "http://agents.invalid/team.git", environment={"http_proxy": address}))
    assert f"the proxy http://***@127.0.0.1:{address.rpartition(':')[2]} cannot be reached: " in text
    assert "correct or remove `proxy`" in text
    assert SECRET not in text


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    sshd = find_sshd()
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed")
    try:
        with SshServer(tmp_path / "ssh", sshd) as server:
            yield server
    except NotStartedError as error:
        pytest.skip(f"OpenSSH's server does not start: {error}")


# OpenSSH takes the home from the password database, and a test has one of its own.
_SSH = """#!/bin/sh
case "$*" in *"-F none"*) config=none;; *) config=$HOME/.ssh/config;; esac
exec {ssh} -F "$config" -oUserKnownHostsFile={home}/.ssh/known_hosts -oGlobalKnownHostsFile=none "$@"
"""


@pytest.fixture
def with_agent(machine: Machine, ssh_server: SshServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables of a user whose ssh configuration gives the server a name, and whose agent has the key."""
    program = machine.root / "bin/ssh"
    program.parent.mkdir()
    program.write_text(_SSH.format(ssh=shutil.which("ssh"), home=machine.home))
    program.chmod(0o755)
    settings = machine.home / ".ssh"
    settings.mkdir(mode=0o700)
    (settings / "config").write_text(f"Host agents\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n")
    shutil.copy(ssh_server.known_hosts, settings / "known_hosts")
    address = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()  # it prints its address once it listens
        variables = {"SSH_AUTH_SOCK": str(address), "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        command = ["ssh-add", "-q", str(ssh_server.key)]
        subprocess.run(command, env=os.environ | variables, check=True, capture_output=True)
        yield variables
        process.terminate()


def test_ssh_by_the_agent_and_the_configuration_of_the_user(
    machine: Machine, repository: Repository, with_agent: dict[str, str]
) -> None:
    url = f"agents:{repository.path}"
    git(machine, "core.sshCommand", "false")
    result = machine.run("init", url, environment=with_agent)
    assert result.code == 0, result.stderr
    assert auth(machine) == {"use_ssh_config": True, "use_ssh_agent": True}
    assert "uses: use_ssh_agent" in result.stdout
    assert "note: git runs an ssh of yours (core.sshCommand); agentsync does not" in result.stdout
    assert machine.run("pull", environment=with_agent).code == 0
    machine.config.unlink()
    empty = {name: value for name, value in with_agent.items() if name != "SSH_AUTH_SOCK"}
    refused = message(machine.run("init", url, environment=empty))
    assert "the server refused the credentials, or wants some: " in refused
    assert "add a key to the ssh agent (`ssh-add`) that the host knows" in refused
    assert "#ssh_key = " in machine.config.read_text()
    machine.config.unlink()
    (machine.home / ".ssh/known_hosts").write_text("")
    unknown = message(machine.run("init", url, environment=with_agent))
    assert "the server's host key is unknown: " in unknown
    assert "`ssh agents` shows it" in unknown
    assert not machine.config.exists()


# The address


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("acme/agents", "did you mean https://HOST/acme/agents?"),
        ("github.com/acme/agents", "did you mean https://github.com/acme/agents?"),
    ],
)
def test_an_address_without_its_beginning_gets_a_suggestion_and_no_guess(machine: Machine, url: str, hint: str) -> None:
    for directory in (".claude", ".config/opencode"):
        (machine.home / directory).rmdir()  # without any tool, since a wrong address is the first thing to correct
    result = machine.run("init", url)
    assert result.code == 2
    assert hint in message(result)


def test_instead_of_is_shown_and_asked_about_and_never_applied_silently(
    machine: Machine, repository: Repository
) -> None:
    git(machine, f"url.{repository.path.parent}/.insteadOf", "https://127.0.0.1:1/")
    silent = machine.run("init", "https://127.0.0.1:1/team.git", "--format", "json")
    assert silent.code == 3
    assert f"git's insteadOf would fetch {repository.path} here" in silent.stderr
    for answer, code in (("n", 3), ("y", 0)):
        more = [("Tools", ""), ("Agents, by", "")] if code == 0 else []
        questions = [("to " + str(repository.path) + ". Use that?", answer), *more]
        assert answered(machine, ["init", "https://127.0.0.1:1/team.git"], questions)[0] == code
    assert tomllib.loads(machine.config.read_text())["sources"]["team"] == {
        "url": str(repository.path),
        "allow_local": True,
    }
