"""The pages about processes say what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crossdock.process_pages import FALLBACKS_PAGE, process_pages
from processes.diagram import draw
from processes.fallbacks import FALLBACKS, Operation
from processes.inventory_sync import INVENTORY_SYNC
from processes.registry import PROCESSES, Process
from processes.steps import DONE, Outcome, Step, Verdict, Waits
from schema.enums import SourceSystem

PAGES = Path(__file__).parents[3] / "docs/processes"
_STATES = re.compile(r"^\s+(\S+) --> (\S+)", re.MULTILINE)


async def do(case: object) -> Outcome:
    """Do it."""
    del case
    return DONE


async def undo(case: object) -> None:
    """Take it back."""
    del case


async def look(case: object) -> Outcome:
    """Wait on."""
    del case
    return Outcome(Verdict.HELD)


def step(name: str, *, back: bool = False, gate: bool = False) -> Step[object]:
    made = Step(name, SourceSystem.CLOUD_ERP, "{id}", do)
    return replace(made, undo=undo if back else None, waits=Waits(look, ()) if gate else None)


def arrows(*steps: Step[object]) -> set[tuple[str, str]]:
    return set(_STATES.findall(draw(steps)))


def test_the_pages_are_up_to_date():
    wanted = process_pages()
    kept = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert kept == wanted, "run 'crossdock processes'"


def test_every_cell_of_the_fallbacks_is_shown():
    lines = process_pages()[FALLBACKS_PAGE].splitlines()
    shown = {line.split("`")[1]: line.split(" | ")[1:] for line in lines if line.startswith("| `")}
    assert set(shown) == {system.value for system, _ in FALLBACKS}
    for system, cells in shown.items():
        asked = [(SourceSystem(system), operation) in FALLBACKS for operation in Operation]
        assert [cell.rstrip(" |") != "-" for cell in cells] == asked


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_every_state_of_a_diagram_is_reached_and_left(process: Process):
    edges = _STATES.findall(draw(process.steps))
    sources, targets = {source for source, _ in edges}, {target for _, target in edges}
    assert sources == targets
    reached, last = set[str](), {"[*]"}
    while last:
        reached |= last
        last = {target for source, target in edges if source in last} - reached
    assert reached == sources


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_every_process_says_what_it_is_about(process: Process):
    assert re.match(r"P[1-9] \S", process.title)
    assert (process.about or "").startswith(process.title[:2])


def test_every_process_of_the_domain_has_a_page():
    numbers = {name[:2] for name in process_pages() if name not in ("README.md", FALLBACKS_PAGE)}
    assert numbers == {f"p{number}" for number in range(1, 10)}


def test_a_refusal_takes_back_what_was_begun_the_last_first():
    found = arrows(step("a", back=True), step("b"), step("c", back=True), step("d"))
    assert {("do_a", "undo_a"), ("do_b", "undo_a"), ("do_c", "undo_c"), ("do_d", "undo_c")} <= found
    assert {("undo_c", "undo_a"), ("undo_a", "FAILED")} <= found


def test_a_refusal_with_nothing_to_take_back_ends_the_process():
    assert ("do_a", "FAILED") in arrows(step("a"), step("b", back=True))


def test_a_gate_is_left_by_a_decision_a_refusal_or_others():
    found = {target for source, target in arrows(step("a", back=True), step("b", gate=True)) if source == "waits_at_b"}
    assert found == {"do_b", "undo_a", "CANCELLED"}


def test_the_stock_is_kept_by_routines_that_say_what_they_do():
    page = process_pages()["p8-inventory-sync.md"]
    assert all(f"`{routine.name}`" in page for routine in INVENTORY_SYNC)
