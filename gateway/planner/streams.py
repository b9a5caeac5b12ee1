"""Split the requests below streamed lists, so that the first items do not wait for what only the later ones need.

1. A request about items of a list is split unless something that reads it needs all of the items before the later ones
   are delivered; that is decided from the last request to the first.
2. A request that n lists split becomes n + 1: one for the first items of every list, and one for each list with its
   later items: those of lists around it are all in that one, of lists inside it the first ones.
3. A part waits for what it reads: for the same side of a list where the list splits both, else for all sides.

Invariant: what the first items need belongs to the part of the answer that has the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.operation.document import DeferredSelection, SelectedField
from gateway.plan.nodes import Path, SliceStep, TypeStep
from gateway.planner.draft import Draft
from gateway.planner.requests import Request
from gateway.planner.steps import Position, Step

__all__ = ["split_by_streams"]


@dataclass(frozen=True, eq=False, slots=True)
class _Stream:
    """A streamed list.

    Attributes:
        part: number of the part that delivers its later items.
        count: how many items come first.
        home: number of the part that has the list itself, None for the first answer.
        items: the position of its items.
    """

    part: int
    count: int
    home: int | None
    items: Position

    def has(self, position: Position | None) -> bool:
        """Tell whether a position is that of the items or below them."""
        while position is not None:
            if position is self.items:
                return True
            position = position.parent
        return False

    def asks(self, step: Step) -> bool:
        """Tell whether a step asks about the items themselves."""
        return not step.enters_root and self.has(step.position)

    def concerns(self, step: Step) -> bool:
        """Tell whether a step may read anything of the items, from within them or from around the list."""
        if step.position is None:
            return False
        one, other = _keys(step.position.path), _keys(self.items.path)
        shorter = min(len(one), len(other))
        return one[:shorter] == other[:shorter]


def _keys(path: Path) -> Path:
    """Return a path without its type conditions: objects of one place are the same whoever narrows them."""
    return tuple(step for step in path if not isinstance(step, TypeStep))


def split_by_streams(
    requests: Sequence[Request],
    fields: Sequence[SelectedField],
    draft: Draft,
    deferred: Sequence[DeferredSelection],
) -> list[Request]:
    """Return the requests with those below streamed lists split, in an order in which they can run."""
    if all(part.initial_count is None for part in deferred):
        return list(requests)
    streams = list(_find(fields, draft.root, draft))
    split = _choose(requests, streams, deferred)
    copies = {request: list(_copies(request, split[request])) for request in requests}
    for request, own in copies.items():
        for copy, _ in own:
            copy.after = {
                other
                for before in request.after
                for other, stream in copies[before]
                if _reads(copy, other, stream, split[before])
            }
    return [copy for own in copies.values() for copy, _ in own]


def _find(fields: Sequence[SelectedField], position: Position, draft: Draft) -> Iterator[_Stream]:
    for selected in fields:
        if selected.target is None:
            continue
        key = draft.keys[id(selected), id(position)]
        items = position.children[key, selected.on & position.types]
        if selected.stream is not None:
            home = next(iter(selected.deferred), None)
            yield _Stream(selected.stream.part, selected.stream.initial_count, home, items)
        yield from _find(selected.fields, items, draft)


def _choose(
    requests: Sequence[Request], streams: Sequence[_Stream], deferred: Sequence[DeferredSelection]
) -> Mapping[Request, list[_Stream]]:
    """Return the lists that split each request."""
    found: dict[Request, list[_Stream]] = {}
    for request in reversed(requests):
        readers = [other for other in found if request in other.after]
        found[request] = [
            stream
            for stream in streams
            if stream.home == request.part
            and any(map(stream.asks, request.steps))
            and all(_can_do(reader, stream, found[reader], deferred) for reader in readers)
        ]
    return found


def _can_do(reader: Request, stream: _Stream, split: Sequence[_Stream], deferred: Sequence[DeferredSelection]) -> bool:
    """Tell whether a reader needs later items only after they are delivered, or for what is delivered with them."""
    needs_all = [step for step in reader.steps if stream.concerns(step) and not stream.asks(step)]
    if not needs_all and (stream in split or not any(map(stream.asks, reader.steps))):
        return True
    around = reader.part
    while around is not None and around != stream.part:
        around = deferred[around].parent
    return around is not None


def _copies(request: Request, split: Sequence[_Stream]) -> Iterator[tuple[Request, _Stream | None]]:
    """Yield the requests that one becomes, each with the list whose later items it is for, None for first items."""
    if not split:
        yield request, None
        return
    yield from _copy(request, None, request.steps, split)
    for stream in split:
        inner = [other for other in split if other is not stream and stream.has(other.items)]
        yield from _copy(request, stream, [step for step in request.steps if stream.asks(step)], inner)


def _copy(
    request: Request, later: _Stream | None, steps: Sequence[Step], first_of: Sequence[_Stream]
) -> Iterator[tuple[Request, _Stream | None]]:
    empty = [stream for stream in first_of if not stream.count]
    asked = [step for step in steps if not any(stream.asks(step) for stream in empty)]
    if not asked:
        return
    items = {stream.items: SliceStep(0, stream.count) for stream in first_of}
    if later is not None:
        items[later.items] = SliceStep(later.count, None)
    part = request.part if later is None else later.part
    yield Request(request.subgraph, request.stage, asked, part, items=items), later


def _reads(copy: Request, other: Request, later: _Stream | None, split: Sequence[_Stream]) -> bool:
    """Tell whether one request reads another, which is for ``later`` items or, with None, for first ones."""
    return any(
        provider in step.after
        and (later is None or later.concerns(step))
        and not any(_is_apart(stream, copy, other, provider) for stream in split)
        for step in copy.steps
        for provider in other.steps
    )


def _is_apart(stream: _Stream, copy: Request, other: Request, provider: Step) -> bool:
    """Tell whether two requests are for different items of a list, of which the provider gives something."""
    one, another = copy.items.get(stream.items), other.items.get(stream.items)
    return one is not None and another is not None and one != another and stream.asks(provider)
