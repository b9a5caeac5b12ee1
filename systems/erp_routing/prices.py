"""Prices: lists, groups, promotions and rates are the item master's, contracts those of the account's ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from schema.enums import SourceSystem
from schema.records.catalog import PriceRule
from systems.erp_homes import Capability
from systems.erp_routing.route import AnyErp, Route, first_of
from systems.errors import PartlyAnswered

__all__ = ["Prices"]


class Prices:
    """:class:`systems.ports.PriceBook`."""

    _route: Route

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        """Return every rule that may concern these skus for these accounts or groups: list, promotion, group, contract.

        Raises:
            PartlyAnswered: the ERP of some accounts does not answer; what was found is by id of the rule.
            ConnectorError: the item master does not answer.
        """
        route = self._route
        homes, failures = await route.erps_of(account_ids, Capability.CONTRACTS)
        accounts: dict[SourceSystem, list[str]] = {system: [] for system in route.erps if self._has_lists(system)}
        for account_id, (system, *_) in homes.items():
            accounts.setdefault(system, []).append(account_id)

        async def ask(erp: AnyErp, ids: list[str]) -> tuple[PriceRule, ...]:
            if erp is route.items:
                return await erp.rules(ids, price_groups, skus)
            return tuple(rule for rule in await erp.rules(ids, (), skus) if rule.account_id is not None)

        answers, silent = await route.ask(accounts, ask)
        for system, error in silent.items():
            if self._has_lists(system):
                raise error
            failures.update(dict.fromkeys(accounts[system], error))
        rules = tuple(rule for answer in answers.values() for rule in answer)
        if not failures:
            return rules
        silent |= {error.system: error for error in failures.values()}
        raise PartlyAnswered("price rules", {rule.id: rule for rule in rules}, failures, silent)

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        """Return the contract rules per account, by number."""
        return await self._route.by_account(
            "agreements", Capability.CONTRACTS, account_ids, lambda erp, ids: erp.agreements_of(ids), first_of
        )

    async def group_rules(self, price_groups: Sequence[str]) -> tuple[PriceRule, ...]:
        """Return the rules of price groups, whatever items they are for, by number."""
        return await self._route.items.group_rules(price_groups)

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        return await self._route.items.exchange_rate(base, quote, on)

    def _has_lists(self, system: SourceSystem) -> bool:
        return self._route.erps[system] is self._route.items
