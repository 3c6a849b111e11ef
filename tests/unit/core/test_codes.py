"""The table of diagnostic codes: ids that stay unique and ordered, and sentences that users can read."""

from __future__ import annotations

import re
from itertools import groupby

import pytest

from agentsync.core.codes import Code

_MAX_SENTENCE = 160
_GROUP = slice(0, 3)
_SENTENCE = re.compile(r"[A-Z][^\n]*\.")


def test_ids_are_unique() -> None:
    ids = [code.id for code in Code]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"AS[1-5]\d\d", id_) for id_ in ids)


def test_ids_ascend_within_their_group() -> None:
    groups = [(prefix, [*ids]) for prefix, ids in groupby((code.id for code in Code), key=lambda id_: id_[_GROUP])]
    assert [prefix for prefix, _ in groups] == ["AS1", "AS2", "AS3", "AS4", "AS5"]
    assert all(ids == sorted(ids) for _, ids in groups)


@pytest.mark.parametrize("field", ["cause", "remedy", "effect"])
def test_every_code_has_short_whole_sentences(field: str) -> None:
    sentences = {code.name: getattr(code, field) for code in Code}
    assert [name for name, sentence in sentences.items() if not _SENTENCE.fullmatch(sentence)] == []
    assert [name for name, sentence in sentences.items() if len(sentence) > _MAX_SENTENCE] == []
