"""Instructions that a tool treats as a template: it replaces a `${word}` in them, or ends the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from agentsync.agents.model import Agent
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Reading

_FENCE: Final = re.compile(r"^[ \t>]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)", re.ASCII | re.MULTILINE)
_SHELLS: Final = frozenset("bash sh shell zsh ksh console terminal shellscript shell-session dockerfile".split())
_JOINING: Final = re.compile(r"[\w\[]", re.ASCII)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """How a tool fills in instructions.

    Attributes:
        title: the tool's display name, for messages.
        values: the words that it has a value for.
        word: what a word is, as a regular expression.
    """

    title: str
    values: frozenset[str]
    word: str

    @property
    def _placeholder(self) -> re.Pattern[str]:
        return re.compile(rf"\$\{{({self.word})\}}", re.ASCII)

    def read(self, reading: Reading) -> Reading:
        """Note the words of an own agent's instructions that get a value, and report one that has none."""
        if reading.agent is None:
            return reading
        words = dict.fromkeys(self._placeholder.findall(reading.agent.prompt))
        agent = reading.agent.model_copy(update={"filled": tuple(word for word in words if word in self.values)})
        if missing := [word for word in words if word not in self.values]:
            word = f"`${{{missing[0]}}}`"
            message = f"{self.title} has no value for {word} in the instructions, and so cannot run the agent"
            problem = Diagnostic(Code.INVALID_VALUE, message, hint=f"write `${missing[0]}`")
            return replace(reading, agent=agent, diagnostics=(*reading.diagnostics, problem))
        return replace(reading, agent=agent)

    def escaped(self, agent: Agent) -> tuple[Agent, list[Diagnostic]]:
        """An agent of another tool with the same instructions in a form that is no template, and a report of that."""
        forms: dict[str, str] = {}

        def spell(match: re.Match[str], language: str) -> str:
            form = _harmless(match[0], agent.prompt[match.end() : match.end() + 1], language)
            forms.setdefault(match[0], form)
            return form

        prompt = _with_languages(self._placeholder, agent.prompt, spell)
        if not forms:
            return agent, []
        if match := self._placeholder.search(prompt):
            message = f"{self.title} puts a value for `{match[0]}` in the instructions, or cannot run the agent"
            return agent, [Diagnostic(Code.REFUSED_REQUIRED, message)]
        shown = ", ".join(f"`{form}` for `{given}`" for given, form in [*forms.items()][:3])
        message = f"{self.title} would fill in its instructions, so they have {shown}"
        more = f" and {len(forms) - 3} more" * (len(forms) > 3)  # noqa: PLR2004 (as many as are shown)
        return agent.model_copy(update={"prompt": prompt}), [Diagnostic(Code.TEMPLATE_ESCAPED, message + more)]


def _harmless(placeholder: str, after: str, language: str) -> str:
    """The same in a form that no tool fills in, and that means the same in the language around it.

    A shell, and whoever reads the name of a variable of the environment, takes `$NAME`, or `${NAME-}` where a letter
    follows. Templates of JavaScript and most others ignore blanks.
    """
    word = placeholder[2:-1]
    if language in _SHELLS or (not language and word.isupper()):
        is_joined = _JOINING.match(after) or (word.isdigit() and len(word) > 1)
        return f"${{{word}-}}" if is_joined else f"${word}"
    return f"${{ {word} }}"


def _with_languages(placeholder: re.Pattern[str], prompt: str, spell: Callable[[re.Match[str], str], str]) -> str:
    """Replace each placeholder, given the language of the code block that it is in; empty outside of one."""
    changes = [(match.start(), match) for match in placeholder.finditer(prompt)]
    fences = [(match.start(), match) for match in _FENCE.finditer(prompt)] if changes else []
    fence = language = ""
    parts: list[str] = []
    end = 0
    for _, match in sorted((*changes, *fences), key=lambda pair: pair[0]):
        if match.re is placeholder:
            parts += [prompt[end : match.start()], spell(match, language)]
            end = match.end()
        elif not fence:
            fence, language = match["fence"], match["language"].lower() or "text"
        elif match["fence"].startswith(fence) and not match["language"]:
            fence, language = "", ""
    return "".join([*parts, prompt[end:]])
