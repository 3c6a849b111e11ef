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
    """The text that a screen reader reads: without markup and style, each blank once."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def cell(page: str) -> str:
    """The status of the one agent in the one target."""
    agents = page[page.index('id="agents"') : page.index('id="diagnostics"')]
    return text(re.findall(r"<td>(.*?)</td>", agents)[0]).strip()


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
        if tag not in ("meta", "link"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


# Content


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
        (change(Action.CREATE), "! pending"),
        (change(Action.CONFLICT), "✗ in conflict"),
        (replace(change(Action.RESTORE), base=BASE), "! drifted"),
        (replace(change(Action.UPDATE), base=BASE, actual=Actual(BASE.digest)), "! pending"),
    ],
)
def test_the_status_of_an_agent_in_a_target_is_a_word(made: Change, shown: str) -> None:
    assert cell(render(view(looked(made)))) == shown


def test_an_agent_that_is_held_refused_left_out_or_not_used_is_marked() -> None:
    made = change(Action.DELETE)
    held = looked()
    held = replace(held, plan=replace(held.plan, held=(made,)))
    assert cell(render(view(held))) == "✗ held"
    assert "1 change held" in text(render(view(held)))
    assert cell(render(view(looked(compiled=(product(digest=""),))))) == "✗ refused"
    assert cell(render(view(looked(compiled=(replace(product(), excluded=frozenset({"claude"})),))))) == "· left out"
    assert cell(render(view(looked()))) == "· not used"


def test_a_loss_is_shown_with_its_reason_place_and_hint() -> None:
    lost = Diagnostic(
        Code.ABILITY_LOST, "cannot use `color`", path="agents/tester.md", line=4, agent="tester", target="claude"
    )
    page = render(view(looked(change(Action.KEEP), compiled=(product("tester", lost),), diagnostics=(lost,))))
    assert cell(page) == "✓ in sync 1 diagnostic"
    shown = text(page)
    assert "warning AS318 cannot use color" in shown
    assert "at agents/tester.md:4" in shown
    assert Code.ABILITY_LOST.remedy in shown
    tags = Tags(page)
    assert "#agent-tester" in tags.values("href")
    assert ("ul", {"id": "agent-tester"}) in tags.elements


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
    assert "And 500 more; agentsync list agents" in text(page)
    assert "And 500 more; agentsync status -vv" in text(page)
    assert "And 800 more; agentsync plan" in text(page)
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
    assert {tag for tag, _ in tags.elements}.isdisjoint({"script", "img", "iframe", "form", "object", "base"})
    assert not tags.values("src")
    assert not tags.values("style")
    assert not re.search(r"url\(|@import|http-equiv|\bon[a-z]+=", page)
    assert all(link.startswith(("/", "#", "data:image/svg+xml")) for link in tags.values("href"))


def test_its_policy_lets_in_its_own_style_and_no_other() -> None:
    page = render(view(looked(change(Action.KEEP))))
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "script-src" not in POLICY


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
