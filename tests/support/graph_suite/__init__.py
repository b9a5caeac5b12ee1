"""What the whole must do, whichever way its subgraphs are reached; each form runs this suite (tests/e2e/graph)."""

from __future__ import annotations

from tests.support.graph_suite.accounts import AccountSuite
from tests.support.graph_suite.afterwards import AfterwardsSuite
from tests.support.graph_suite.changes import ChangeSuite
from tests.support.graph_suite.orders import OrderSuite
from tests.support.graph_suite.refusals import RefusalSuite
from tests.support.graph_suite.views import ViewSuite


class GraphSuite(ViewSuite, OrderSuite, AfterwardsSuite, AccountSuite, ChangeSuite, RefusalSuite):
    """Scenarios of the domain, and what bad input gets."""
