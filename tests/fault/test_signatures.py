"""Rows 12 and 13 where a source asks for signatures: commits and tags that count, and replays that do not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.machine import Result
from support.repository import Repository
from support.signing import (
    GnuPG,
    Key,
    allowed,
    ssh_authority,
    ssh_certificate,
    ssh_key,
    ssh_revocation_list,
)
from support.trial import Trial

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")


@dataclass
class Signing:
    """A machine that follows a team, requires Ada's signature on every commit, and has pulled the first one.

    Attributes:
        keys: where the keys' files are made.
        ada: the key that is allowed.
    """

    trial: Trial
    keys: Path
    ada: Key

    @property
    def repository(self) -> Repository:
        return self.trial.repository

    @property
    def allowed_signers(self) -> Path:
        return self.keys / "allowed_signers"

    @property
    def revoked(self) -> Path:
        return self.keys / "revoked"

    def allow(self, *lines: str) -> None:
        self.allowed_signers.write_text("".join(lines))

    def follow(self, settings: str = "", *, signed: str = "") -> None:
        files = signed or f'allowed_signers = "{self.allowed_signers}", revoked = "{self.revoked}"'
        self.trial.follow(f"{settings}\nsigned = {{ {files} }}\n")

    def push(self, key: Key | None = None, prompt: str = "Better.", *, date: str = "") -> str:
        """A new commit, which Ada signs unless another key is given."""
        self.trial.push(prompt)
        return (key or self.ada).commit(self.repository, date=date)

    def status(self) -> dict[str, object]:
        [source] = self.trial.machine.run("status", "--format", "json").json["sources"]
        return dict(source)

    def refuses(self, *words: str, environment: dict[str, str] | None = None) -> Result:
        """Assert that a pull keeps everything, and reports the refused commit and that its signature is the cause."""
        before, head = self.status()["commit"], self.repository.head
        result = self.trial.holds(4, *words, environment=environment)
        (event,) = result.reported("source.failed")
        assert (event["code"], event["commit"]) == ("AS417", head)
        status = self.status()
        assert (status["commit"], status["rejected"]) == (before, head)
        return result


@pytest.fixture
def signing(trial: Trial, tmp_path: Path) -> Signing:
    keys = tmp_path / "keys"
    signing = Signing(trial, keys, ssh_key(keys))
    signing.allow(allowed(signing.ada))
    signing.revoked.write_bytes(b"")
    signing.follow()
    signing.ada.commit(trial.repository)
    trial.converges()
    return signing


@pytest.fixture
def gnupg(tmp_path: Path) -> Iterator[GnuPG]:
    home = GnuPG(tmp_path / "g")
    yield home
    home.close()


def unsigned(signing: Signing) -> None:
    signing.trial.push()


def by_nobody(signing: Signing) -> None:
    signing.push(ssh_key(signing.keys, "eve"))


def by_a_key_of_another_time(options: str) -> Callable[[Signing], None]:
    def make(signing: Signing) -> None:
        bob = ssh_key(signing.keys, "bob")
        signing.allow(allowed(signing.ada), allowed(bob, "bob@example.org", options))
        signing.push(bob)

    return make


def by_a_key_that_is_revoked(signing: Signing) -> None:
    bob = ssh_key(signing.keys, "bob")
    signing.allow(allowed(signing.ada), allowed(bob))
    signing.revoked.write_text(f"{bob.public}\n")
    signing.push(bob)


def by_a_key_of_a_revocation_list(signing: Signing) -> None:
    bob = ssh_key(signing.keys, "bob")
    signing.allow(allowed(signing.ada), allowed(bob))
    signing.revoked.write_bytes(ssh_revocation_list(signing.keys, bob))
    signing.push(bob)


def by_another_principal(signing: Signing) -> None:
    authority, public = ssh_authority(signing.keys)
    line = f"*@example.org cert-authority {public}\n"
    signing.allow(allowed(signing.ada), line)
    signing.push(ssh_certificate(signing.keys, authority, "eve@elsewhere.org"))


def changed_afterwards(signing: Signing) -> None:
    good = signing.push()
    changed = signing.repository.git("cat-file", "commit", good).replace("\nSigned", "\nSealed")
    made = signing.repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=f"{changed}\n".encode())
    signing.repository.reset(made)


def with_the_signature_of_another(signing: Signing) -> None:
    """A tree of Eve's under a signature that Ada gave to another commit."""
    good = signing.repository.git("cat-file", "commit", signing.push())
    _, _, signature = good.partition("gpgsig ")
    eve = signing.trial.push("Mine now.")
    headers, _, _ = signing.repository.git("cat-file", "commit", eve).partition("\n\n")
    made = f"{headers}\ngpgsig {signature}\n".encode()
    signing.repository.reset(signing.repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=made))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (unsigned, "is not signed"),
        (by_nobody, "a key that is not allowed: SHA256:"),
        (by_a_key_of_another_time('valid-before="20200101"'), "had expired or was not valid yet"),
        (by_a_key_of_another_time('valid-after="20900101"'), "had expired or was not valid yet"),
        (by_a_key_of_another_time('namespaces="file"'), "may not sign commits"),
        (by_another_principal, "a key that is not allowed"),
        (by_a_key_that_is_revoked, "is revoked"),
        (by_a_key_of_a_revocation_list, "is revoked"),
        (changed_afterwards, "was changed after it was signed"),
        (with_the_signature_of_another, "was changed after it was signed"),
    ],
)
def test_12_a_commit_that_is_not_signed_as_it_must_be_is_refused(
    signing: Signing, spoil: Callable[[Signing], None], words: str
) -> None:
    good = signing.repository.head
    spoil(signing)
    signing.refuses(words)
    signing.trial.holds(4, words)
    signing.repository.reset(good)
    signing.push(prompt="Better still.")
    signing.trial.converges()
    assert signing.status()["rejected"] is None


