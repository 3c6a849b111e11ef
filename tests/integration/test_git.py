"""The mirror against real git, real servers and real damage."""

from __future__ import annotations

import base64
import os
import random
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync import git as caged
from agentsync.errors import ConfigError, SourceUnavailableError
from agentsync.git import Auth, Mirror, Remote, TransientError
from agentsync.urls import local_path, redact, scheme, split_credentials
from support.gitserver import SshServer, find_sshd
from support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.gitserver import GitServer

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def local(repository: Repository, ref: str = "refs/heads/main", deadline: float = 60.0) -> Remote:
    return Remote(repository.url, ref, allow_local=True, deadline=deadline)


def over_http(server: GitServer, ref: str = "HEAD", *, auth: Auth | None = None, userinfo: str = "") -> Remote:
    return Remote(server.url("source.git", userinfo), ref, auth or Auth(), allow_http=True)


def failure(mirror: Mirror, remote: Remote) -> SourceUnavailableError:
    with pytest.raises(SourceUnavailableError) as caught:
        mirror.fetch(remote)
    return caught.value


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def children() -> set[int]:
    """The processes that this one has started and not yet buried."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found.add(int(stat.parent.name))
    return found


def commands_naming(text: str) -> list[str]:
    """The command lines on this machine in which a text stands."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text in command:
            found.append(command)
    return found


# What is fetched


@pytest.mark.parametrize("ref", ["HEAD", "refs/heads/main", "refs/tags/light", "refs/tags/annotated"])
def test_each_kind_of_ref_leads_to_its_commit(repository: Repository, mirror: Mirror, ref: str) -> None:
    repository.tag("light")
    repository.tag("annotated", annotated=True)
    assert mirror.fetch(local(repository, ref)) == repository.head


def test_a_commit_id_is_fetched_though_no_branch_ends_there(repository: Repository, mirror: Mirror) -> None:
    first = repository.head
    repository.write({"agents/reviewer.md": "two\n"})
    repository.commit()
    assert mirror.fetch(local(repository, first)) == first


def test_a_commit_id_is_found_where_the_server_hands_out_branches_only(
    repository: Repository, mirror: Mirror, server: GitServer
) -> None:
    server.protocol_v2 = False
    first = repository.head
    repository.write({"agents/reviewer.md": "two\n"})
    repository.commit()
    assert mirror.fetch(over_http(server, first)) == first


def test_the_head_of_the_remote_counts_whatever_it_is_called(tmp_path: Path, mirror: Mirror) -> None:
    source = Repository(tmp_path / "other.git", branch="trunk")
    source.write({"a.md": "a"})
    source.commit()
    assert mirror.fetch(local(source, "HEAD")) == source.head


def test_fetching_twice_finds_nothing_new_and_then_what_is_new(repository: Repository, mirror: Mirror) -> None:
    first = mirror.fetch(local(repository))
    assert mirror.fetch(local(repository)) == first
    repository.write({"agents/reviewer.md": "two\n"})
    second = repository.commit()
    assert mirror.fetch(local(repository)) == second
    assert mirror.is_ancestor(first, second)
    assert not mirror.is_ancestor(second, first)


def test_the_mirror_is_bare_and_holds_no_hooks_and_no_tags(repository: Repository, mirror: Mirror) -> None:
    repository.tag("v1")
    mirror.fetch(local(repository))
    assert not (mirror.directory / "hooks").exists()
    assert [path.name for path in (mirror.directory / "refs").rglob("*") if path.is_file()] == ["candidate"]
    assert not (mirror.directory / "FETCH_HEAD").exists()
    assert mirror.directory.stat().st_mode & 0o777 == 0o700


def test_a_relative_path_is_taken_from_where_the_user_stands(
    repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.path.parent)
    assert mirror.fetch(Remote("./source.git", allow_local=True)) == repository.head


# What is read


