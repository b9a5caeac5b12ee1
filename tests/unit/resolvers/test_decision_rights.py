"""Who may decide: scopes and roles, whatever came past the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from processes.authority import LEVEL_ROLES, QUEUE_ROLES, NotEntitled, may_approve, may_work
from processes.decision_api import HoldRelease, OpsAnswer, ProcessRetry, QuoteDecision, Replay, TaskResolution
from resolvers.operations.operate import claim_task, replay_messages, resolve_task, retry_process
from resolvers.orders.decide import decide_quote, release_hold
from schema.enums import HoldKind
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal

RELEASE = HoldRelease("ord_1", HoldKind.CREDIT, "paid")
DECISION = QuoteDecision("quo_1", 1, True, "fine")


class Refusing:
    """A desk at which nobody is entitled to anything."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: Any, **__: Any) -> OpsAnswer:
            raise NotEntitled(name, frozenset({"FINANCE"}))

        return refuse


def person(*roles: str, scopes: tuple[str, ...] = (), accounts: tuple[str, ...] | None = None) -> Principal:
    return Principal("user:usr_1", roles, scopes, accounts)


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(person("FINANCE"), id="without the scope"),
        pytest.param(person(scopes=("hold:release", "quote:approve"), accounts=("acc_1",)), id="a customer"),
        pytest.param(person("SERVICE_DESK", scopes=("hold:release", "quote:approve")), id="without a role"),
    ],
)
async def test_decisions_take_scope_and_role(who: Principal):
    desk: Any = Refusing()
    with pytest.raises(Forbidden, match=r"orderHoldRelease|hold:release|release_hold"):
        await release_hold(desk, RELEASE, "k", who)
    with pytest.raises(Forbidden, match=r"quoteDecide|quote:approve|decide_quote"):
        await decide_quote(desk, DECISION, "k", who)


async def test_what_operators_do_is_refused_to_others():
    desk: Any = Refusing()
    who = person("SALES", scopes=("ops:replay",))
    with pytest.raises(Forbidden):
        await claim_task(desk, "tsk_1", who)
    with pytest.raises(Forbidden):
        await resolve_task(desk, TaskResolution("tsk_1", "WAIT", "x"), "k", who)
    with pytest.raises(Forbidden):
        await retry_process(desk, ProcessRetry("prc_1"), "k", who)
    with pytest.raises(Forbidden, match="FINANCE"):
        await replay_messages(desk, Replay(("dl_1",)), "k", who)
    with pytest.raises(Forbidden, match="ops:replay"):
        await replay_messages(desk, Replay(("dl_1",)), "k", person("OPERATIONS"))


@pytest.mark.parametrize("key", ["", " ", "x" * 201], ids=["empty", "blank", "long"])
async def test_a_key_is_needed_before_anything_is_asked(key: str):
    desk: Any = Refusing()
    who = person("FINANCE", scopes=("hold:release", "quote:approve", "ops:replay"))
    answers = (
        (await release_hold(desk, RELEASE, key, who)).problems,
        (await decide_quote(desk, DECISION, key, who)).problems,
        (await resolve_task(desk, TaskResolution("tsk_1", "WAIT", "x"), key, who)).problems,
        (await retry_process(desk, ProcessRetry("prc_1"), key, who)).problems,
        (await replay_messages(desk, Replay(("dl_1",)), key, who)).problems,
    )
    assert {problem.rule for problems in answers for problem in problems} == {  # type: ignore[attr-defined]
        "IDEMPOTENCY_KEY"
    }


@pytest.mark.parametrize("queue", sorted(QUEUE_ROLES))
def test_a_queue_is_worked_by_its_roles_and_by_no_customer(queue: str):
    for role in QUEUE_ROLES[queue]:
        assert may_work(person(role), queue)
        assert not may_work(person(role, accounts=("acc_1",)), queue)
    assert not may_work(person("PORTAL_BUYER"), queue)


def test_higher_levels_approve_what_lower_ones_do():
    levels = list(LEVEL_ROLES)
    assert [may_approve(person("SALES_MANAGER"), level) for level in levels] == [True, False, False]
    assert [may_approve(person("PRICING_DESK"), level) for level in levels] == [True, True, False]
    assert [may_approve(person("FINANCE"), level) for level in levels] == [True, True, True]
