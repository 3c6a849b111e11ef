"""Rows 4, 6 and 49: credentials that are wrong, that change, and that nobody else may see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from support.gitserver import GitServer, SshServer, basic
from support.processes import command_line, descendants, environment
from support.repository import Repository
from support.trial import Trial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals and helpers")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

REFUSED = "the server refused the credentials, or wants some"
GOOD, BAD = "g00d-token", "b4d-token"


# 4: wrong, missing, changing


@pytest.fixture
def guarded(pulled: Trial, server: GitServer) -> Trial:
    """A machine with a remote that requires a token from now on."""
    server.authorization = basic("x-access-token", GOOD)
    pulled.secrets += [GOOD, BAD, server.authorization.split()[1]]
    return pulled


def test_04_a_token_that_flips_between_good_and_bad_is_read_each_time(guarded: Trial, server: GitServer) -> None:
    credentials = guarded.machine.root / "credentials"  # as systemd's LoadCredential= gives them to a service
    credentials.mkdir()
    token = credentials / "token"
    guarded.follow(auth='token_file = "$CREDENTIALS_DIRECTORY/token"')
    variables = {"CREDENTIALS_DIRECTORY": str(credentials)}
    for prompt in ("Better.", "Better still."):
        guarded.push(prompt)
        token.write_text(BAD)
        server.seen.clear()
        guarded.holds(3, REFUSED, "check the token file", environment=variables)
        assert set(server.seen) <= {basic("x-access-token", BAD), ""}
        assert len(server.seen) <= 2  # not tried again
        token.write_text(GOOD)
        guarded.converges(environment=variables)


@pytest.mark.parametrize("trouble", ["missing", "empty", "two lines"])
def test_04_a_token_file_that_cannot_be_used_is_named(guarded: Trial, trouble: str) -> None:
    token = guarded.machine.root / "token"
    guarded.follow(auth=f'token_file = "{token}"')
    if trouble != "missing":
        token.write_text("" if trouble == "empty" else f"{GOOD}\n{BAD}\n")
    guarded.holds(3, str(token))
    token.write_text(GOOD)
    guarded.push()
    guarded.converges()


def write_netrc(home: Path, password: str) -> str:
    (home / ".netrc").write_text(f"machine 127.0.0.1 login x-access-token password {password}\n")
    return "use_netrc = true"


def write_helper(home: Path, password: str) -> str:
    helper = f'"!f() {{ echo username=x-access-token; echo password={password}; }}; f"'
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    return "use_credential_helper = true"


@pytest.mark.parametrize("write", [write_netrc, write_helper])
def test_04_a_password_of_the_users_own_stores_that_changes(guarded: Trial, write: Callable[[Path, str], str]) -> None:
    guarded.follow(auth=write(guarded.machine.home, BAD))
    guarded.push()
    guarded.holds(3, REFUSED)
    write(guarded.machine.home, GOOD)
    guarded.converges()


def test_04_a_credential_helper_that_never_answers_is_left_at_the_deadline(guarded: Trial) -> None:
    (guarded.machine.home / ".gitconfig").write_text('[credential]\n\thelper = "!f() { sleep 60; }; f"\n')
    guarded.follow("timeout = 0.7", auth="use_credential_helper = true")
    guarded.holds(3, "there was no answer within 0.7 seconds")
    guarded.follow("timeout = 10", auth=write_helper(guarded.machine.home, GOOD))
    guarded.converges()


_AT_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def at_a_terminal(trial: Trial) -> tuple[int, str]:
    """Pull at a terminal of its own without input; return the exit status and all that the terminal shows."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, *trial.machine.command("pull")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=trial.machine.root,
        env=trial.machine.environment,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux's error for a closed other end
        pass
    os.close(ours)
    return process.wait(timeout=20), shown.decode()


@pytest.mark.parametrize("status", [401, 403])
def test_04_nobody_is_asked_for_credentials_even_at_a_terminal(guarded: Trial, server: GitServer, status: int) -> None:
    if status == 403:
        server.mode, server.status = "error", status
    before = guarded.machine.files()
    code, shown = at_a_terminal(guarded)
    assert code == 3
    assert REFUSED in shown
    prompts = shown.replace("could not read Username", "")  # git's own error
    assert not [word for word in ("Username", "Password", "passphrase") if word in prompts]
    assert guarded.machine.files() == before
    server.mode, server.authorization = "serve", ""
    guarded.push()
    guarded.converges()


def test_04_a_proxy_that_wants_credentials(pulled: Trial, repository: Repository) -> None:
    pulled.secrets.append("pr0xy-password")
    with GitServer(repository.path.parent, mode="error", status=407) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        pulled.follow(
            url="http://agents.invalid/team.git", auth=f'proxy = "{url.replace("//", "//ada:pr0xy-password@")}"'
        )
        pulled.holds(3, "the proxy wants credentials")
        proxy.mode = "serve"
        assert pulled.machine.run("pull").code == 0
    pulled.keeps_secrets()


# 4 and 6: ssh


