"""The configuration of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.config import Config, find_config, load_config
from agentsync.core.errors import ConfigError
from agentsync.dialects import dialects
from agentsync.formats.validated_toml import load
from agentsync.repository.manifest import AgentsTable

SOURCE = '[sources.team]\nurl = "https://example.org/agents.git"\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    moving = {moved.variable for dialect in dialects().values() for moved in dialect.environment}
    for variable in ("XDG_CONFIG_HOME", "CONFIGURATION_DIRECTORY", *moving):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def read(text: str) -> Config:
    return load(f"version = 1\n{text}", Config, "config.toml")


def mistake(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_a_target_is_named_like_its_dialect_unless_another_is_set(home: Path) -> None:
    config = read('[targets.claude]\n[targets.work]\ndialect = "claude"\npath = "~/work/agents"\ncoarse = "refuse"\n')
    claude, work = config.resolved_targets()
    assert (claude.name, claude.dialect, claude.directory) == ("claude", "claude", home / ".claude/agents")
    assert (work.name, work.dialect, work.directory) == ("work", "claude", home / "work/agents")
    assert (claude.options.coarse, work.options.coarse) == ("narrow", "refuse")
    assert work.written.name == "claude"


def test_the_variable_of_a_tool_moves_its_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "elsewhere"))
    (target,) = read("[targets.codex]\n").resolved_targets()
    assert target.directory == home / "elsewhere/agents"
    monkeypatch.setenv("CODEX_HOME", "elsewhere")  # another place wherever agentsync is run
    assert "`elsewhere/agents`, which is not absolute" in mistake("[targets.codex]\n")


def test_the_path_of_a_local_source_is_the_same_wherever_agentsync_is_run() -> None:
    local = '[sources.team]\nurl = "{}"\nallow_local = true\n'
    for url in ("agents", "./agents", "file://agents"):
        message = mistake(local.format(url))
        assert message.startswith("config.toml:3: `sources.team.url`: ")
        assert "must be absolute, or start with `~`" in message
    for url in ("/srv/agents", "~/agents", "file:///srv/agents", "https://example.org/agents.git", "git@host:agents"):
        assert read(local.format(url)).sources["team"].url == url


def test_paths_expand_variables_and_must_be_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK", str(home / "w"))
    (target,) = read('[targets.claude]\npath = "$WORK/agents"\n').resolved_targets()
    assert target.directory == home / "w/agents"
    assert "`agents` must be absolute" in mistake('[targets.claude]\npath = "agents"\n')


@pytest.mark.parametrize(
    ("settings", "ref"),
    [
        ("", "HEAD"),
        ('branch = "main"', "refs/heads/main"),
        ('tag = "v1"', "refs/tags/v1"),
        (f'commit = "{"a" * 40}"', "a" * 40),
    ],
)
def test_a_source_follows_one_ref(settings: str, ref: str) -> None:
    source = read(SOURCE + settings).sources["team"]
    assert source.ref == source.remote().ref == ref


def test_a_source_s_patterns_come_before_those_of_the_repository() -> None:
    manifest = AgentsTable(include=("theirs/**",), exclude=("old/",), dialects={"**/x.md": "codex"})
    plain = read(SOURCE).sources["team"].selection(manifest)
    assert (plain.include, plain.exclude) == (("theirs/**",), ("old/",))
    assert plain.dialect_of("a/x.md") == "codex"
    own = read(SOURCE + 'include = ["ours/**"]\nexclude = ["tmp/"]\ndialect = "claude"\nsubfolder = "s"\n')
    selection = own.sources["team"].selection(manifest)
    assert (selection.include, selection.exclude, selection.subfolder) == (("ours/**",), ("tmp/", "old/"), "s")
    assert selection.dialect_of("s/a/x.md") == "claude"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[targets.cluade]\n", "config.toml:2: `targets.cluade`: there is no dialect `cluade`"),
        ('[targets.a]\ndialect = "claude"\n[targets.claude]\n', "config.toml:4: `targets.claude`: targets `a` and"),
        (SOURCE + 'commit = "abc"\n', "`commit` must be a full commit id"),
        (SOURCE + 'tag = "a"\ncommit = "b"\n', "only one of"),
        ('[sources."a b"]\nurl = "x"\n', "the name `a b` must be letters"),
        ('[sources.team]\nurl = ""\n', "`sources.team.url`"),
        (SOURCE + "timeout = 0\n", "`sources.team.timeout`"),
        (SOURCE + 'timeout = "2h"\n', "`sources.team.timeout`: should be less than or equal to 3600"),
        ('[daemon]\ninterval = "soon"\n', "`daemon.interval`: `soon` is no duration such as `90s`"),
        ('[daemon]\ncron = "every day"\n', "`daemon.cron`: wrong number of fields"),
        ('[daemon]\ncron = "0 0 30 2 *"\n', "config.toml:3: `daemon.cron`: `0 0 30 2 *` never comes"),
        ("[limits]\nmax_deletion_share = 2\n", "`limits.max_deletion_share`"),
        ('[models.cluade]\na = "b"\n', "there is no dialect `cluade`"),
        (SOURCE + "signed = {}\n", "`allowed_signers` or `gpg_keys` must be set, to list who may sign"),
        (
            SOURCE + 'signed = { allowed_signers = "keys" }\n',
            "`sources.team.signed.allowed_signers`: `keys` must",
        ),
        (SOURCE + 'signed = { gpg_keys = "/keys", revoked = "/gone" }\n', "`revoked` is for the keys of"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_mistake(text: str, message: str) -> None:
    assert message in mistake(text)


def test_every_duration_may_be_text() -> None:
    text = (
        '[daemon]\ninterval = "5m"\n[health]\nstale_after = "2h"\n[sources.team]\nurl = "https://git.example/a.git"\n'
    )
    config = read(f'{text}timeout = "90s"\nrollout.after_at_least = "1d"\n')
    source = config.sources["team"]
    assert (config.daemon.interval, config.health.stale_after, source.timeout) == (300, 7200, 90)
    assert source.rollout.after_at_least == 86400
    schema = Config.model_json_schema()["$defs"]["DaemonTable"]["properties"]["interval"]
    assert {kind["type"] for kind in schema["anyOf"]} == {"number", "string"}


@pytest.mark.parametrize("cron", ["*/15 7-19 * * 1-5", "0 0 29 2 mon", "0 0 31 * *"])
def test_a_cron_that_comes_seldom_is_accepted(cron: str) -> None:
    assert read(f'[daemon]\ncron = "{cron}"\n').daemon.cron == cron


def test_the_version_must_be_given() -> None:
    with pytest.raises(ConfigError, match="`version` is missing"):
        load(SOURCE, Config, "config.toml")


def test_limits_are_passed_on() -> None:
    limits = read("[limits]\nmin_deletions = 7\n").deletion_limits(allow_deletions=True)
    assert (limits.max_deletion_share, limits.min_deletions, limits.allow_deletions) == (0.5, 7, True)


def test_the_first_configuration_that_is_there_counts(home: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration") as caught:
        find_config(None)
    assert str(home) in caught.value.hint
    own = home / ".config/agentsync/config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("version = 1\n")
    assert find_config(None) == own
    assert find_config(home / "given.toml") == home / "given.toml"


def test_a_configuration_that_cannot_be_read_is_reported(home: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(home / "missing.toml")
    with pytest.raises(ConfigError, match=r"this configuration cannot be read: Is a directory$"):
        load_config(home)
    (home / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"this configuration cannot be read: it is not UTF-8$"):
        load_config(home / "latin.toml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('path = "/x/$NOT_SET_HERE/y"', "the variable $NOT_SET_HERE is not set"),
        ('path = "~nobody-of-this-name/x"', "there is no such user"),
        ('path = "/x\\u0000y"', "a path holds no NUL"),
    ],
)
def test_a_misleading_path_is_an_error(line: str, message: str) -> None:
    assert message in mistake(f"[targets.claude]\n{line}\n")


@pytest.mark.parametrize("subfolder", ["/agents", "../agents", "a/../../b"])
def test_a_subfolder_stays_within_the_repository(subfolder: str) -> None:
    with pytest.raises(ConfigError, match="within the repository"):
        read(f'[sources.team]\nurl = "https://git.example.com/a.git"\nsubfolder = "{subfolder}"\n')