def test_12_a_certificate_of_the_right_principal_is_enough(signing: Signing) -> None:
    authority, public = ssh_authority(signing.keys)
    signing.allow(f"*@example.org cert-authority {public}\n")
    signing.push(ssh_certificate(signing.keys, authority, "bob@example.org"))
    signing.trial.converges()


def test_12_the_first_commit_must_be_signed_too(trial: Trial, tmp_path: Path) -> None:
    signing = Signing(trial, tmp_path / "keys", ssh_key(tmp_path / "keys"))
    signing.allow(allowed(signing.ada))
    signing.follow(signed=f'allowed_signers = "{signing.allowed_signers}"')
    signing.refuses("is not signed")
    assert trial.machine.names() == ["mine.md"]
    assert signing.status()["commit"] == ""


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_text("\n")


def put_a_directory_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_a_pipe_there(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def let_others_write(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("allowed_signers", remove, "No such file"),
        ("allowed_signers", put_a_directory_there, "it is not a regular file"),
        ("allowed_signers", put_a_pipe_there, "it is not a regular file"),
        ("allowed_signers", empty, "has no key that may sign"),
        ("revoked", remove, "No such file"),
        ("revoked", let_others_write, "can be changed by every user (chmod o-w)"),
    ],
)
def test_12_where_the_keys_cannot_be_known_nothing_counts(
    signing: Signing, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    """Not even that there is nothing new; git itself overlooks a list of revoked keys that is not there."""
    spoil(signing.keys / name)
    signing.refuses(words, str(signing.keys / name))
    signing.push()
    signing.refuses(words, str(signing.keys / name))


def test_12_nothing_of_the_users_makes_a_signature_good(signing: Signing) -> None:
    home, eve = signing.trial.machine.home, ssh_key(signing.keys, "eve")
    theirs, yes = home / "theirs", home / "yes"
    theirs.write_text(allowed(eve))
    yes.write_text("#!/bin/sh\necho 'Good \"git\" signature for ada@example.org with ED25519 key SHA256:x'\nexit 0\n")
    yes.chmod(0o755)
    settings = {
        "gpg.ssh.allowedSignersFile": str(theirs),
        **dict.fromkeys(("gpg.program", "gpg.openpgp.program", "gpg.x509.program", "gpg.ssh.program"), str(yes)),
    }
    [mirror] = (signing.trial.machine.cache / "mirrors").glob("*.git")
    for name, value in settings.items():
        for file in (home / ".gitconfig", mirror / "config", signing.trial.machine.state / "git-home" / ".gitconfig"):
            signing.repository.git("config", "--file", str(file), name, value)
    environment = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
    for number, (name, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    signing.push(eve)
    signing.refuses("a key that is not allowed", environment=environment)


@needs_gpg
def test_12_a_kind_of_key_that_is_not_named_does_not_count(signing: Signing, gnupg: GnuPG) -> None:
    """Although the user's own keyring knows it."""
    bob = gnupg.key("bob")
    signing.push(bob)
    signing.refuses("another kind of key", environment={"GNUPGHOME": str(signing.keys.parent / "g")})
    (signing.keys / "team.asc").write_text(bob.public)
    signing.follow(signed=f'gpg_keys = "{signing.keys / "team.asc"}"')
    signing.trial.converges()
    signing.push(prompt="Better still.")
    signing.refuses("another kind of key")


@pytest.mark.parametrize("way", ["revoked", "no longer allowed"])
def test_12_a_key_that_is_taken_away_stops_new_commits_only(signing: Signing, way: str) -> None:
    if way == "revoked":
        signing.revoked.write_text(f"{signing.ada.public}\n")
    bob = ssh_key(signing.keys, "bob")
    lines = [allowed(bob), *([allowed(signing.ada)] if way == "revoked" else [])]
    signing.allow(*lines)
    signing.trial.converges()
    signing.push()
    signing.refuses("is revoked" if way == "revoked" else "not allowed")
    signing.push(bob, "Bob's.")
    signing.trial.converges()


def test_12_where_signatures_are_required_later_applied_files_stay_and_are_not_read_again(
    pulled: Trial, tmp_path: Path
) -> None:
    """A file that goes is not brought back either, from a commit that nobody vouches for."""
    signing = Signing(pulled, tmp_path / "keys", ssh_key(tmp_path / "keys"))
    signing.allow(allowed(signing.ada))
    signing.follow(signed=f'allowed_signers = "{signing.allowed_signers}"')
    (pulled.machine.claude / "tester.md").unlink()
    signing.refuses("is not signed")
    status = pulled.machine.run("status", "--format", "json")
    assert "AS417" in status.codes
    signing.push()
    pulled.converges()


def test_12_other_key_files_are_checked_again(signing: Signing) -> None:
    other = signing.keys / "others"
    other.write_text(allowed(ssh_key(signing.keys, "bob")))
    signing.follow(signed=f'allowed_signers = "{other}"')
    signing.refuses("not allowed")
    signing.follow()
    signing.trial.converges()


def test_12_a_tag_counts_by_its_own_signature(signing: Signing) -> None:
    signing.trial.push()
    signing.follow('tag = "v1"')
    signing.ada.tag(signing.repository, "v1")
    signing.trial.converges("v1")


def lightweight(signing: Signing) -> None:
    signing.repository.tag("v1")


def annotated(signing: Signing) -> None:
    signing.repository.tag("v1", annotated=True)


def of_nobody(signing: Signing) -> None:
    ssh_key(signing.keys, "eve").tag(signing.repository, "v1")


def of_another_name(signing: Signing) -> None:
    old = signing.ada.tag(signing.repository, "v0")
    signing.repository.git("update-ref", "refs/tags/v1", old)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lightweight, "tag v1 is not signed"),
        (annotated, "tag v1 is not signed"),
        (of_nobody, "not allowed"),
        (of_another_name, "signed as another tag"),
    ],
)
def test_12_a_tag_that_is_not_signed_as_it_must_be_is_refused(
    signing: Signing, make: Callable[[Signing], None], words: str
) -> None:
    """Even where its commit is signed: the server of the tag could let it lead to any signed commit."""
    signing.push()
    signing.follow('tag = "v1"')
    make(signing)
    signing.refuses(words)
    signing.ada.tag(signing.repository, "v1")
    signing.trial.converges("v1")