def test_a_tree_tells_modes_sizes_and_names_byte_for_byte(repository: Repository, mirror: Mirror) -> None:
    repository.remove("agents/reviewer.md")
    repository.write({"a\nb.md": "12345", "caf\udce9.md": b"", "sub/deep/x.md": "x"})
    repository.link("link.md", "../../etc/passwd")
    repository.submodule("module", "1" * 40)
    entries = mirror.tree(_committed(repository, mirror))
    assert [(entry.path, entry.mode, entry.size) for entry in entries] == [
        ("a\nb.md", "100644", 5),
        ("caf\udce9.md", "100644", 0),
        ("link.md", "120000", 16),
        ("module", "160000", 0),
        ("sub/deep/x.md", "100644", 1),
    ]
    assert entries[3].blob == "1" * 40


@pytest.mark.parametrize("folder", ["sub", "/sub/", "sub/deep"])
def test_a_subfolder_limits_the_tree_and_paths_stay_whole(repository: Repository, mirror: Mirror, folder: str) -> None:
    repository.write({"sub/deep/x.md": "x", "subway.md": "y"})
    commit = _committed(repository, mirror)
    assert [entry.path for entry in mirror.tree(commit, folder)] == ["sub/deep/x.md"]
    assert mirror.tree(commit, "nowhere") == []


def test_two_thousand_blobs_are_streamed_in_order(repository: Repository, mirror: Mirror) -> None:
    contents = {f"agents/{number:04}.md": f"{number}\n" * (number % 97) for number in range(2_000)}
    contents["agents/large.md"] = "x" * 1_000_000
    repository.write(contents)
    entries = mirror.tree(_committed(repository, mirror), "agents")
    wanted = [entry.blob for entry in entries]
    read = list(mirror.blobs(iter(wanted)))
    assert [id_ for id_, _ in read] == wanted
    by_path = {entry.path: data.decode() for entry, (_, data) in zip(entries, read, strict=True)}
    assert by_path == contents | {"agents/reviewer.md": "one\n"}


@linux
def test_leaving_a_stream_of_blobs_early_leaves_no_process(repository: Repository, mirror: Mirror) -> None:
    before = children()
    repository.write({f"{number}.md": "x" * 10_000 + str(number) for number in range(100)})
    stream = mirror.blobs([entry.blob for entry in mirror.tree(_committed(repository, mirror))])
    next(stream)
    _closed(stream)
    assert children() == before


def test_a_commit_says_who_when_and_what(repository: Repository, mirror: Mirror) -> None:
    repository.write({"a.md": "a"})
    commit = repository.commit("Añadir un agente\n\nlong story", when=1_800_000_000)
    facts = mirror.commit_facts(mirror.fetch(local(repository)))
    assert (facts.id, facts.time, facts.subject) == (commit, 1_800_000_000, "Añadir un agente")
    assert facts.author == "Ada <ada@example.org>"


@pytest.mark.parametrize("name", ["team", "my team/..", "a~b^c:d", "x.lock", "ünï", "-x"])
def test_what_is_trusted_is_remembered_by_any_name(repository: Repository, mirror: Mirror, name: str) -> None:
    commit = mirror.fetch(local(repository))
    assert mirror.trusted(name) is None
    mirror.trust(name, commit)
    assert Mirror(mirror.directory, mirror.directory.parent / "home").trusted(name) == commit


def test_a_mirror_that_was_never_fetched_holds_nothing(mirror: Mirror) -> None:
    assert not mirror.has("1" * 40)
    assert mirror.trusted("team") is None


def test_many_packs_become_one(repository: Repository, mirror: Mirror) -> None:
    def packs() -> int:
        return len(list(mirror.directory.glob("objects/pack/*.pack")))

    commits = []
    for number in range(21):
        repository.write({"a.md": str(number)})
        commits.append(_committed(repository, mirror))
        before = packs()
        mirror.maintain()
    assert before == 21
    assert packs() == 1
    assert all(map(mirror.has, commits))


