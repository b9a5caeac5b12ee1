"""What is owed to a customer whose return was closed as replaced, when the order that replaces the goods loses them.

The ERP credits nothing of a return that it has closed as replaced. So a person does, and says so.
"""

from __future__ import annotations

from datetime import timedelta

from processes.dependencies import Dependencies
from processes.questions import Question, ask
from processes.return_case import replacement_id
from schema.enums import ReturnStatus
from schema.records.orders import LedgerOrder

__all__ = ["ask_for_credit"]

DUE = timedelta(days=2)
"""What is owed is credited within this time, as for every return."""

_ENDED = (ReturnStatus.REPLACED, ReturnStatus.CLOSED)


async def ask_for_credit(use: Dependencies, order: LedgerOrder, version: int, lost: str) -> None:
    """Ask for a credit when an order was placed instead of one; a return that has not ended yet sees to it by itself.

    Args:
        use: systems and ledgers.
        order: any order.
        version: the version of the order that was cancelled or changed; it is asked about once.
        lost: what has become of the goods, as the task says it.

    Raises:
        ConnectorError: the platform's ledgers do not answer.
    """
    entry = (await use.returns.returns_of_processes([order.process_id])).get(order.process_id)
    if entry is None or replacement_id(entry) != order.id or entry.status not in _ENDED or entry.credit is not None:
        return
    question = Question(
        id=f"tsk_{entry.id}_UNSETTLED_{version}",
        queue="RETURNS",
        kind="ReturnUnsettled",
        order_id=entry.order_id,
        account_id=entry.account_id,
        summary=f"return {entry.number} ended as replaced, but order {order.number} {lost}: credit it in the ERP",
        due=DUE,
        resolutions=("CREDITED", "NOT_OWED"),
    )
    await ask(use, question)