def test_12_a_commit_that_is_named_by_its_id_must_be_signed(signing: Signing) -> None:
    older = signing.repository.head
    unknown = signing.trial.push()
    signing.follow(f'commit = "{unknown}"')
    signing.refuses("is not signed")
    signing.follow(f'commit = "{older}"')
    signing.trial.converges(older)


@needs_gpg
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("wrong", "a key that is not allowed: "),
        ("expired", "had expired"),
        ("revoked", "is revoked"),
    ],
)
def test_12_openpgp_keys_count_by_their_export(signing: Signing, gnupg: GnuPG, spoil: str, words: str) -> None:
    bob = gnupg.key("bob")
    other = gnupg.key("carol", at="20200101T000000", lasts="1y") if spoil == "expired" else gnupg.key("carol")
    file = signing.keys / "team.asc"
    file.write_text(bob.public + ("" if spoil == "wrong" else other.public))
    signing.follow(signed=f'gpg_keys = "{file}", allowed_signers = "{signing.allowed_signers}"')
    signing.push(bob)
    signing.trial.converges()
    signing.push(other, date="2020-06-01T00:00:00Z" if spoil == "expired" else "")
    if spoil == "revoked":
        file.write_text(bob.public + gnupg.revoke("carol"))
    signing.refuses(words)
    signing.push(prompt="By ssh.")
    signing.trial.converges()