# What can go wrong at the other end


def test_an_empty_repository_is_named_as_such(tmp_path: Path, mirror: Mirror) -> None:
    error = failure(mirror, local(Repository(tmp_path / "empty.git"), "HEAD"))
    assert error.message == "the repository has no commits yet"


def test_a_missing_branch_is_named_with_those_that_are_near(repository: Repository, mirror: Mirror) -> None:
    repository.create_branch("release")
    error = failure(mirror, local(repository, "refs/heads/relaese"))
    assert error.message == "the repository has no branch relaese"
    assert error.hint == "it has release"


def test_a_deleted_branch_is_missing_and_the_old_commit_stays(repository: Repository, mirror: Mirror) -> None:
    repository.create_branch("team")
    commit = mirror.fetch(local(repository, "refs/heads/team"))
    mirror.trust("team", commit)
    repository.delete_branch("team")
    assert "no branch team" in failure(mirror, local(repository, "refs/heads/team")).message
    assert mirror.trusted("team") == commit
    assert mirror.has(commit)


@pytest.mark.parametrize("protocol_v2", [True, False])
def test_an_unknown_commit_id_is_named(mirror: Mirror, server: GitServer, *, protocol_v2: bool) -> None:
    server.protocol_v2 = protocol_v2
    assert failure(mirror, over_http(server, "1" * 40)).message == f"the repository has no commit {'1' * 40}"


def test_a_tag_of_a_file_leads_to_no_commit(repository: Repository, mirror: Mirror) -> None:
    repository.tag("file", repository.git("rev-parse", "main:agents/reviewer.md"))
    assert failure(mirror, local(repository, "refs/tags/file")).message == "tag file does not lead to a commit"


def test_a_url_that_names_no_repository_is_said_so(repository: Repository, mirror: Mirror, server: GitServer) -> None:
    nowhere = Remote(str(repository.path / "nowhere"), allow_local=True)
    elsewhere = Remote(server.url("ssl-certificate.git"), allow_http=True)
    for remote in (nowhere, elsewhere):
        assert failure(mirror, remote).message == "there is no repository at this URL"


def test_a_local_path_needs_leave_and_the_hint_names_the_key(repository: Repository, mirror: Mirror) -> None:
    for url in (repository.url, str(repository.path)):
        error = failure(mirror, Remote(url))
        assert error.message == "local paths are not allowed"
        assert "allow_local = true" in error.hint


