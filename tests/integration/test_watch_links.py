"""A watch of links, and of directories that are replaced, missing or within each other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.watching import Listener


def test_a_file_is_followed_through_links(listener: Listener, tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: the file is a link into `..data`, which is a link that is replaced."""
    mount = tmp_path / "mount"
    for version in ("..first", "..second"):
        (mount / version).mkdir(parents=True)
        (mount / version / "config.toml").write_text(version)
    (mount / "..data").symlink_to("..first")
    config = mount / "config.toml"
    config.symlink_to("..data/config.toml")
    listener.follow(files=(config,))
    (mount / "..first" / "config.toml").write_text("written in its place")
    listener.receives(config)
    (mount / "..new").symlink_to("..second")
    (mount / "..new").replace(mount / "..data")
    listener.receives(config)
    listener.follow(files=(config,))
    listener.receives(config)  # since it is somewhere else now
    (mount / "..first" / "config.toml").write_text("no longer this one")
    listener.receives_nothing()
    (mount / "..second" / "config.toml").write_text("but this")
    listener.receives(config)


def test_a_link_that_leads_to_itself_is_only_a_name(listener: Listener, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.symlink_to("config.toml")
    listener.follow(files=(config,))
    config.unlink()
    listener.receives(config)


def test_a_directory_above_may_be_a_link(listener: Listener, agents: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "tool").symlink_to(agents.parent)
    given = links / "tool" / "agents"
    assert listener.follow(given) == ()
    (agents / "one.md").write_text("other")
    listener.receives(given)
    other = tmp_path / "other" / "agents"
    other.mkdir(parents=True)
    (links / "new").symlink_to(other.parent)
    (links / "new").replace(links / "tool")
    listener.receives(given)
    listener.follow(given)
    listener.receives(given)
    (other / "three.md").write_text("three")
    listener.receives(given)


def test_a_directory_that_is_a_link_itself_is_reported_and_not_followed(
    listener: Listener, agents: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(agents)
    assert listener.follow(link) == (f"{link}: it is a symbolic link, which is not followed",)
    (agents / "one.md").write_text("other")
    listener.receives_nothing()
    assert listener.follow(link.resolve()) == ()
    (agents / "one.md").write_text("again")
    listener.receives(agents)


@pytest.mark.parametrize("receiving", [True, False], ids=["reported in between", "before any report"])
def test_a_directory_that_was_made_again_is_followed_again(
    listener: Listener, agents: Path, *, receiving: bool
) -> None:
    listener.follow(agents)
    for turn in range(3):
        shutil.rmtree(agents)
        if receiving:
            listener.receives(agents)
        agents.mkdir()
        listener.receives(agents)
        assert listener.follow(agents) == ()
        listener.receives(agents)  # as it may have changed before it was followed
        (agents / "new.md").write_text(f"turn {turn}")
        listener.receives(agents)


def test_a_directory_in_the_place_of_another_is_the_one_that_counts(
    listener: Listener, agents: Path, tmp_path: Path
) -> None:
    listener.follow(agents)
    old, other = tmp_path / "old", tmp_path / "other"
    other.mkdir()
    agents.rename(old)
    other.rename(agents)
    listener.receives(agents)
    listener.follow(agents)
    listener.receives(agents)
    (old / "one.md").write_text("nobody asks")
    listener.receives_nothing()
    (agents / "new.md").write_text("new")
    listener.receives(agents)


def test_a_directory_that_is_not_there_yet_is_reported_when_it_comes(listener: Listener, tmp_path: Path) -> None:
    agents = tmp_path / "tool" / "agents"
    assert listener.follow(agents) == (f"{agents}: neither it nor the directory that it would be in is there",)
    agents.parent.mkdir()
    assert listener.follow(agents) == ()
    listener.receives(agents)
    agents.mkdir()
    listener.receives(agents)


def test_a_file_without_a_directory_is_reported(listener: Listener, tmp_path: Path) -> None:
    file = tmp_path / "gone" / "config.toml"
    assert listener.follow(files=(file,)) == (f"{file}: neither it nor the directory that it would be in is there",)


def test_a_file_in_the_place_of_a_directory_is_reported(listener: Listener, agents: Path) -> None:
    assert listener.follow(agents / "one.md") == (f"{agents / 'one.md'}: Not a directory",)


def test_a_directory_that_is_no_longer_followed_is_not_reported(listener: Listener, agents: Path) -> None:
    listener.follow(agents, files=(agents.parent / "config.toml",))
    listener.follow()
    (agents / "one.md").write_text("other")
    (agents.parent / "config.toml").write_text("other")
    listener.receives_nothing()


def test_directories_within_each_other_are_each_reported(listener: Listener, agents: Path) -> None:
    listener.follow(agents, agents / "team", files=(agents / "team" / "two.md",))
    (agents / "team" / "two.md").write_text("other")
    listener.receives(agents, agents / "team", agents / "team" / "two.md")


def test_a_directory_within_another_takes_nothing_from_it(listener: Listener, agents: Path) -> None:
    """Its parent is watched only for its coming and going, and the kernel has one watch for each directory."""
    inner = agents / "team" / "inner"
    inner.mkdir()
    listener.follow(agents, inner)
    (agents / "team" / "two.md").write_text("other")
    listener.receives(agents)