@needs_gpg
def test_12_openpgp_keys_that_gpg_cannot_read_let_nothing_through(signing: Signing) -> None:
    file = signing.keys / "team.asc"
    file.write_text("no key\n")
    signing.follow(signed=f'gpg_keys = "{file}"')
    signing.refuses("gpg cannot read the keys", "gpg --armor --export")


@pytest.mark.parametrize(("program", "words"), [("gpg", "install GnuPG"), ("ssh-keygen", "install OpenSSH")])
def test_12_without_the_program_that_checks_nothing_counts(
    signing: Signing, tmp_path: Path, program: str, words: str
) -> None:
    without = tmp_path / "without"
    without.mkdir()
    for name in ("env", "sh", "git"):
        location = shutil.which(name)
        assert location
        (without / name).symlink_to(location)
    file = signing.keys / "team.asc"
    file.write_text("a key\n")
    if program == "gpg":
        signing.follow(signed=f'gpg_keys = "{file}"')
    signing.push()
    signing.refuses(f"{program} was not found", words, environment={"PATH": str(without)})


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_13_an_older_signed_commit_is_refused_although_history_may_be_rewritten(signing: Signing, cache: str) -> None:
    """With the cache lost, the dates are the only evidence."""
    signing.follow("allow_rewrite = true")
    older = signing.push(date=f"@{int(time.time()) - 3600} +0000")
    newer = signing.push(prompt="Better still.")
    signing.trial.converges()
    signing.repository.reset(older)
    if cache == "lost":
        shutil.rmtree(signing.trial.machine.cache)
    signing.refuses(f"is older than {newer[:12]}")
    signing.repository.reset(newer)
    signing.ada.commit(signing.repository, "Rewritten", date=f"@{int(time.time()) + 1} +0000")
    signing.trial.converges()


def test_13_an_older_history_that_was_rewritten_is_refused(signing: Signing) -> None:
    signing.follow("allow_rewrite = true")
    start = signing.repository.head
    former = signing.push(date="2026-01-05T00:00:00Z")
    signing.repository.reset(start)
    newer = signing.push(prompt="Rewritten.")
    signing.trial.converges()
    signing.repository.reset(former)
    signing.refuses(f"is older than {newer[:12]}")


def test_13_an_expired_key_cannot_sign_for_the_time_when_it_was_valid(signing: Signing) -> None:
    bob = ssh_key(signing.keys, "bob")
    signing.allow(allowed(signing.ada), allowed(bob, "bob@example.org", 'valid-before="20260201"'))
    signing.push(bob, date="2026-01-05T00:00:00Z")
    signing.refuses("is older than")


def test_13_a_commit_that_is_dated_in_the_future_locks_nobody_out(signing: Signing) -> None:
    signing.push(date="2090-01-01T00:00:00Z")
    signing.trial.converges()
    signing.push(prompt="Better still.")
    signing.trial.converges()


def test_13_a_tag_is_not_moved_back_to_an_older_commit(signing: Signing) -> None:
    signing.follow('tag = "stable"\nallow_rewrite = true')
    older = signing.repository.head
    old_tag = signing.ada.tag(signing.repository, "stable")
    signing.trial.converges("stable")
    newer = signing.push()
    signing.ada.tag(signing.repository, "stable")
    signing.trial.converges("stable")
    signing.repository.git("update-ref", "refs/tags/stable", old_tag)
    assert signing.repository.git("rev-parse", "stable^{commit}") == older
    result = signing.trial.holds(4, f"is older than {newer[:12]}")
    assert result.reported("source.failed")[0]["commit"] == older


