"""CRM, ERP, WMS and TMS in memory, with faults by script, for tests of processes.

What systems keep (documents, releases, loads) stands in one SQLite file, so that a test may kill the program and look
what is there. The ERP creates a document as often as it is told to, like one whose API knows no idempotency: that there
is one per key is the process's doing.
"""

from tests.support.fake_systems.crm import FakeCrm, account, opportunity
from tests.support.fake_systems.erp import FakeErp, FakeLegacyErp
from tests.support.fake_systems.script import FakeClock, Fault, Kept, Script, Stop
from tests.support.fake_systems.tms import FakeTms, tracking
from tests.support.fake_systems.wms import FakeWms

__all__ = [
    "FakeClock",
    "FakeCrm",
    "FakeErp",
    "FakeLegacyErp",
    "FakeTms",
    "FakeWms",
    "Fault",
    "Kept",
    "Script",
    "Stop",
    "account",
    "opportunity",
    "tracking",
]