@pytest.mark.parametrize("url", ["http://host/x", "git://host/x", "ext::sh -c id", "fd::7"])
def test_other_protocols_are_refused_before_git_is_run(mirror: Mirror, url: str) -> None:
    assert "URLs are not allowed" in failure(mirror, Remote(url)).message


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/*", "+HEAD", "refs/heads/a:b", "refs/heads/a..b", "--upload-pack=x"]
)
def test_only_full_refs_reach_git(repository: Repository, mirror: Mirror, ref: str) -> None:
    with pytest.raises(ConfigError):
        mirror.fetch(local(repository, ref))


def test_a_name_that_does_not_resolve_and_a_closed_port_may_pass(mirror: Mirror) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    unresolved = failure(mirror, Remote("https://nowhere.invalid/x"))
    assert unresolved.message == "the server's name cannot be resolved"
    for url in (f"https://127.0.0.1:{port}/x", f"ssh://127.0.0.1:{port}/x"):
        error = failure(mirror, Remote(url))
        assert error.message == "the server cannot be reached"
        assert isinstance(error, TransientError)


def test_a_server_without_trusted_tls_is_said_so_and_not_tried_again(mirror: Mirror, server: GitServer) -> None:
    error = failure(mirror, Remote(f"https://127.0.0.1:{server.port}/source.git", deadline=5))
    assert error.message == "no trusted TLS connection could be made"
    assert not isinstance(error, TransientError)


def test_an_error_of_the_server_may_pass(mirror: Mirror, server: GitServer) -> None:
    server.mode = "error"
    assert isinstance(failure(mirror, over_http(server)), TransientError)


def test_a_redirect_is_not_followed(mirror: Mirror, server: GitServer) -> None:
    server.mode = "redirect"
    error = failure(mirror, over_http(server))
    assert error.message == "the server redirects to another URL"
    assert len(server.seen) == 1


@linux
def test_a_silent_server_is_left_at_the_deadline_with_no_process_behind(mirror: Mirror, server: GitServer) -> None:
    server.mode = "silent"
    before, start = children(), time.monotonic()
    error = failure(mirror, Remote(server.url("source.git"), allow_http=True, deadline=1))
    assert 0.9 < time.monotonic() - start < 4
    assert isinstance(error, TransientError)
    assert error.message == "there was no answer within 1 seconds"
    assert children() == before
    while commands_naming(server.url("")):  # killed, and gone as soon as the kernel comes to it
        assert time.monotonic() - start < 4


@linux
def test_thirty_fetches_leave_no_descriptor_and_no_process(repository: Repository, mirror: Mirror) -> None:
    def use() -> None:
        commit = mirror.fetch(local(repository))
        assert len(list(mirror.blobs(entry.blob for entry in mirror.tree(commit)))) == 1

    use()
    before = children(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(30):
        use()
    assert (children(), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_what_a_server_says_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    chatter = "import sys; sys.stderr.write('x' * 1_000_000 + 'fatal: the end')"
    done = caged._run([sys.executable, "-c", chatter], tmp_path, {"PATH": os.environ["PATH"]}, time.monotonic() + 10)
    assert done.stderr.endswith("fatal: the end")
    assert len(done.stderr) == 64 * 1024


# Credentials


def test_a_token_is_sent_at_once_and_its_file_is_read_anew(tmp_path: Path, mirror: Mirror, server: GitServer) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    server.authorization = basic("x-access-token", "new")
    remote = over_http(server, auth=Auth(token_file=token))
    error = failure(mirror, remote)
    assert error.message == "the server refused the credentials, or wants some"
    assert not isinstance(error, TransientError)
    token.write_text("new\n")
    server.seen.clear()
    mirror.fetch(remote)
    assert set(server.seen) == {server.authorization}


def test_missing_credentials_fail_at_once_without_a_prompt(mirror: Mirror, server: GitServer) -> None:
    server.authorization = "Bearer x"
    start = time.monotonic()
    assert "credentials" in failure(mirror, over_http(server)).message
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff"])
def test_a_token_file_that_cannot_be_used_is_named_and_its_content_is_not(
    tmp_path: Path, mirror: Mirror, server: GitServer, content: bytes | None
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    error = failure(mirror, over_http(server, auth=Auth(token_file=token)))
    assert error.place == str(token)
    assert "lines" not in str(error)


def test_a_password_in_the_url_works_and_is_never_shown(
    mirror: Mirror, server: GitServer, repository: Repository
) -> None:
    server.authorization = basic("ada", "s3cr:t/")
    assert mirror.fetch(over_http(server, userinfo="ada:s3cr%3At%2F@")) == repository.head
    for secret in ("wr0ng", "wr0ng/x"):
        remote = over_http(server, userinfo=f"ada:{secret}@")
        with pytest.raises((SourceUnavailableError, ConfigError)) as caught:
            mirror.fetch(remote)
        assert "wr0ng" not in f"{caught.value} {caught.value.hint} {caught.value.place} {remote!r}"


@linux
def test_a_secret_is_in_no_command_line(mirror: Mirror, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = caged._start

    def record(command: list[str], *arguments: object, **options: object) -> object:
        started.extend(command)
        return start(command, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(caged, "_start", record)
    server.authorization = basic("ada", "s3cret")
    mirror.fetch(over_http(server, userinfo="ada:s3cret@"))
    assert "fetch" in started
    assert not [part for part in started if "s3cret" in part or server.authorization in part]


def test_the_users_netrc_and_credential_helper_count_only_where_they_may_and_nothing_else_of_theirs(
    home: Path, mirror: Mirror, server: GitServer, repository: Repository
) -> None:
    server.authorization = basic("ada", "pw")
    (home / ".netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    (home / ".gitconfig").write_text(
        '[credential]\n\thelper = "!f() { echo username=ada; echo password=pw; }; f"\n'
        f'[url "https://nowhere.invalid/"]\n\tinsteadOf = {server.url("")}\n'
    )
    assert "credentials" in failure(mirror, over_http(server)).message
    assert mirror.fetch(over_http(server, auth=Auth(use_netrc=True))) == repository.head
    (home / ".netrc").unlink()
    assert mirror.fetch(over_http(server, auth=Auth(use_credential_helper=True))) == repository.head


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    sshd = find_sshd()
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed")
    with SshServer(tmp_path / "ssh", sshd) as running:
        yield running


def test_ssh_lets_in_with_a_key_and_refuses_a_host_that_is_not_the_known_one(
    repository: Repository, mirror: Mirror, ssh_server: SshServer
) -> None:
    auth = Auth(ssh_key=ssh_server.key, known_hosts=ssh_server.known_hosts)
    remote = Remote(ssh_server.url(repository.path), auth=auth)
    assert mirror.fetch(remote) == repository.head
    ssh_server.introduce(ssh_server.key.with_suffix(".pub").read_text())
    assert failure(mirror, remote).message == "the server's host key is not the known one"
    ssh_server.known_hosts.write_text("")
    assert failure(mirror, remote).message == "the server's host key is unknown"


def test_ssh_never_asks_and_uses_what_is_configured_and_nothing_else() -> None:
    plain = caged._ssh(Auth(known_hosts=Path("/etc/known hosts")))
    assert plain.startswith("ssh -F none ")
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oIdentityAgent=none"} <= set(plain.split())
    assert "'-oUserKnownHostsFile=\"/etc/known hosts\"'" in plain
    free = caged._ssh(Auth(use_ssh_config=True, use_ssh_agent=True))
    assert "-F" not in free
    assert "IdentityAgent" not in free


# The machine that it runs on


@pytest.fixture
def led_astray(
    tmp_path: Path, home: Path, repository: Repository, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An environment and a user's configuration full of traps; those that snap leave a file in the directory."""
    other = Repository(tmp_path / "other.git")
    traps = tmp_path / "traps"
    traps.mkdir()
    askpass = tmp_path / "askpass"
    askpass.write_text(f"#!/bin/sh\ntouch '{traps}/asked'\necho x\n")
    askpass.chmod(0o700)
    (home / ".gitconfig").write_text(f'[url "{other.url}"]\n\tinsteadOf = {server.url("source.git")}\n')
    inherited = {
        "GIT_DIR": str(other.path),
        "GIT_OBJECT_DIRECTORY": str(traps / "objects"),
        "GIT_ASKPASS": str(askpass),
        "SSH_ASKPASS": str(askpass),
        "GIT_TRACE": str(traps / "traced"),
        "GIT_CONFIG_PARAMETERS": f"'url.{other.url}.insteadof'='{server.url(repository.path.name)}'",
        "GIT_NAMESPACE": "elsewhere",
        "http_proxy": "http://127.0.0.1:1",
    }
    for name, value in inherited.items():
        monkeypatch.setenv(name, value)
    return traps


@pytest.mark.usefixtures("led_astray")
def test_what_is_inherited_or_configured_by_the_user_leads_nowhere_else(
    repository: Repository, mirror: Mirror, server: GitServer
) -> None:
    assert mirror.fetch(over_http(server)) == repository.head


def test_no_inherited_helper_or_trace_is_used(led_astray: Path, mirror: Mirror, server: GitServer) -> None:
    server.authorization = "Bearer x"
    assert "credentials" in failure(mirror, over_http(server)).message
    assert not list(led_astray.iterdir())


def test_a_missing_git_is_an_error_that_says_what_to_install(
    tmp_path: Path, repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure(mirror, local(repository))
    assert error.message == "git was not found"
    assert "install git 2.31" in error.hint


def test_a_git_that_would_ignore_the_settings_is_refused(
    tmp_path: Path, repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.17.1\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    assert failure(mirror, local(repository)).message == "git 2.17 is too old"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_local_repository_of_another_user_is_refused(repository: Repository, mirror: Mirror) -> None:
    os.chown(repository.path, 12_345, 12_345)
    error = failure(mirror, Remote(str(repository.path), allow_local=True))
    assert error.message == "the local repository belongs to another user"


# The mirror itself


def _garbage_head(directory: Path) -> None:
    (directory / "HEAD").write_text("garbage")


def _no_repository(directory: Path) -> None:
    (directory / "HEAD").unlink()


def _empty_ref(directory: Path) -> None:
    (directory / "refs/agentsync/candidate").write_text("")


def _torn_packs(directory: Path) -> None:
    for path in directory.glob("objects/pack/*"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:40])


DAMAGE = [_garbage_head, _no_repository, _empty_ref, _torn_packs]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_mirror_is_set_aside_and_made_anew(
    repository: Repository, mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    for _ in range(2):
        mirror.fetch(local(repository))
        damage(mirror.directory)
        commit = mirror.fetch(local(repository))
        assert commit == repository.head
        assert [entry.path for entry in mirror.tree(commit)] == ["agents/reviewer.md"]
        assert len(list(mirror.directory.parent.glob("mirror.corrupt-*"))) == 1
    assert (mirror.directory.parent / "mirror.corrupt-2").is_dir()


def test_a_mirror_without_its_objects_is_filled_again(repository: Repository, mirror: Mirror) -> None:
    commit = mirror.fetch(local(repository))
    mirror.trust("team", commit)
    for path in mirror.directory.glob("objects/pack/*"):
        path.unlink()
    [entry] = mirror.tree(mirror.fetch(local(repository)))
    assert list(mirror.blobs([entry.blob])) == [(entry.blob, b"one\n")]


def test_damage_that_only_reading_finds_is_healed_by_the_next_fetch(repository: Repository, mirror: Mirror) -> None:
    content = random.Random(1).randbytes(100_000)  # noqa: S311 - the same in every run, and git cannot compress it
    repository.write({"agents/reviewer.md": content})
    [entry] = mirror.tree(_committed(repository, mirror))
    [pack] = mirror.directory.glob("objects/pack/*.pack")
    pack.chmod(0o600)
    with pack.open("r+b") as stream:
        stream.seek(50_000)
        stream.write(b"damage")
    mirror.fetch(local(repository))
    with pytest.raises(SourceUnavailableError, match="the mirror is damaged"):
        list(mirror.blobs([entry.blob]))
    mirror.fetch(local(repository))
    assert list(mirror.blobs([entry.blob])) == [(entry.blob, content)]


def test_asking_for_what_was_never_there_does_not_cost_the_mirror(repository: Repository, mirror: Mirror) -> None:
    mirror.fetch(local(repository))
    with pytest.raises(SourceUnavailableError, match=f"cannot give object {'1' * 40}"):
        list(mirror.blobs(["1" * 40]))
    assert not list(mirror.directory.parent.glob("mirror.corrupt-*"))


def test_a_failure_at_the_other_end_does_not_cost_the_mirror(repository: Repository, mirror: Mirror) -> None:
    commit = mirror.fetch(local(repository))
    (repository.path / "HEAD").write_text("garbage")
    failure(mirror, local(repository))
    assert mirror.has(commit)
    assert not list(mirror.directory.parent.glob("mirror.corrupt-*"))


def test_locks_and_unfinished_packs_that_a_killed_git_left_are_cleared(repository: Repository, mirror: Mirror) -> None:
    mirror.fetch(local(repository))
    left = ["HEAD.lock", "packed-refs.lock", "refs/agentsync/candidate.lock", "objects/pack/tmp_pack_x"]
    for name in left:
        (mirror.directory / name).touch()
    repository.write({"a.md": "a"})
    assert mirror.fetch(local(repository)) != repository.commit()
    assert mirror.fetch(local(repository)) == repository.head
    assert not [name for name in left if (mirror.directory / name).exists()]


def test_a_mirror_half_made_is_made_again(repository: Repository, mirror: Mirror) -> None:
    building = mirror.directory.with_name("mirror.new")
    (building / "objects").mkdir(parents=True)
    assert mirror.fetch(local(repository)) == repository.head
    assert not building.exists()


def test_a_mirror_that_cannot_be_written_is_named(tmp_path: Path, repository: Repository) -> None:
    (tmp_path / "file").touch()
    error = failure(Mirror(tmp_path / "file" / "mirror", tmp_path / "home2"), local(repository))
    assert error.message.startswith("the mirror cannot be written: ")
    assert str(tmp_path / "file") in error.place


# URLs

_SECRETS = st.text(
    st.characters(codec="ascii", exclude_characters="@/?#*", categories=["L", "N", "P", "S"]), min_size=6
)


@given(secret=_SECRETS, used=st.sampled_from(["https", "ssh", "HTTP", "git+ssh"]))
def test_a_password_is_redacted_wherever_the_url_stands(secret: str, used: str) -> None:
    shown = redact(f"fatal: unable to access '{used}://ada:{secret}@example.org/x.git/': 401")
    assert secret not in shown
    assert "example.org/x.git" in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://token@host/x", "https://***@host/x"),
        ("https://u:p/w@host/x", "https://***@host/x"),
        ("https://u:p@w@host/x", "https://***@host/x"),
        ("https://host/x?token=abc&b=c#d=e", "https://host/x?token=***&b=***#d=***"),
        ("ssh://git:pw@host/x", "ssh://git:***@host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("https://host:8443/x@v1", "https://host:8443/x@v1"),
        ("git@host:x.git", "git@host:x.git"),
        ("/srv/x", "/srv/x"),
    ],
)
def test_what_is_no_secret_stays(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("url", "used", "path"),
    [
        ("https://host/x", "https", None),
        ("git@host:x", "ssh", None),
        ("host:x", "ssh", None),
        ("./a:b", "file", "./a:b"),
        ("/srv/a%20b", "file", "/srv/a%20b"),
        ("file:///srv/a%20b", "file", "/srv/a b"),
        ("file:///C:/x", "file", "C:/x"),
        (r"C:\x", "file", r"C:\x"),
        ("ext::sh -c id", "ext", None),
        ("file::x", "file", None),
    ],
)
def test_a_url_is_read_as_git_reads_it(url: str, used: str, path: str | None) -> None:
    assert scheme(url) == used
    assert local_path(url) == path


def test_credentials_are_taken_out_of_http_urls_only() -> None:
    assert split_credentials("https://ada:p%40w@host:1/x?y=z") == ("https://host:1/x?y=z", "ada", "p@w")
    assert split_credentials("https://host/x") == ("https://host/x", "", "")
    assert split_credentials("ssh://git@host/x") == ("ssh://git@host/x", "", "")


def _committed(repository: Repository, mirror: Mirror) -> str:
    commit = repository.commit()
    assert mirror.fetch(local(repository)) == commit
    return commit


def _closed(stream: Iterator[tuple[str, bytes]]) -> None:
    close = getattr(stream, "close", None)
    assert callable(close)
    close()