# A signature does not cover itself, and a commit does not name its branch


def signed_twice(commit: str) -> str:
    headers, _, message = commit.partition("\n\n")
    return f"{headers}\n{headers[headers.index('gpgsig ') :]}\n\n{message}"


def wrapped_otherwise(commit: str) -> str:
    begin = "-----BEGIN SSH SIGNATURE-----\n "
    first, _, rest = commit.partition(begin)
    return f"{first}{begin}{rest.replace(chr(10) + ' ', '', 1)}"


def commented(commit: str) -> str:
    return commit.replace("-----BEGIN PGP SIGNATURE-----\n", "-----BEGIN PGP SIGNATURE-----\n Comment: a copy\n")


def copy(signing: Signing, change: Callable[[str], str]) -> str:
    """What a server without any key can make of the branch's last commit."""
    original = signing.repository.git("cat-file", "commit", signing.repository.head)
    changed = f"{change(original)}\n".encode()
    made = signing.repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=changed)
    assert made != signing.repository.head
    return made


@pytest.mark.parametrize("change", [signed_twice, wrapped_otherwise, pytest.param(commented, marks=needs_gpg)])
def test_13_a_copy_with_another_form_of_the_signature_is_the_same_commit(
    signing: Signing, gnupg: GnuPG, change: Callable[[str], str]
) -> None:
    if change is commented:
        signing.ada = gnupg.key("ada")
        keys = signing.keys / "openpgp.asc"
        keys.write_text(signing.ada.public)
        signing.follow(signed=f'gpg_keys = "{keys}"')
    original = signing.push()
    made = copy(signing, change)
    for commit in (made, original, made):
        signing.repository.reset(commit)
        signing.trial.converges()
    signing.repository.reset(original)
    signing.push(prompt="Better still.")
    signing.trial.converges()


def test_12_a_pattern_of_signed_tags_binds_what_may_be_served(signing: Signing) -> None:
    repository, trial = signing.repository, signing.trial
    signing.follow('tag = "release-*"')
    trial.holds(3, "no tag release-* exists")
    signing.ada.tag(repository, "release-1.9")
    trial.converges("release-1.9")
    signing.push(prompt="Signed work in progress.")
    trial.converges("release-1.9")
    signing.ada.tag(repository, "release-1.10")
    trial.converges("release-1.10")
    signing.push(prompt="Never released.")
    for annotated in (True, False):
        repository.tag("release-2", annotated=annotated)
        trial.holds(4, "tag release-2, the newest of release-*, is not signed")
        repository.git("tag", "--delete", "release-2")
    repository.git("update-ref", "refs/tags/release-3", signing.ada.tag(repository, "other-3"))
    trial.holds(4, "tag release-3, the newest of release-*, was signed as another tag")
    repository.git("tag", "--delete", "release-3", "release-1.10")
    trial.holds(4, "the newest tag is on another line")


def test_13_a_source_whose_newest_commit_is_too_old_is_stale(trial: Trial) -> None:
    machine, repository = trial.machine, trial.repository

    def commit(days: int, *parents: str) -> None:
        dated = {"GIT_COMMITTER_DATE": f"@{int(time.time()) - days * 86400} +0000"}
        repository.reset(repository.git("commit-tree", "HEAD^{tree}", "-m", "Dated", *parents, variables=dated))

    commit(31)
    trial.follow('max_age = "30d"')
    (event,) = trial.converges().reported("source.stale")
    assert (event["code"], event["level"]) == ("AS450", "warning")
    assert repository.head[:12] in event["message"]
    status = machine.run("status")
    assert "stale, see below" in status.stdout
    assert "is stale since" in status.stderr
    assert machine.run("pull").stdout.startswith("up to date"), "it does not slow down what follows"
    commit(29, "-p", "HEAD")
    assert trial.converges().reported("source.stale") == []
    assert "stale" not in machine.run("status").stdout
