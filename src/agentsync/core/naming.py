"""Agent names: the file names derived from them, and checks for unsafe or misleading ones."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

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
_DRIVE = re.compile(r"[A-Za-z]:/")

# Scripts whose letters are drawn like Latin ones.
_CONFUSABLE_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")

# The limit of file systems (255 bytes), less what a suffix and the name of a temporary file add.
_MAX_SLUG = 200
_MAX_NAME = 256
_DIGEST = 8


def slug(name: str, stem: str = "") -> str:
    """Reduce a name to lower-case ASCII letters, digits and dashes, which every tool accepts; may be empty.

    Accents, emoji and punctuation are left out, but no letter: a name that would lose one becomes the stem of its file,
    or its transliteration where that would lose letters too.
    """
    if (made := _without_accents(name)) is not None:
        return made
    return _without_accents(stem) or _transliterated(name)


def name_key(name: str) -> str:
    """Return what equal names have in common, however they are written: the slug, or the text where that loses letters.

    No two names have the same key because of a stem or a transliteration.
    """
    made = _without_accents(name)
    return visible(name).casefold() if made is None else made


def _without_accents(name: str) -> str | None:
    """Return the slug of a name in Latin letters; None where letters, or all of another name, would be lost."""
    if name.isascii():
        return _to_slug(name)
    decomposed = unicodedata.normalize("NFKD", name)
    made = _to_slug("".join(character for character in decomposed if character.isascii()))
    lost = any(unicodedata.category(character)[0] in "LN" for character in decomposed if not character.isascii())
    return None if lost or not made else made


def _transliterated(name: str) -> str:
    """Return a slug of other letters' sounds, cut to the limit; one that is cut ends with a digest of the name."""
    return shortened(_to_slug(anyascii(name)), _MAX_SLUG)


def shortened(text: str, length: int) -> str:
    """Shorten a slug to a length in characters; a digest of all of it keeps what was different so."""
    if len(text) <= length:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: length - _DIGEST - 1].rstrip('-')}-{mark}"


def _to_slug(text: str) -> str:
    return _NOT_SLUG.sub("-", text.lower()).strip("-")


def is_slug(name: str) -> bool:
    return SLUG.fullmatch(name) is not None


def is_unsafe(name: str, stem: str = "") -> bool:
    """Whether the name could be meant as a path or an option, or makes no file name.

    A slash between words, as in `UI/UX Designer`, is an ordinary sign: files are called after the slug.

    Args:
        name: as its author wrote it.
        stem: of the agent's file.
    """
    return (
        name.startswith(("-", "~"))
        or ".." in name
        or ("/" in name and any(part.strip() in ("", ".") for part in name.split("/")))
        or _DRIVE.match(name) is not None
        or any(character == "\\" or unicodedata.category(character) == "Cc" for character in name)
        or len(name) > _MAX_NAME
        or not 0 < len(slug(name, stem)) <= _MAX_SLUG
    )


def is_windows_device(stem: str) -> bool:
    return stem.split(".", 1)[0].rstrip(" ").lower() in WINDOWS_DEVICES


def mixes_scripts(name: str) -> bool:
    """Whether a name has both Latin letters and letters of a script that looks like Latin."""
    scripts = {unicodedata.name(character, "").split(" ", 1)[0] for character in name if character.isalpha()}
    return "LATIN" in scripts and any(script in scripts for script in _CONFUSABLE_SCRIPTS)


_ASCII = bytes(range(0x80))

# Characters that no font draws, or that reorder what is drawn: what Unicode calls default ignorable. Joiners and
# variation selectors are left out: they are ordinary in emoji and in many scripts.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"  # tags
)
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Each of these is ordinary by itself. Three in a row belong to no emoji and no script: they hide bytes.
_ROW = re.compile("[\u061c\u200c-\u200f\ufe00-\ufe0f\U000e0100-\U000e01ef]{3}")
# Allowed in text: the marks that right-to-left scripts need, and the flags that are written with tags.
_REGIONS = "|".join("".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls"))
_ORDINARY = re.compile(f"[\u061c\u200e\u200f]|\U0001f3f4(?:{_REGIONS})\U000e007f")


def beyond_ascii(text: str) -> str:
    """Return the characters of a text that are not ASCII: a few where a search through all of it is slow."""
    if text.isascii():
        return ""
    # Bytes are deleted a hundred times faster than a regular expression passes over them.
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def hidden_character(text: str) -> int:
    """Index of the first character that a reader cannot see, or -1."""
    if text.isascii():
        return -1
    match = _HIDDEN.search(text)
    return match.start() if match else -1


def hidden_in_text(text: str) -> int:
    """Index of the first hidden character in running text, where more is ordinary, though not in a row; or -1."""
    rest = beyond_ascii(text)
    if not (_HIDDEN.search(rest) or _ROW.search(rest)):
        return -1  # nearly every text ends here
    row = _ROW.search(text)
    hidden = hidden_character(_ORDINARY.sub(lambda match: "-" * len(match[0]), text))
    return row.start() if row and not 0 <= hidden < row.start() else hidden


def has_hidden_character(name: str) -> bool:
    """Whether a name has a hidden character; stricter than for text, since joiners count where nothing needs them."""
    if hidden_character(name) >= 0 or _ROW.search(name):
        return True
    return any(not _joins(name[: match.start()], name[match.end() :]) for match in _JOINERS.finditer(name))


def _joins(before: str, after: str) -> bool:
    """Whether a joiner is ordinary here: in an emoji, or in a script without capitals, such as Persian and Hindi."""
    if after.startswith("\N{COMBINING ENCLOSING KEYCAP}"):
        return True
    last = before[-1:]
    if not last or last.isascii():
        return False
    scripted = unicodedata.category(last) in _JOINING and not unicodedata.name(last, "").startswith("COMBINING")
    return scripted or _JOINERS.fullmatch(last) is not None


# Emoji and signs; letters without capitals, and their marks.
_JOINING = frozenset({"So", "Sk", "Sm", "Po", "Lo", "Mc", "Mn"})


# Small letters of those scripts, and the Latin letters that they or their capitals look like.
_DRAWN = str.maketrans("авеӏкмнорстухіјѕһԁԛԝαβεηικμνορτυχ", "abelkmhopctyxijshdqwabehikmvoptyx")


def visible(text: str) -> str:
    """Normalize text to what a reader sees: nothing hidden, and one form of each sign, as `:` for all colons."""
    if text.isascii():
        return text
    plain = _JOINERS.sub("", _HIDDEN.sub("", unicodedata.normalize("NFKC", text)))
    return plain.replace("\N{RATIO}", ":")


def folded_key(key: str) -> str:
    """Fold case, dashes, underscores and blanks, so that `disallowed-tools` and `disallowedTools` are the same key.

    Letters that look like Latin ones are read as those, and hidden characters are ignored.
    """
    # Every dialect asks for every key, and agents share a few dozen. Long ones would take too much memory.
    return _folded_once(key) if len(key) <= _MOST_REMEMBERED else _folded(key)


def _folded(key: str) -> str:
    if not key.isascii():
        key = visible(key).lower().translate(_DRAWN)
    return key.lower().replace("-", "").replace("_", "").replace(" ", "")


_MOST_REMEMBERED = 64
_folded_once = lru_cache(maxsize=4096)(_folded)
