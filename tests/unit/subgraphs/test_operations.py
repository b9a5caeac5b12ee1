"""The operations subgraph over the platform's real stores: what it shows, to whom, and at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from events.tables import audit_log
from gateway.server.principal import Principal
from resolvers.operations.ports import OperationsPorts
from resolvers.operations.reader import MAX_STORY
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.graphql.paging import MAX_FIRST
from schema.records.values import Page, PageRequest
from subgraphs.operations.app import build_operations
from systems.errors import Unavailable
from systems.health import HealthBoard
from systems.ports import SystemCall
from tests.support import subgraph_requests as requests
from tests.support.no_desk import NoDesk
from tests.support.platform_records import HOUR, ledger_order, letter, process, quote, step, task
from tests.support.process_world import ProcessWorld, process_world, run_order, submission
from tests.support.rule_records import NOW
from tests.support.subgraph_requests import CLAIMS, STRANGER


def principal(subject: str, *scopes: str, **claims: Any) -> Principal:
    return Principal(subject, frozenset(scopes), claims=tuple(claims.items()))


OPERATOR = principal("user:usr_8", "ops:read", roles=("OPERATIONS",), warehouses=("*",))
DESK = principal("user:usr_7", roles=("SERVICE_DESK",))
BUYER = principal("user:usr_1", roles=("PORTAL_BUYER",), accounts=("acc_1",))
COLLEAGUE = principal("user:usr_2", roles=("PORTAL_BUYER",), accounts=("acc_1",))
SIBLING = principal("user:usr_3", "ops:read", roles=("PORTAL_BUYER",), accounts=("acc_2",))


class Counted:
    """A port whose calls are counted."""

    def __init__(self, port: Any, calls: Counter[str]) -> None:
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        self._calls[f"{type(self._port).__name__}.{name}"] += 1
        return getattr(self._port, name)


@dataclass
class Desk:
    """The subgraph over a world, and what it asked of its ports."""

    world: ProcessWorld
    board: HealthBoard
    calls: Counter[str]
    ports: OperationsPorts
    app: Any

    async def data(self, query: str, who: Principal = OPERATOR, **variables: Any) -> dict[str, Any]:
        return await requests.data(self.app, query, who, **variables)

    async def failure(self, query: str, who: Principal = OPERATOR) -> dict[str, Any]:
        (error,) = (await requests.ask(self.app, query, who))["errors"]
        found: dict[str, Any] = error
        return found

    async def entities(self, kind: str, ids: list[str], fields: str, who: Principal = OPERATOR) -> list[Any]:
        named = ({"__typename": kind, "id": entry} for entry in ids)
        return await requests.entities(self.app, f"... on {kind} {{ {fields} }}", *named, who=who)

    async def entity(self, kind: str, identifier: str, fields: str, who: Principal = OPERATOR) -> Any:
        return (await self.entities(kind, [identifier], fields, who))[0]

    async def told(self, kind: str, identifier: str, who: Principal = OPERATOR) -> list[str] | None:
        """Return the ids of the events in a story, None when there is none to be seen."""
        found = (await self.entity(kind, identifier, "lineage { nodes { eventId } }", who))["lineage"]
        return None if found is None else [node["eventId"] for node in found["nodes"]]


@pytest.fixture
async def desk(sqlite_url: str) -> AsyncIterator[Desk]:
    async with process_world(sqlite_url) as world:
        use, calls = world.use, Counter[str]()
        board = HealthBoard([SourceSystem.WMS, SourceSystem.TMS])
        ports = OperationsPorts(
            processes=Counted(use.process_log, calls),
            tasks=Counted(use.tasks, calls),
            dead_letters=Counted(use.dead_letters, calls),
            events=Counted(use.events, calls),
            orders=Counted(use.orders, calls),
            quotes=Counted(use.quotes, calls),
            health=board,
            clock=use.clock,
            facts=world.facts,
            desk=NoDesk(),
        )
        yield Desk(world, board, calls, ports, build_operations(ports, CLAIMS))


def event(name: str, type_: str = "order.priced", minute: int = 0, **changes: Any) -> Event:
    made = Event(
        id=name,
        source="/dist/orders",
        type=type_,
        subject="ord_1",
        partition_key="ord_1",
        correlation_id="quo_1",
        system=SourceSystem.PLATFORM,
        occurred_at=NOW + timedelta(minutes=minute),
        data={"orderId": changes.get("partition_key", "ord_1")},
        account_id="acc_1",
    )
    return replace(made, **changes)


async def tell_a_story(desk: Desk) -> None:
    """One order of acc_1 from a quote, and what others told under the same quote."""
    use = desk.world.use
    await use.quotes.save(quote(1))
    await use.orders.create(ledger_order(1, quote_id="quo_1", submitted_at=NOW))
    await use.orders.create(ledger_order(2, quote_id="quo_1", submitted_at=NOW))
    await use.orders.create(ledger_order(3, quote_id="quo_1", account_id="acc_2", submitted_at=NOW))
    at_order = {"correlation_id": "ord_1"}
    of_quote = {"subject": "quo_1", "partition_key": "quo_1", "data": {"number": "Q-900001"}}
    person = {"actor": "user:usr_7", "manual": True}
    await use.events.append(
        [
            event("created", "quote.created", -9, **of_quote, actor="user:usr_4", manual=True),
            event("sent", "quote.sent", -8, **of_quote, actor="user:usr_4", manual=True),
            event("received", "order.received", 0, actor="user:usr_1"),
            event("held", "order.held", 1, data={"orderId": "ord_1", "hold": "CREDIT", "reason": "1,000 over"}),
            event("other order", "order.received", 4, partition_key="ord_2", subject="ord_2"),
            event("intruder", "order.received", 1, partition_key="ord_3", subject="ord_3", account_id="acc_2"),
            event("released", "order.hold.released", 2, **person),
            event("shipped", "shipment.shipped", 5, **at_order, system=SourceSystem.WMS),
            event("posted", "invoice.posted", 6, data={}),
            event("late news", "order.accepted", 3),
            event("of ord_2", "shipment.shipped", 7, partition_key="ord_2", correlation_id="ord_2"),
        ]
    )


STORY = ["created", "sent", "received", "held", "released", "late news", "shipped", "posted"]


class TestLineage:
    async def test_an_order_shows_its_story_from_the_quote_on_by_time(self, desk: Desk):
        await tell_a_story(desk)
        assert await desk.told("Order", "ord_1") == STORY

    async def test_a_quote_shows_what_became_of_it(self, desk: Desk):
        await tell_a_story(desk)
        assert await desk.told("Quote", "quo_1") == [*STORY[:6], "other order", *STORY[6:], "of ord_2"]

    async def test_an_account_shows_what_happened_to_it(self, desk: Desk):
        await tell_a_story(desk)
        assert await desk.told("Account", "acc_2") == ["intruder"]
        found = await desk.entity(
            "Account", "acc_1", "lineage(first: 2) { nodes { eventId } pageInfo { hasNextPage } }"
        )
        assert found["lineage"] == {
            "nodes": [{"eventId": "created"}, {"eventId": "sent"}],
            "pageInfo": {"hasNextPage": True},
        }

    @pytest.mark.parametrize("correlation", ["quo_1", "ord_1", "ord_2", "WMS:1", "nobody"])
    async def test_a_story_is_found_by_its_correlation_id(self, desk: Desk, correlation: str):
        await tell_a_story(desk)
        await desk.world.use.events.append([event("drift", "inventory.drift.detected", 0, correlation_id="WMS:1")])
        query = "query ($id: ID!) { lineage(correlationId: $id) { eventId } }"
        found = [entry["eventId"] for entry in (await desk.data(query, id=correlation))["lineage"]]
        assert (
            found
            == {
                "quo_1": await desk.told("Quote", "quo_1"),
                "ord_1": STORY,
                "ord_2": await desk.told("Order", "ord_2"),
                "WMS:1": ["drift"],
                "nobody": [],
            }[correlation]
        )

    async def test_an_event_says_what_happened_who_did_it_and_the_facts(self, desk: Desk):
        await tell_a_story(desk)
        fields = "eventId type at system actor manual subject summary data"
        found = await desk.entity("Order", "ord_1", f"lineage {{ nodes {{ {fields} }} totalCount }}")
        assert found["lineage"]["totalCount"] == len(STORY)
        nodes = {node["eventId"]: node for node in found["lineage"]["nodes"]}
        assert nodes["held"] == {
            "eventId": "held",
            "type": "order.held",
            "at": (NOW + timedelta(minutes=1)).isoformat().replace("+00:00", "Z"),
            "system": "PLATFORM",
            "actor": "system:crossdock",
            "manual": False,
            "subject": "ord_1",
            "summary": "Order held for credit: 1,000 over",
            "data": {"orderId": "ord_1", "hold": "CREDIT", "reason": "1,000 over"},
        }
        assert (nodes["shipped"]["system"], nodes["released"]["actor"]) == ("WMS", "user:usr_7")

    @pytest.mark.parametrize(("kind", "identifier"), [("Order", "ord_1"), ("Quote", "quo_1"), ("Account", "acc_1")])
    async def test_pages_together_are_the_whole(self, desk: Desk, kind: str, identifier: str):
        await tell_a_story(desk)
        paged, after = [], "null"
        for _ in range(10):
            page = f"lineage(first: 3, after: {after}) {{ nodes {{ eventId }} pageInfo {{ hasNextPage endCursor }} }}"
            found = (await desk.entity(kind, identifier, page))["lineage"]
            paged += [node["eventId"] for node in found["nodes"]]
            after = f'"{found["pageInfo"]["endCursor"]}"'
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert paged == await desk.told(kind, identifier)

    async def test_a_story_longer_than_one_read_is_paged_to_its_end_and_not_counted(self, desk: Desk):
        use = desk.world.use
        await use.orders.create(ledger_order(1, submitted_at=NOW))
        many = MAX_STORY + 5
        await use.events.append([event(f"e{n}", "order.priced", n, correlation_id="ord_1") for n in range(many)])
        seen, after = 0, "null"
        for _ in range(2 * many // MAX_FIRST):
            page = f"lineage(first: {MAX_FIRST}, after: {after}) {{ nodes {{ eventId }} totalCount pageInfo "
            found = await desk.entity("Order", "ord_1", f"touches {page} {{ hasNextPage endCursor }} }}")
            assert (found["touches"], found["lineage"]["totalCount"]) == (None, None)
            seen += len(found["lineage"]["nodes"])
            after = f'"{found["lineage"]["pageInfo"]["endCursor"]}"'
            if not found["lineage"]["pageInfo"]["hasNextPage"]:
                break
        assert seen == many

    async def test_an_order_counts_the_touches_of_people(self, desk: Desk):
        await tell_a_story(desk)
        assert await desk.entities("Order", ["ord_1", "ord_2"], "touches") == [{"touches": 1}, {"touches": 0}]


class TestWhoSeesWhat:
    async def test_customers_are_told_their_part_without_persons_and_facts(self, desk: Desk):
        await tell_a_story(desk)
        found = await desk.entity("Order", "ord_1", "touches lineage { nodes { eventId summary actor data } }", BUYER)
        nodes = {node.pop("eventId"): node for node in found["lineage"]["nodes"]}
        assert list(nodes) == ["sent", "received", "held", "released", "late news", "shipped", "posted"]
        assert nodes["held"] == {"summary": "Order is being checked", "actor": "system:crossdock", "data": None}
        assert (nodes["released"]["actor"], nodes["received"]["actor"]) == ("user:-", "user:usr_1")
        assert found["touches"] is None

    async def test_pages_of_customers_are_filled_with_what_they_may_see(self, desk: Desk):
        await tell_a_story(desk)
        inner = [event(f"t{number}", "task.opened", -20) for number in range(5)]
        await desk.world.use.events.append(inner)
        for kind, identifier in (("Order", "ord_1"), ("Quote", "quo_1"), ("Account", "acc_1")):
            page = "lineage(first: 1) { nodes { eventId } }"
            found = await desk.entity(kind, identifier, page, BUYER)
            assert found["lineage"]["nodes"] == [{"eventId": "sent"}]

    async def test_a_colleague_does_not_learn_who_ordered(self, desk: Desk):
        await tell_a_story(desk)
        found = await desk.entity("Order", "ord_1", "lineage { nodes { actor } }", COLLEAGUE)
        assert {node["actor"] for node in found["lineage"]["nodes"]} == {"user:-", "system:crossdock"}

    @pytest.mark.parametrize("who", [SIBLING, STRANGER], ids=["another customer", "a stranger"])
    async def test_what_belongs_to_others_is_like_what_does_not_exist(self, desk: Desk, who: Principal):
        await tell_a_story(desk)
        await desk.world.use.process_log.start(process())
        for kind, known in (("Order", "ord_1"), ("Quote", "quo_1"), ("Account", "acc_1")):
            fields = "lineage { totalCount }" + (" touches processes { id }" if kind == "Order" else "")
            mine, unknown = await desk.entities(kind, [known, "nobody"], fields, who)
            assert mine == unknown
            assert set(mine.values()) == {None}
        query = '{ process(id: "prc_1") { id } lineage(correlationId: "quo_1") { eventId } }'
        seen = await desk.data(query, who)
        assert seen["process"] is None
        assert "created" not in str(seen["lineage"])

    async def test_a_quote_that_others_named_shows_them_nothing_of_it(self, desk: Desk):
        await tell_a_story(desk)
        assert await desk.told("Order", "ord_3", SIBLING) == ["intruder"]
        assert await desk.told("Order", "ord_3", OPERATOR) == ["intruder"]

    async def test_facts_need_the_scope_of_operators(self, desk: Desk):
        await tell_a_story(desk)
        found = await desk.entity("Order", "ord_1", "lineage { nodes { summary data } }", DESK)
        assert {node["data"] is None for node in found["lineage"]["nodes"]} == {True}
        assert found["lineage"]["nodes"][3]["summary"] == "Order held for credit: 1,000 over"

    @pytest.mark.parametrize("field", ["systems { system }", "deadLetters { nodes { id } }"])
    @pytest.mark.parametrize("who", [DESK, SIBLING, STRANGER], ids=["no scope", "a customer with it", "a stranger"])
    async def test_systems_and_dead_letters_are_for_operators(self, desk: Desk, field: str, who: Principal):
        assert (await desk.failure(f"{{ {field} }}", who))["extensions"]["code"] == "FORBIDDEN"

    async def test_dead_letters_and_tasks_are_no_entities_for_others(self, desk: Desk):
        await desk.world.use.dead_letters.put(letter())
        await desk.world.use.tasks.open_task(task())
        assert await desk.entity("DeadLetter", "dl_1", "id payload") == {"id": "dl_1", "payload": letter().payload}
        assert await desk.entity("DeadLetter", "dl_1", "id", DESK) is None
        assert await desk.entity("ExceptionTask", "tsk_1", "id", DESK) == {"id": "tsk_1"}
        assert await desk.entity("ExceptionTask", "tsk_1", "id", BUYER) is None
        assert (await desk.data("{ exceptionTasks { nodes { id } totalCount } }", BUYER))["exceptionTasks"] == {
            "nodes": [],
            "totalCount": 0,
        }

    async def test_a_customer_follows_its_own_process_without_what_failed_inside(self, desk: Desk):
        await desk.world.use.orders.create(ledger_order(1))
        await desk.world.use.process_log.start(
            process(trace_id="t", steps=(step("erp", last_error="boom at 10.0.0.1"),))
        )
        fields = "state traceId steps { name lastError }"
        inside = await desk.entity("ProcessInstance", "prc_1", fields, DESK)
        outside = await desk.entity("ProcessInstance", "prc_1", fields, BUYER)
        assert inside == {
            "state": "RUNNING",
            "traceId": "t",
            "steps": [{"name": "erp", "lastError": "boom at 10.0.0.1"}],
        }
        assert outside == {"state": "RUNNING", "traceId": None, "steps": [{"name": "erp", "lastError": None}]}
        assert await desk.entity("ProcessInstance", "prc_1", fields, SIBLING) is None


class TestProcesses:
    async def test_an_order_shows_how_it_was_submitted(self, desk: Desk):
        run = await run_order(desk.world, submission())
        query = "processes { id kind businessKey state sloBreached correlationId steps { name state attempts system } }"
        found = await desk.entity("Order", run.request.order_id, query + " lineage { nodes { type } } touches")
        (shown,) = found["processes"]
        assert (shown["id"], shown["kind"], shown["state"]) == ("prc_1", "ORDER_SUBMISSION", "COMPLETED")
        assert (shown["businessKey"], shown["correlationId"], shown["sloBreached"]) == ("ord_1", "ord_1", False)
        assert {entry["name"]: entry["state"] for entry in shown["steps"]} == await desk.world.steps("prc_1")
        types = [node["type"] for node in found["lineage"]["nodes"]]
        assert types[0] == "order.received"
        assert {"order.accepted", "order.released", "inventory.reserved", "customer.notified"} <= set(types)
        assert found["touches"] == 0

    @pytest.mark.parametrize(
        ("changes", "breached"),
        [
            pytest.param({"due_at": None}, False, id="nothing is due"),
            pytest.param({"due_at": NOW + HOUR}, False, id="there is time"),
            pytest.param({"due_at": NOW - HOUR}, True, id="it is late"),
            pytest.param({"due_at": NOW - HOUR, "ended_at": NOW - 2 * HOUR}, False, id="it ended in time"),
            pytest.param({"due_at": NOW - 2 * HOUR, "ended_at": NOW - HOUR}, True, id="it ended late"),
        ],
    )
    async def test_a_process_is_late_against_its_own_due_time(self, desk: Desk, changes: Any, breached: bool):
        await desk.world.use.process_log.start(process(**changes))
        assert await desk.data('{ process(id: "prc_1") { sloBreached } }') == {"process": {"sloBreached": breached}}

    async def test_unknown_ids_are_null(self, desk: Desk):
        assert await desk.data('{ process(id: "nobody") { id } }') == {"process": None}
        fields = "touches processes { id } lineage { totalCount }"
        nothing = {"touches": None, "processes": None, "lineage": None}
        assert await desk.entity("Order", "nobody", fields) == nothing
        for kind in ("ProcessInstance", "ExceptionTask", "DeadLetter"):
            assert await desk.entity(kind, "nobody", "id") is None


class TestQueues:
    async def test_the_wall_of_operations(self, desk: Desk):
        """Everything of scenario S9 that this subgraph answers, while the warehouse system is down."""
        use = desk.world.use
        for count in (1, 2, 3):
            waits = replace(step("release"), state="WAITING", system=SourceSystem.WMS)
            await use.process_log.start(process(count, started_at=NOW - count * HOUR, steps=(waits,)))
            await use.process_log.set_state(f"prc_{count}", ProcessState.WAITING_SYSTEM, NOW)
        await use.tasks.open_task(task(1, queue="FULFILMENT", kind="FulfillmentDelay"))
        await use.tasks.open_task(task(2, queue="CREDIT"))
        await use.dead_letters.put(letter(1))
        await use.dead_letters.put(letter(2, source=SourceSystem.TMS))
        (last,) = await use.events.append([event("shipped", "shipment.shipped", system=SourceSystem.WMS)])
        desk.board(SystemCall(SourceSystem.WMS, "release", 0.5, "SYSTEM_UNAVAILABLE", "OPEN"))
        found = await desk.data(
            """{ systems { system circuit p95Ms errorRate queued oldestQueuedSeconds lastEventAt }
                 exceptionTasks(queue: "FULFILMENT") { nodes { id kind summary dueAt order { id } resolutions } }
                 deadLetters(source: WMS) { nodes { id type reason attempts } } }"""
        )
        tms, wms = found["systems"]
        assert tms == {
            "system": "TMS",
            "circuit": "CLOSED",
            "p95Ms": None,
            "errorRate": None,
            "queued": 0,
            "oldestQueuedSeconds": None,
            "lastEventAt": None,
        }
        assert wms == {
            "system": "WMS",
            "circuit": "OPEN",
            "p95Ms": 500,
            "errorRate": "1.0000",
            "queued": 3,
            "oldestQueuedSeconds": 3 * 3600,
            "lastEventAt": last.recorded_at.isoformat().replace("+00:00", "Z"),
        }
        (shown,) = found["exceptionTasks"]["nodes"]
        assert (shown["id"], shown["kind"], shown["order"]) == ("tsk_1", "FulfillmentDelay", {"id": "ord_1"})
        assert [entry["id"] for entry in found["deadLetters"]["nodes"]] == ["dl_1"]

    async def test_a_system_that_work_waits_for_is_shown_before_it_was_called(self, desk: Desk):
        waits = replace(step("erp"), state="WAITING", system=SourceSystem.LEGACY_ERP)
        await desk.world.use.process_log.start(process(steps=(waits,)))
        await desk.world.use.process_log.set_state("prc_1", ProcessState.WAITING_SYSTEM, NOW)
        found = (await desk.data("{ systems { system circuit queued } }"))["systems"]
        assert found[0] == {"system": "LEGACY_ERP", "circuit": "CLOSED", "queued": 1}

    async def test_open_tasks_are_listed_unless_another_state_is_wanted(self, desk: Desk):
        tasks = desk.world.use.tasks
        for entry in (task(1), task(2, kind="Stockout", assignee="user:usr_5")):
            await tasks.open_task(entry)
        await tasks.change_task(task(1), task(1, state="RESOLVED"), NOW)
        query = 'query ($state: String = "OPEN") { exceptionTasks(state: $state) { nodes { id assignee { id } } } }'
        for variables, ids in (
            ({}, ["tsk_2"]),
            ({"state": "RESOLVED"}, ["tsk_1"]),
            ({"state": None}, ["tsk_1", "tsk_2"]),
        ):
            found = (await desk.data(query, **variables))["exceptionTasks"]["nodes"]
            assert [entry["id"] for entry in found] == ids
        assert found[1]["assignee"] == {"id": "usr_5"}

    async def test_tasks_are_paged(self, desk: Desk):
        for count in range(1, 4):
            await desk.world.use.tasks.open_task(task(count))
        page = "{ nodes { id } pageInfo { hasNextPage endCursor } totalCount }"
        first = (await desk.data(f"{{ exceptionTasks(first: 2) {page} }}"))["exceptionTasks"]
        after = first["pageInfo"]["endCursor"]
        second = (await desk.data(f'{{ exceptionTasks(first: 2, after: "{after}") {page} }}'))["exceptionTasks"]
        assert [entry["id"] for entry in (*first["nodes"], *second["nodes"])] == ["tsk_1", "tsk_2", "tsk_3"]
        assert (first["totalCount"], second["pageInfo"]["hasNextPage"]) == (3, False)

    async def test_everybody_can_ask_which_system_decides(self, desk: Desk):
        query = "{ systemOfRecord { object fieldGroup owner condition team } }"
        rules = (await desk.data(query, STRANGER))["systemOfRecord"]
        assert {
            "object": "Shipment",
            "fieldGroup": "load, milestones, ETA, proof of delivery",
            "owner": "TMS",
            "condition": None,
            "team": "Transport",
        } in rules


PAGED = {
    "tasks": "exceptionTasks(ARGS) { totalCount }",
    "dead letters": "deadLetters(ARGS) { totalCount }",
    **{
        kind: f'_entities(representations: [{{__typename: "{kind}", id: "{key}"}}]) '
        f"{{ ... on {kind} {{ lineage(ARGS) {{ totalCount }} }} }}"
        for kind, key in (("Order", "ord_1"), ("Quote", "quo_1"), ("Account", "acc_1"))
    },
}


class TestBadInput:
    @pytest.mark.parametrize("field", PAGED.values(), ids=PAGED)
    @pytest.mark.parametrize("first", [0, -1, MAX_FIRST + 1])
    async def test_too_many_or_no_rows_are_refused_with_the_limit(self, desk: Desk, field: str, first: int):
        error = await desk.failure(f"{{ {field.replace('ARGS', f'first: {first}')} }}")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert str(MAX_FIRST) in error["message"]

    @pytest.mark.parametrize("field", PAGED.values(), ids=PAGED)
    @pytest.mark.parametrize(
        "cursor",
        ["", "nonsense", "é", "W10", "WzEsMiwzXQ", "WyIyMDI2LTAxLTA1VDA5OjMwOjAwIiwxLDFd", "bnVsbA"],
        ids=["empty", "no base64", "not ASCII", "an empty list", "no time", "a time without a zone", "null"],
    )
    async def test_a_cursor_of_another_list_is_refused(self, desk: Desk, field: str, cursor: str):
        after = f'after: "{cursor}"'
        error = await desk.failure(f"{{ {field.replace('ARGS', after)} }}")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "is not one of this list" in error["message"]


class TestCost:
    FIELDS = "touches processes { id } lineage(first: 2) { nodes { type } }"

    async def cost(self, desk: Desk, kind: str, ids: list[str], fields: str, who: Principal) -> Counter[str]:
        desk.calls.clear()
        await desk.entities(kind, ids, fields, who)
        return Counter(desk.calls)

    @pytest.mark.parametrize("who", [OPERATOR, BUYER], ids=["an operator", "a customer"])
    @pytest.mark.parametrize(
        ("kind", "prefix", "fields"),
        [
            pytest.param("Order", "ord_", FIELDS, id="orders"),
            pytest.param("Quote", "quo_", "lineage { nodes { type } }", id="quotes"),
            pytest.param("Account", "acc_", "lineage { nodes { type } }", id="accounts"),
            pytest.param("ProcessInstance", "prc_", "state steps { name }", id="processes"),
            pytest.param("ExceptionTask", "tsk_", "summary order { touches }", id="tasks"),
            pytest.param("DeadLetter", "dl_", "reason", id="dead letters"),
        ],
    )
    async def test_many_rows_cost_as_many_queries_as_one(
        self, desk: Desk, who: Principal, kind: str, prefix: str, fields: str
    ):
        use = desk.world.use
        for number in range(1, 13):
            order, story = f"ord_{number}", f"quo_{number}"
            await use.quotes.save(quote(number))
            await use.orders.create(ledger_order(number, quote_id=story))
            await use.process_log.start(process(number, business_key=order))
            await use.tasks.open_task(task(number, order_id=order))
            await use.dead_letters.put(letter(number))
            await use.events.append(
                [event(f"e{number}", "order.received", subject=order, partition_key=order, correlation_id=story)]
            )
        one = await self.cost(desk, kind, [f"{prefix}1"], fields, who)
        many = await self.cost(desk, kind, [f"{prefix}{number}" for number in range(1, 13)], fields, who)
        assert many == one
        assert max(one.values(), default=0) <= 1

    async def test_a_store_that_does_not_answer_is_named(self, desk: Desk, monkeypatch: pytest.MonkeyPatch):
        async def search_tasks(
            queue: str | None, state: str | None, page: PageRequest, *bounds: Collection[str] | None
        ) -> Page[Any]:
            raise Unavailable(SourceSystem.PLATFORM, "search tasks", "the database is away", outcome_unknown=False)

        monkeypatch.setattr(desk.world.use.tasks, "search_tasks", search_tasks)
        error = await desk.failure("{ exceptionTasks { totalCount } }")
        assert error["extensions"] == {"code": "SYSTEM_UNAVAILABLE", "system": "PLATFORM", "retryable": True}


KPI = "query ($name: KpiName!, $by: String) { kpi(name: $name, from: %r, to: %r, groupBy: $by) { %s } }"


def kpi(begin: str, end: str, fields: str = "bucket value unit numerator denominator") -> str:
    return (KPI % (begin, end, fields)).replace("'", '"')


async def test_a_figure_is_computed_from_the_log(desk: Desk):
    await tell_a_story(desk)
    await desk.world.facts.catch_up()
    day = NOW.date().isoformat()
    found = await desk.data(kpi(day, day), name="MANUAL_TOUCHES")
    point = {"bucket": "ALL", "value": "0.333", "unit": "touches/order", "numerator": "1", "denominator": "3"}
    assert found == {"kpi": [point]}


async def test_customers_are_told_no_figures(desk: Desk):
    await tell_a_story(desk)
    await desk.world.facts.catch_up()
    day = NOW.date().isoformat()
    assert await desk.data(kpi(day, day), BUYER, name="MANUAL_TOUCHES") == {"kpi": []}


@pytest.mark.parametrize(
    ("begin", "end", "by", "said"),
    [
        pytest.param("2026-03-02", "2026-03-01", None, "to: 2026-03-01 is before 2026-03-02", id="days backwards"),
        pytest.param("2020-01-01", "2026-03-01", None, "to: the period has more than 1100 days", id="too many days"),
        pytest.param("2026-03-01", "2026-03-01", "moon", "groupBy: OTIF is not grouped by 'moon'", id="a moon"),
    ],
)
async def test_a_figure_that_cannot_be_answered_says_what_would_do(
    desk: Desk, begin: str, end: str, by: str | None, said: str
):
    (error,) = (await requests.ask(desk.app, kpi(begin, end), OPERATOR, name="OTIF", by=by))["errors"]
    assert error["message"].startswith(said)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_right_that_was_refused_is_in_the_audit(desk: Desk):
    app = build_operations(desk.ports, CLAIMS, desk.world.audit)
    await requests.ask(app, "{ mine: deadLetters { totalCount } systemOfRecord { object } }", DESK)
    async with desk.world.database.reading() as connection:
        (row,) = (await connection.execute(select(audit_log))).all()
    assert (row.actor, row.operation, row.outcome) == ("user:usr_7", "deadLetters", "REFUSED")
    assert "it takes the scope ops:read" in row.after
    assert (await desk.world.audit.verify()).head.number == 1


async def test_a_refusal_stands_when_the_audit_cannot_be_written(desk: Desk):
    class Away:
        async def append(self, entries: Any) -> None:
            raise Unavailable(SourceSystem.PLATFORM, "append audit", "no answer", outcome_unknown=False)

    app = build_operations(desk.ports, CLAIMS, Away())
    (error,) = (await requests.ask(app, "{ deadLetters { totalCount } }", DESK))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
