"""The up-to-date check after a commit that was refused or held."""

from __future__ import annotations

from agentsync.core.errors import ExitCode
from support.installation import Installation, NoFetches, known
from support.signing import allowed, ssh_key


def test_a_refused_commit_stays_reported_until_the_next_fetch(resting: Installation) -> None:
    good = resting.source.head
    resting.source.write({"agentsync.toml": "[agents]\nexlude = []\n"})
    bad = resting.source.commit()
    resting.pull()
    for ask in (
        lambda: resting.pull(NoFetches()),
        lambda: resting.find(NoFetches()),
        lambda: resting.pull(NoFetches()),
    ):
        ask()
        assert known(resting).rejected_commit == bad
        assert "exlude" in known(resting).rejected_reason
    resting.source.reset(good)
    assert resting.find()
    assert (known(resting).commit, known(resting).rejected_commit, known(resting).rejected_reason) == (good, "", "")


def test_a_commit_that_is_held_is_the_one_that_was_rejected(resting: Installation) -> None:
    resting.source.remove("agents/tester.md", "agents/writer.md")
    empty = resting.source.commit()
    good = known(resting).commit
    resting.pull()
    assert (known(resting).commit, known(resting).rejected_commit) == (good, empty)
    assert "held" in known(resting).rejected_reason
    resting.publish()
    resting.pull()
    assert (known(resting).commit, known(resting).rejected_commit) == (resting.source.head, "")


def test_a_commit_that_is_held_vouches_for_no_other(resting: Installation) -> None:
    """The applied commit was never verified, and a verified one that is held does not change that."""
    key = ssh_key(resting.root / "keys")
    signers = resting.root / "keys" / "allowed_signers"
    signers.write_text(allowed(key))
    resting.source.remove("agents/tester.md", "agents/writer.md")
    resting.source.commit()
    empty = key.commit(resting.source)
    resting.text = resting.text.replace("allow_local", f'signed = {{ allowed_signers = "{signers}" }}\nallow_local', 1)
    assert resting.pull().exit_code is ExitCode.INCOMPLETE
    assert (known(resting).rejected_commit, known(resting).verified_by) == (empty, "")
