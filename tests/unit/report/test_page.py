"""The status page: its text for each state, and no markup from a repository's text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode
from agentsync.report.page import POLICY, View, render
from agentsync.report.page.markup import element, html, void
from agentsync.report.service_status import CycleResult, ServiceStatus, SourceStatus, Trigger
from agentsync.repository.acceptance import Accepted
from agentsync.state.records import Action, Recorded, Suspension, Sync
from agentsync.sync.compiled_agent import CompiledAgent, Output
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.targets.change import Actual, Change
from support.reports import COMMIT, TARGET, change, report

NOW = 1_000_000.0
EVIL = "<script>alert(1)</script>\"'&\u202e"

SOURCE = SourceStatus("team", "https://git.example/a.git", "refs/heads/main", COMMIT, COMMIT, NOW - 60, "")
SERVICE_STATUS = ServiceStatus(
    config="/etc/agentsync/config.toml",
    started_at=NOW - 7200,
    succeeded_at=NOW - 60,
    next_run_at=NOW + 240,
    last=CycleResult("0123456789ab", Trigger.SCHEDULE, NOW - 60, 0.2, ExitCode.OK, {}, {}),
    cycles=24,
    sources=(SOURCE,),
)


def product(agent: str = "tester", *diagnostics: Diagnostic, digest: str = "d" * 64) -> CompiledAgent:
    outputs = {"claude": Output(f"{agent}.md", digest, diagnostics)}
    return CompiledAgent("team", f"agents/{agent}.md", "e" * 40, name=agent, slug=agent, outputs=outputs)


def looked(*changes: Change, compiled: tuple[CompiledAgent, ...] = (product(),), **more: object) -> Report:
    made = report(scope=Scope.LOOK, changes=changes, compiled=compiled, previous=COMMIT)
    return replace(made, **more)  # type: ignore[arg-type]


def view(report: Report | None = None, **more: object) -> View:
    made = View(
        service_status=SERVICE_STATUS,
        unready="",
        now=NOW,
        report=report,
        trouble="",
        differences={},
        syncs=[Sync("a", 1, 2, "ok", {}, {})],
    )
    return replace(made, **more)  # type: ignore[arg-type]


def text(page: str) -> str:
    """The text that a screen reader reads: without markup, style and script, each blank once."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def rows(page: str) -> list[str]:
    """The agents that are shown without a click, each in one line."""
    agents = page[page.index('id="agents"') : page.index('id="diagnostics"')]
    return [text(one).strip() for one in re.findall(r'class="row"[^>]*><summary>(.*?)</summary>', agents)]


def row(page: str) -> str:
    """The state of the one agent in the one target."""
    [found] = rows(page)
    return found.removeprefix("tester ")


def without_folds(page: str) -> str:
    """The page as it is shown at first: of what is closed, the summaries."""
    shown, depth = [], 0  # how many elements are open since the first closed one
    for part in re.split(r"(<details[^>]*>|</details>)", page):
        if not depth:
            shown.append(part)
        elif depth == 1:
            shown += re.findall(r"^<summary>.*?</summary>", part)
        if part.startswith("<details"):
            depth += 1 if depth or " open" not in part else 0
        elif part == "</details>" and depth:
            depth -= 1
    return "".join(shown)


