"""Document numbers: counted in the database, so that no two processes give the same one."""

from __future__ import annotations

from sqlalchemy import update

from systems.platform.database import Database, insert_into
from systems.platform.statements import run
from systems.platform.tables import number_sequences

__all__ = ["ORDER_NUMBERS", "QUOTE_NUMBERS", "RETURN_NUMBERS", "NumberSequence"]


class NumberSequence:
    """One kind of document number.

    Args:
        prefix: what numbers start with.
        first: the first number that is given; earlier ones belong to documents of other systems.
    """

    def __init__(self, name: str, prefix: str, first: int) -> None:
        self._name = name
        self._prefix = prefix
        self._first = first
        self._count = (
            update(number_sequences)
            .where(number_sequences.c.name == name)
            .values(last_value=number_sequences.c.last_value + 1)
            .returning(number_sequences.c.last_value)
        )

    async def next(self, database: Database) -> str:
        """Return the next number; one that is not used afterwards is lost, never given again."""
        async with database.transaction(f"next {self._name} number") as connection:
            given = await run(connection, self._count)
            if not given:
                row = {"name": self._name, "last_value": self._first - 1}
                await connection.execute(insert_into(connection, number_sequences, row).on_conflict_do_nothing())
                given = await run(connection, self._count)
            return f"{self._prefix}{given[0][0]:06d}"


ORDER_NUMBERS = NumberSequence("order", "SO-", 300_001)
QUOTE_NUMBERS = NumberSequence("quote", "Q-", 900_001)
RETURN_NUMBERS = NumberSequence("return", "RMA-", 500_001)
