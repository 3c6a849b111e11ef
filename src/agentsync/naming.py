"""Names of agents: what they are called in files, and what makes a name unsafe or misleading."""

from __future__ import annotations

import re
import unicodedata

# Device names that Windows reserves with any extension:
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
WINDOWS_DEVICES = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789¹²³"),
    }
)

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

# Scripts whose letters are drawn like Latin ones.
_CONFUSABLE_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")

# What file systems take (255 bytes), less what a suffix and a temporary file's name add.
_MAX_SLUG = 200
_MAX_NAME = 256


def slug(name: str) -> str:
    """The name in lower-case ASCII letters, digits and dashes, which every tool accepts; empty if nothing is left."""
    plain = "".join(character for character in unicodedata.normalize("NFKD", name) if character.isascii())
    return _NOT_SLUG.sub("-", plain.lower()).strip("-")


def is_slug(name: str) -> bool:
    return SLUG.fullmatch(name) is not None


def is_unsafe(name: str) -> bool:
    """Whether the name could mean another place, or an option, where it is used as a file name."""
    return (
        name.startswith(("-", "~"))
        or ".." in name
        or any(character in "/\\" or unicodedata.category(character) == "Cc" for character in name)
        or len(name) > _MAX_NAME
        or not 0 < len(slug(name)) <= _MAX_SLUG
    )


def is_windows_device(stem: str) -> bool:
    return stem.split(".", 1)[0].rstrip(" ").lower() in WINDOWS_DEVICES


def mixes_scripts(name: str) -> bool:
    """Whether Latin letters stand beside letters of a script that looks like Latin."""
    scripts = {unicodedata.name(character, "").split(" ", 1)[0] for character in name if character.isalpha()}
    return "LATIN" in scripts and any(script in scripts for script in _CONFUSABLE_SCRIPTS)


# Characters that no font draws, or that reorder what is drawn. Joiners and variation selectors are left out: they
# are ordinary in emoji and in many scripts.
_HIDDEN = re.compile(
    "[\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\U000e0001\U000e0020-\U000e007f]"  # tags
)
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f]")


def hidden_character(text: str) -> int:
    """The index of the first character that a reader cannot see, or -1."""
    if text.isascii():
        return -1
    found = _HIDDEN.search(text)
    return found.start() if found else -1


def has_hidden_character(name: str) -> bool:
    """The stricter rule for names, where joiners have no business either."""
    return hidden_character(name) >= 0 or _JOINERS.search(name) is not None


def folded_key(key: str) -> str:
    """A key without case, dashes and underscores: `disallowed-tools` and `disallowedTools` mean the same."""
    return key.lower().replace("-", "").replace("_", "")