class Tags(HTMLParser):
    """The elements and their attributes, and whether each that was opened was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


# Content


def test_a_target_without_its_tool_is_listed_and_needs_attention() -> None:
    missing = Diagnostic(Code.TARGET_MISSING, "neither exists", target="codex")
    codex = TARGET.model_copy(update={"name": "codex"})
    page = text(render(view(looked(change(Action.KEEP), missing=(codex,), diagnostics=(missing,)))))
    assert "! Not in sync" in page
    assert "Target codex is missing" in page
    assert "codex ! missing 0" in page


def test_what_is_accepted_is_no_problem_and_is_listed_with_its_reason() -> None:
    edited = Diagnostic(Code.CONFLICT_EDITED, "it was edited", path="/x.md", agent="tester", target="claude")
    hooks = Diagnostic(Code.HOOKS_REFUSED, "it has hooks", path="agents/other.md", agent="other", target="claude")
    accepted = (Accepted(edited, "mine"), Accepted(hooks, "not yet"))
    found = looked(change(Action.CONFLICT, diagnostic=edited), compiled=(product(), product("other", digest="")))
    page = render(view(replace(found, accepted=accepted)))
    assert "✓ In sync" in text(page)
    assert "Needs attention" not in page
    assert rows(page) == ["tester · in conflict, accepted", "other · left out"]
    assert "Accepted: Not yet." in text(page)


def test_all_is_well() -> None:
    page = text(render(view(looked(change(Action.KEEP)))))
    assert "✓ In sync" in page
    assert "Needs attention" not in page
    assert "1 min ago" in page
    assert "in 4 min" in page
    assert "Every file is as its source wants it." in page


@pytest.mark.parametrize(
    ("service_status", "shown"),
    [
        ({"config_error": "config.toml:4: unknown key `brnach`"}, "The configuration has a mistake"),
        ({"suspended": "looking into it"}, "Looking into it. Nothing is changed here meanwhile."),
        ({"sources": (replace(SOURCE, error="no answer", retry_at=NOW + 90),)}, "It is fetched again in 1 min."),
        ({"last": replace(SERVICE_STATUS.last, error="the state is locked")}, "The last cycle could not be run"),  # type: ignore[type-var]
        ({"fallbacks": ("/mnt/agents: a network file system",)}, "Some changes are seen late"),
        ({"sources": (replace(SOURCE, desired="d" * 40),)}, "the latest commit is dddddddddddd"),
    ],
)
def test_trouble_comes_first(service_status: dict[str, object], shown: str) -> None:
    page = text(render(view(looked(change(Action.KEEP)), service_status=replace(SERVICE_STATUS, **service_status))))  # type: ignore[arg-type]
    assert shown in page


def test_a_failed_look_is_reported_and_the_service_is_shown() -> None:
    page = text(render(view(trouble="the state cannot be read", unready="never synced")))
    assert "2 things need attention" in page
    assert "The state cannot be read." in page
    assert "Last good sync" in page
    assert "Agents" not in page


def test_before_the_first_cycle_there_is_a_note() -> None:
    page = text(render(view(service_status=ServiceStatus(config="/c", started_at=NOW), syncs=())))
    assert "! Starting" in page
    assert "none yet" in page
    assert "Nothing has been changed here yet." in page


BASE = Recorded("b" * 64, "tester", "claude", "team", "https://git.example/a.git", "agents/tester.md", COMMIT, "f" * 40)


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (change(Action.KEEP), "✓ in sync"),
        (change(Action.CREATE), "! pending: claude"),
        (change(Action.CONFLICT), "✗ in conflict: claude"),
        (replace(change(Action.RESTORE), base=BASE), "! drifted: claude"),
        (replace(change(Action.UPDATE), base=BASE, actual=Actual(BASE.digest)), "! pending: claude"),
    ],
)
def test_the_status_of_an_agent_in_a_target_is_a_word(made: Change, shown: str) -> None:
    assert row(render(view(looked(made)))) == shown


def test_an_agent_that_is_held_refused_left_out_or_not_used_is_marked() -> None:
    made = change(Action.DELETE)
    held = looked()
    held = replace(held, plan=replace(held.plan, held=(made,)))
    assert row(render(view(held))) == "✗ held: claude"
    assert "1 change held" in text(render(view(held)))
    assert row(render(view(looked(compiled=(product(digest=""),))))) == "✗ refused: claude"
    assert row(render(view(looked(compiled=(replace(product(), excluded=frozenset({"claude"})),))))) == "· left out"
    assert row(render(view(looked()))) == "· not used"


def test_refused_agents_come_first_by_target_with_each_reason_once() -> None:
    """Those that are well are one line, and the state of the target is not "in sync"."""
    wider = [Diagnostic(Code.REFUSED_WIDER, "it grants more", agent=f"bad-{n}", target="claude") for n in range(12)]
    unread = Diagnostic(Code.NO_FRONTMATTER, "there is no frontmatter", path="agents/broken.md")
    compiled = (
        *(product(f"bad-{n}", wider[n], digest="") for n in range(12)),
        replace(product("broken", unread), name="", refused=True, outputs={}),
        *(product(f"good-{n}") for n in range(50)),
    )
    last_good = replace(
        change(Action.KEEP, "bad-3"), base=replace(BASE, source_path="agents/bad-3.md"), actual=Actual(BASE.digest)
    )
    kept = [last_good, *(change(Action.KEEP, f"good-{n}") for n in range(50))]
    page = render(view(looked(*kept, compiled=compiled, diagnostics=(*wider, unread))))
    first = text(page[: page.index('id="targets"')])
    assert "13 agents refused" in first
    assert first.count("It grants more.") == 1
    assert "bad-6, bad-7 and 2 more" in first
    assert "There is no frontmatter. agents/broken.md" in first
    targets = page[page.index('id="targets"') : page.index('id="agents"')]
    assert ("✗ 13 refused" in text(targets), "✓ in sync" in text(targets)) == (True, False)
    assert "/?state=r&amp;target=claude#agents" in targets
    assert "refused : claude; the last good version stays in claude" in text(page)
    shown = without_folds(page)
    assert len(rows(shown)) == 13
    assert "50 agents without problems" in text(shown)
    assert "good-7" not in shown


def test_an_error_that_concerns_no_agent_comes_first_too() -> None:
    nothing = Diagnostic(Code.NO_AGENTS_AT_ALL, "source `team` has no agents at 0123")
    page = text(render(view(looked(compiled=(), diagnostics=(nothing,)))))
    assert "1 thing needs attention" in page
    assert page.index("No source has an agent Source team has no agents") < page.index("The tools that get agents")
    assert "There are none yet." in page


def test_a_loss_is_shown_with_its_reason_place_and_hint() -> None:
    lost = Diagnostic(
        Code.ABILITY_LOST, "cannot use `color`", path="agents/tester.md", line=4, agent="tester", target="claude"
    )
    page = render(view(looked(change(Action.KEEP), compiled=(product("tester", lost),), diagnostics=(lost,))))
    assert row(page) == "✓ in sync"
    shown = text(page)
    assert "warning AS318 The agent can no longer do something that it can do in its own tool." in shown
    assert "Cannot use color . (claude) agents/tester.md:4" in shown
    assert Code.ABILITY_LOST.remedy.replace("`", "") in shown
    tags = Tags(page)
    assert "#cause-0" in tags.values("href")
    assert "cause-0" in tags.values("id")


def test_a_cause_is_listed_once_and_errors_first() -> None:
    lost = [
        Diagnostic(Code.MODEL_UNKNOWN, "no model for `sonnet`", path=f"agents/{n}.md", agent=f"a-{n}", target=target)
        for n in range(40)
        for target in ("claude", "codex")
    ]
    error = Diagnostic(Code.CONFLICT_EDITED, "it was edited", path="/x.md", agent="a-1", target="claude")
    page = render(view(looked(compiled=(), diagnostics=(*lost, error))))
    section = page[page.index('id="diagnostics"') : page.index('id="differences"')]
    shown = text(section)
    assert "1 error, 80 warnings; each cause is listed once." in shown
    assert shown.index("AS402") < shown.index("AS303")
    assert shown.count("No model for sonnet . (claude, codex)") == 1
    assert shown.count("40 agents") == 2
    assert (shown.count(" a-39"), "a-39" in without_folds(section)) == (1, False)


def test_a_difference_is_shown_line_by_line_and_not_without_end() -> None:
    made = change(Action.CONFLICT)
    lines = ["--- a/x", "+++ b/x", "@@ -1 +1 @@", "-mine", "+the team's", *(f" {n}" for n in range(1000))]
    page = render(view(looked(made), differences={made.key: "\n".join(lines)}))
    assert '<span class="del">-mine</span>' in page
    assert '<span class="add">+the team&#x27;s</span>' in page
    assert "And 605 more" in text(page)
    assert "<span> 999</span>" not in page


def test_private_content_is_not_shown() -> None:
    page = render(view(looked(change(Action.CONFLICT)), differences=None))
    assert "on this machine only" in page
    assert "<pre" not in page


def test_a_thousand_of_everything_is_a_page_that_can_be_read() -> None:
    names = [f"agent-{number}" for number in range(1000)]
    diagnostics = tuple(Diagnostic(Code.FIELD_LOST, "lost", agent=name) for name in names)
    made = [change(Action.UPDATE, name) for name in names]
    page = render(view(looked(*made, compiled=tuple(map(product, names)), diagnostics=diagnostics)))
    assert len(rows(page)) == 1000
    assert len(rows(without_folds(page))) == 20
    assert "980 more agents" in text(page)
    assert text(without_folds(page)).count("agent-9") < 50
    assert "480 more files" in text(page)
    assert "And 500 more; agentsync plan" in text(page)
    assert len(page) < 1_000_000


def test_the_history_is_newest_first_and_names_each_action() -> None:
    syncs = [
        Sync("22", NOW - 10, NOW - 9, "source_unavailable", {"team": COMMIT}, {"create": 2, "keep": 7, "held": 0}),
        Sync("11", NOW - 99, None, "", {}, {}),
    ]
    page = text(render(view(looked(change(Action.KEEP)), syncs=syncs)))
    assert page.index("! source unavailable") < page.index("! unfinished")
    assert f"team {COMMIT[:12]} 2 create " in page


# Markup


def everything(words: str) -> str:
    """A page with these words in every place for text from elsewhere."""
    lost = Diagnostic(Code.FIELD_LOST, words, path=words, agent=words, target=words, hint=words)
    clash = replace(change(Action.CONFLICT, words), diagnostic=lost, path=words)
    made = looked(
        clash,
        compiled=(replace(product(), name=words, description=words, path=words, source=words),),
        diagnostics=(lost,),
        suspension=Suspension(1.0, words),
        targets=(TARGET.model_copy(update={"name": words}),),
    )
    service_status = replace(
        SERVICE_STATUS,
        config=words,
        config_error=words,
        suspended=words,
        fallbacks=(words,),
        sources=(SourceStatus(words, words, words, words, words, NOW, words, NOW),),
        last=replace(SERVICE_STATUS.last, error=words) if SERVICE_STATUS.last else None,
    )
    syncs = [Sync(words, 1.0, 2.0, words, {words: words}, {words: 1})]
    return render(
        view(
            made,
            service_status=service_status,
            unready=words,
            trouble=words,
            differences={clash.key: f"+{words}"},
            syncs=syncs,
        )
    )


def test_no_text_becomes_markup() -> None:
    plain, evil = Tags(everything("words")), Tags(everything(EVIL))
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(attributes) for _, attributes in evil.elements] == [
        sorted(attributes) for _, attributes in plain.elements
    ]
    assert "\u202e" not in everything(EVIL)
    assert everything(EVIL).count("&lt;script&gt;") > 20


def test_ids_are_there_once_and_every_link_within_leads_somewhere() -> None:
    tags = Tags(everything("words"))
    ids = tags.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tags.values("href") if link.startswith("#")} <= set(ids)
    assert set(tags.values("aria-labelledby")) <= set(ids)


def test_it_asks_nobody_for_anything() -> None:
    page = render(view(looked(change(Action.KEEP))))
    tags = Tags(page)
    assert {tag for tag, _ in tags.elements}.isdisjoint({"img", "iframe", "form", "object", "base"})
    assert [attributes for tag, attributes in tags.elements if tag == "script"] == [{}]
    assert not tags.values("src")
    assert not tags.values("style")
    assert not re.search(r"url\(|@import|http-equiv|\bon[a-z]+=|fetch|eval|innerHTML", page)
    assert all(link.startswith(("/", "#", "data:image/svg+xml")) for link in tags.values("href"))


def test_its_policy_lets_in_its_own_style_and_script_and_no_other() -> None:
    page = render(view(looked(change(Action.KEEP))))
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    for tag in ("style", "script"):
        [own] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"


def test_tables_name_their_rows_and_columns() -> None:
    page = render(view(looked(change(Action.KEEP))))
    tags = Tags(page)
    headers = [attributes.get("scope") for tag, attributes in tags.elements if tag == "th"]
    assert headers
    assert set(headers) == {"col", "row"}
    tables = sum(tag == "table" for tag, _ in tags.elements)
    assert sum(tag == "caption" for tag, _ in tags.elements) == tables


def test_markup_is_kept_and_text_is_escaped() -> None:
    assert html("a<b", element("i", "c&d")) == "a&lt;b<i>c&amp;d</i>"
    assert element("a", "x", href='"><b>', class_="q", aria_label="l", open=True, hidden=False, title=None) == (
        '<a href="&quot;&gt;&lt;b&gt;" class="q" aria-label="l" open>x</a>'
    )
    assert void("meta", name="viewport") == '<meta name="viewport">'
    assert html("a\u200bb\x1b[0m\n\tc") == "a\\u200bb\\x1b[0m\n\tc"
