"""Changes of the configuration while the service runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest

from support.machine import Machine
from support.repository import Repository
from support.service import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def test_a_changed_configuration_counts_at_once(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nskip = ['tester']"))
    service.wait_for("config.reloaded")
    service.wait_for("sync.finished")
    assert not (follows.claude / "tester.md").exists()


def test_45_a_mistake_in_a_changed_configuration_leaves_the_old_one(
    follows: Machine, start: Callable[..., Service]
) -> None:
    service = start()
    service.wait_for("sync.finished")
    text = follows.config.read_text()
    follows.config.write_text(text + "intervall = 3\n")
    refused = service.wait_for("config.refused")
    assert "config.toml:11: unknown key `daemon.intervall`" in refused["error"]
    assert "did you mean `interval`?" in refused["hint"]
    (follows.claude / "tester.md").unlink()
    service.wait_for("agent.restored")
    result = follows.run("pull")
    assert result.code == 2
    assert "daemon.intervall" in result.stderr
    follows.config.write_text(text.replace("86400", "80000"))
    service.wait_for("config.reloaded")
    assert service.end() == 0


def test_a_configuration_that_is_not_watched_is_read_before_the_next_cycle(
    follows: Machine, start: Callable[..., Service]
) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text + "watch = false\n")
    service = start()
    service.wait_for("sync.finished")
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nskip = ['tester']"))
    assert follows.run("pull").code == 0
    assert not (follows.claude / "tester.md").exists()


def test_a_corrected_source_is_fetched_at_once(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", 'branch = "mian"\n[targets.claude]'))
    service = start()
    service.wait_for("source.failed")
    follows.config.write_text(text)
    service.wait_for("source.moved", commit=repository.head)


def test_hup_reads_the_configuration_again(follows: Machine, start: Callable[..., Service]) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text + "watch = false\n")
    service = start()
    service.wait_for("sync.finished")
    follows.config.write_text(text.replace("[targets.opencode]", ""))
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("config.reloaded")
    assert service.end() == 0


def test_45_a_configuration_that_is_wrong_at_the_start_ends_it(machine: Machine) -> None:
    machine.configure("[daemon]\ncron = 'every day'\n")
    result = machine.run("daemon")
    assert result.code == 2
    assert "config.toml:3" in result.stderr
