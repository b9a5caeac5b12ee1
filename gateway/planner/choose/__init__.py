"""Decide where each field comes from and build the steps that fetch it.

1. ``builder``: fields wait in a work list. A field with one best way is placed at once; one with several equal ways
   waits until the others are placed, so that it can use requests that exist by then. Deferred fragments come last.
2. ``place``: one field. ``ways`` finds the subgraphs that can give it, ``planner.rank`` tells the cheapest, ``select``
   adds the field to the selection of a step there.
3. ``enter``: the best way is a subgraph in which the objects are not at hand yet. ``represent`` chooses a key and
   places its fields, ``require`` those of ``@requires``, ``contexts`` what arguments read from contexts; an entity step
   follows one stage after all of them.
4. ``typenames`` has objects tell their types; where none at hand knows them, ``tell_types`` enters a subgraph that
   does.
5. ``detour``: no entity fetch leads to the field. The objects are asked for again through another subgraph that
   resolves the way to them (shared root fields and value types).

All of them read and write one ``planner.draft``; ``positions`` says where fields lie in the merged data. Placing a
field takes other fields, which is a circle: ``place`` makes the others and hands itself to ``require`` and ``detour``,
which know it only as a ``placement.PlaceField``.

Types that are asked for in the same way are handled as one group. No choice is ever taken back, so the cost is the
number of fields times the number of subgraphs.
"""

from gateway.planner.choose.builder import PlanBuilder

__all__ = ["PlanBuilder"]
