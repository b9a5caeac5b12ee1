# No postponed annotations: strawberry reads them.
"""Root fields of the accounts subgraph."""

import strawberry
from strawberry import Info

from resolvers.accounts.reader import AccountReader
from schema.accounts.account import Account
from schema.accounts.belongings import ServiceCase
from schema.accounts.inputs import AccountFilter, account_filter
from schema.accounts.people import User
from schema.enums import SourceSystem
from schema.graphql.paging import Connection, connection, page_request
from schema.records import accounts as records
from subgraphs.context import RequestContext

__all__ = ["Query"]

_Ctx = Info[RequestContext[AccountReader], None]


@strawberry.type
class Query:
    """Reads of accounts, of service cases, and of who asks."""

    @strawberry.field
    async def viewer(self, info: _Ctx) -> User:
        """Who asks."""
        return User.of(await info.context.reader.viewer())

    @strawberry.field
    async def account(self, info: _Ctx, id: strawberry.ID) -> Account | None:  # noqa: A002 - the argument is called so
        """The account with this id."""
        return _shown(await info.context.reader.account(id))

    @strawberry.field
    async def account_by_number(self, info: _Ctx, number: str) -> Account | None:
        """The account with this customer number."""
        return _shown(await info.context.reader.account_by_number(number))

    @strawberry.field
    async def account_by_external_ref(self, info: _Ctx, system: SourceSystem, external_id: str) -> Account | None:
        """The account that a system knows under an id of its own; CRM and ERP have such ids."""
        return _shown(await info.context.reader.account_by_ref(system, external_id))

    @strawberry.field
    async def accounts(
        self,
        info: _Ctx,
        filter: AccountFilter | None = None,  # noqa: A002 - the argument is called so
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[Account]:
        """Accounts that the caller may see, by number."""
        found = await info.context.reader.accounts(account_filter(filter), page_request(first, after))
        return connection(found, Account.of, after)

    @strawberry.field
    async def service_case(self, info: _Ctx, id: strawberry.ID) -> ServiceCase | None:  # noqa: A002 - the argument
        """The service case with this id."""
        found = await info.context.reader.case(id)
        return None if found is None else ServiceCase.of(found)


def _shown(found: records.Account | None) -> Account | None:
    return None if found is None else Account.of(found)