@pytest.fixture
def over_ssh(trial: Trial, ssh_server: SshServer) -> Trial:
    trial.url = ssh_server.url(trial.repository.path)
    known = f'known_hosts = "{ssh_server.known_hosts}"'
    trial.follow(auth=f'ssh_key = "{ssh_server.key}"\n{known}')
    trial.converges()
    return trial


def test_06_a_host_key_that_changed_is_refused(over_ssh: Trial, ssh_server: SshServer) -> None:
    over_ssh.push()
    ssh_server.introduce(ssh_server.key.with_suffix(".pub").read_text())
    over_ssh.holds(3, "the server's host key is not the known one", "make sure that the server is the right one")
    ssh_server.known_hosts.write_text("")
    over_ssh.holds(3, "the server's host key is unknown")
    assert ssh_server.known_hosts.read_text() == ""
    ssh_server.introduce()
    over_ssh.converges()


def test_04_a_key_that_is_not_let_in_or_wants_a_passphrase(over_ssh: Trial, ssh_server: SshServer) -> None:
    over_ssh.secrets.append("passphrase-x")
    change = ["ssh-keygen", "-q", "-p", "-f", str(ssh_server.key)]
    subprocess.run([*change, "-P", "", "-N", "passphrase-x"], check=True, capture_output=True)
    code, shown = at_a_terminal(over_ssh)
    assert (code, REFUSED in shown, "passphrase" in shown) == (3, True, False)
    subprocess.run([*change, "-P", "passphrase-x", "-N", ""], check=True, capture_output=True)
    over_ssh.push()
    over_ssh.converges()


@pytest.fixture
def agent_socket(tmp_path: Path) -> Iterator[Path]:
    """An ssh-agent that holds no key yet."""
    address = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()  # it prints its address once it listens
        yield address
        process.terminate()


def test_04_an_ssh_agent_is_asked_where_it_may_be_and_nowhere_else(
    over_ssh: Trial, ssh_server: SshServer, agent_socket: Path
) -> None:
    variables = {"SSH_AUTH_SOCK": str(agent_socket)}
    known = f'known_hosts = "{ssh_server.known_hosts}"'
    over_ssh.push()
    add = ["ssh-add", "-q", str(ssh_server.key)]
    subprocess.run(add, env=os.environ | variables, check=True, capture_output=True)
    over_ssh.follow(auth=known)
    over_ssh.holds(3, REFUSED, environment=variables)
    over_ssh.follow(auth=f"use_ssh_agent = true\n{known}")
    over_ssh.converges(environment=variables)


# 49: secrets


@linux
@pytest.mark.parametrize("place", ["file", "url"])
def test_49_no_process_shows_a_secret_nor_is_given_one_that_it_does_not_need(
    guarded: Trial, server: GitServer, place: Literal["file", "url"]
) -> None:
    token = guarded.machine.root / "token"
    token.write_text(GOOD)
    if place == "file":
        guarded.follow(auth=f'token_file = "{token}"')
    else:
        guarded.url = server.url("team.git", f"x-access-token:{GOOD}@")
        guarded.follow()
    commands: list[str] = []
    variables: list[str] = []

    def look() -> None:
        for process in descendants(os.getpid()):
            command = command_line(process)
            commands.append(command)
            if "git" in command.split(" ")[0]:
                variables.append(environment(process))

    server.on_request = look
    guarded.push()
    guarded.converges(environment={"CLOUD_KEY": "another-s3cret"})
    assert [command for command in commands if "/git fetch" in command]
    assert not [command for command in commands for secret in guarded.secrets if secret in command]
    assert variables
    assert not [text for text in variables if "another-s3cret" in text]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:{}/team.git?private_token=s3cret-x", "would be seen in the list of processes"),
        ("ssh://git:s3cret-x@127.0.0.1:{}/team.git", "would be seen in the list of processes"),
        ("https://ada:s3cret-x@[127.0.0.1:{}/team.git", "this URL cannot be read"),
    ],
)
def test_49_a_url_that_git_would_show_to_everybody_or_cannot_read_is_wrong_usage(
    pulled: Trial, server: GitServer, url: str, words: str
) -> None:
    pulled.secrets.append("s3cret-x")
    before = pulled.machine.files()
    pulled.follow(url=url.format(server.port))
    server.seen.clear()
    results = [pulled.machine.run(*command.split()) for command in ("pull -vv", "status", "plan --format json")]
    assert [result.code for result in results] == [2, 0, 2]
    assert words in results[0].stderr
    pulled.keeps_secrets(*results)
    assert pulled.machine.files() == before
    assert server.seen == []


def test_49_a_server_that_repeats_the_secret_does_not_get_it_into_the_log(guarded: Trial, server: GitServer) -> None:
    """The text of a server's refusal is shown by git."""
    token = guarded.machine.root / "token"
    token.write_text(BAD)
    guarded.follow(auth=f'token_file = "{token}"')
    server.mode, server.status = "error", 418
    server.headers = {"X-Token": BAD, "WWW-Authenticate": f'Basic realm="{BAD}"'}
    guarded.holds(3)
