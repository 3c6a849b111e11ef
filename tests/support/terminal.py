"""The program at a terminal, where it asks and somebody answers."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

from support.forkserver import Child
from support.machine import Machine

_SECONDS = 30


def answered(machine: Machine, arguments: Sequence[str], answers: Sequence[tuple[str, str]]) -> tuple[int, str, str]:
    """Run the program, and answer each question once it is shown.

    Args:
        machine: where it runs.
        arguments: its command line.
        answers: a part of each question, and the line that is typed, in this order.

    Returns:
        The exit status, standard output, and what the terminal shows.
    """
    ours, theirs = os.openpty()
    output = machine.root / "output"
    with output.open("wb") as file:
        streams = [theirs, file.fileno(), theirs]
        process = Child(arguments, environment=machine.environment, cwd=machine.root, streams=streams)
    os.close(theirs)
    shown, rest = "", [*answers]
    try:
        while select.select([ours], [], [], _SECONDS)[0] and (chunk := os.read(ours, 4096)):
            shown += chunk.decode()
            while rest and rest[0][0] in shown:
                question, answer = rest.pop(0)
                shown = shown.rpartition(question)[2]
                os.write(ours, f"{answer}\n".encode())
    except OSError:  # Linux's error for a closed other end
        pass
    os.close(ours)  # which ends the program where it still waits for an answer
    code = process.wait(_SECONDS)
    assert rest == [], f"{rest} was not asked: {shown}"
    return code, output.read_text(encoding="utf-8"), shown
