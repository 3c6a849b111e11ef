"""Checks on an agent that no single tool would make."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import JsonValue

from agentsync.agents.model import Agent
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import hidden_in_text, is_slug, is_windows_device, mixes_scripts, name_key
from agentsync.core.suggest import nearest
from agentsync.formats.document import Document, control_character, decode

_MAX_DESCRIPTION = 1024

# Formats of credentials that their issuers document; a match is reported by its place and never by its text. The key
# that AWS uses in all of its own examples does not match.
_SECRETS = {
    "an AWS access key": (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)(?![0-9A-Z]{9}EXAMPLE)[0-9A-Z]{16}\b")),
    "a GitHub token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
    ),
    "a GitLab token": (("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    "an Anthropic key": (("sk-ant-",), re.compile(r"\bsk-ant-[A-Za-z0-9]{3,}-[A-Za-z0-9_-]{40,}")),
    "an OpenAI key": (("sk-",), re.compile(r"\bsk-(?!ant-)(?:proj-)?[A-Za-z0-9_-]{40,}\b")),
    "a Slack token": (("xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"), re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}")),
    "a Google API key": (("AIza",), re.compile(r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])")),
    "a Stripe key": (("sk_live_", "rk_live_"), re.compile(r"\b[sr]k_live_[0-9A-Za-z]{20,}")),
    "an npm token": (("npm_",), re.compile(r"\bnpm_[0-9A-Za-z]{36}\b")),
    "a private key": (
        ("PRIVATE KEY-----",),
        re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40,}"),
    ),
}


def check_agent(agent: Agent, document: Document) -> list[Diagnostic]:
    """Return the diagnostics on one agent, with lines of its file."""
    return [*_check_name(agent, document), *_check_description(agent, document), *_check_text(agent, document)]


def _check_name(agent: Agent, document: Document) -> Iterator[Diagnostic]:
    line = document.lines.get("name", 0)
    if is_windows_device(agent.slug):
        yield Diagnostic(Code.NAME_RESERVED, f"`{agent.name}` is the name of a device on Windows", line=line)
    if mixes_scripts(agent.name):
        yield Diagnostic(Code.NAME_CONFUSABLE, f"{agent.name!r} mixes letters of several scripts", line=line)
    elif not is_slug(agent.name) and name_key(agent.name) == agent.slug:  # a name in another script is as good
        message = f"{agent.name!r} becomes `{agent.slug}` where a tool or a file name needs it"
        yield Diagnostic(Code.NAME_NOT_SLUG, message, line=line)


def _check_description(agent: Agent, document: Document) -> Iterator[Diagnostic]:
    """Report a misspelt key, which may also be why the file was taken for an agent of a tool that needs none."""
    if agent.description:
        return
    for key in document.metadata:
        if key != "description" and nearest(key, ("description",)):
            message = f"`{key}` is not read, and there is no description: did you mean `description`?"
            yield Diagnostic(Code.DESCRIPTION_MISSPELT, message, line=document.lines.get(key, 0))


def _check_text(agent: Agent, document: Document) -> Iterator[Diagnostic]:
    if len(agent.description) > _MAX_DESCRIPTION:
        message = f"the description has {len(agent.description)} characters"
        yield Diagnostic(Code.DESCRIPTION_LONG, message, line=document.lines.get("description", 0))
    if not agent.prompt.strip():
        yield Diagnostic(Code.BODY_EMPTY, "there are no instructions")
    for code, message, line in hostile(document):
        yield Diagnostic(code, message, line=line)


def masked(diagnostic: Diagnostic) -> Diagnostic:
    """Hide what looks like a credential in a diagnostic, which may quote a name or a value that contains one."""
    if not any(map(_may_have_secret, (diagnostic.message, diagnostic.hint, diagnostic.agent))):
        return diagnostic
    message, hint, agent = map(_masked, (diagnostic.message, diagnostic.hint, diagnostic.agent))
    # Thousands of agents have the same messages, so each text is kept once.
    return replace(diagnostic, message=sys.intern(message), hint=hint, agent=agent)


_BEGINNINGS = tuple(beginning for beginnings, _ in _SECRETS.values() for beginning in beginnings)


def _may_have_secret(text: str) -> bool:
    """Whether a text has the beginning of a credential; to search for these is much cheaper than for the rest."""
    for beginning in _BEGINNINGS:  # noqa: SIM110 - a generator takes twice the time
        if beginning in text:
            return True
    return False


def _masked(text: str) -> str:
    for beginnings, pattern in _SECRETS.values():
        if any(beginning in text for beginning in beginnings):
            text = pattern.sub("(hidden)", text)
    return text


def hostile(document: Document) -> Iterator[tuple[Code, str, int]]:
    """Find invisible characters and credentials: code, message and line, each kind once.

    The values are checked as well as the file's text, since formats have escapes for every character.
    """
    text, _, _ = decode(document.data, document.path)
    seen: set[str] = set()
    values = [*_values(document)]
    if not _may_be_hostile("\n".join(part for part, _ in values)):
        values = []  # of nearly every file
    for part, line in [(text, 0), *values]:
        for code, message, index in _hostile_text(part, raw=line == 0):
            if message not in seen:
                seen.add(message)
                yield code, message, line or text.count("\n", 0, index) + 1


def _may_be_hostile(values: str) -> bool:
    """Whether a text that holds values, each on a line of its own, may have something that one of them has."""
    return control_character(values) >= 0 or hidden_in_text(values) >= 0 or _may_have_secret(values)


def _hostile_text(text: str, *, raw: bool) -> Iterator[tuple[Code, str, int]]:
    """Yield code, message and index; control characters in the file's `raw` text are reported by its reader."""
    if not raw and (index := control_character(text)) >= 0:
        yield Code.CONTROL_CHARACTER, f"an escape represents the control character U+{ord(text[index]):04X}", index
    if (index := hidden_in_text(text)) >= 0:
        yield Code.HIDDEN_UNICODE, f"U+{ord(text[index]):04X} cannot be seen", index
    for kind, (beginnings, pattern) in _SECRETS.items() if _may_have_secret(text) else ():
        if any(beginning in text for beginning in beginnings) and (match := pattern.search(text)):
            yield Code.SECRET, f"this looks like {kind}", match.start()


def _values(document: Document) -> Iterator[tuple[str, int]]:
    """Yield every key and text among the values, with the line of its top-level key."""
    for key, value in document.metadata.items():
        line = document.lines.get(key) or 1
        yield from ((text, line) for text in (key, *_texts(value)))


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
