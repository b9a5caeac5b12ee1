"""Customers that come, change, are merged, and ask for help."""

from __future__ import annotations

import asyncio
from typing import Any

from crossdock.scenarios import scenario
from tests.support.graph_suite.asking import NUMBERS, WITHIN_S, edit_in_crm, submission
from tests.support.whole import Whole

ONBOARD = """mutation ($input: OnboardingSubmitInput!) { onboardingSubmit(input: $input) {
    onboarding { id version status activations { system state }
        account { id status currency territory { code } credit { limit { amount } } shipTos { nodes { id } } } }
    problems { __typename ... on Problem { code message }
        ... on DuplicateAccount { candidates { score account { id } } } } } }"""


def application(name: str, *, number: str | None = None, **changes: Any) -> Any:
    """Return an onboarding's input with a key and a tax number of its own."""
    own = next(NUMBERS)
    home = {"line1": "1 Quay Road", "city": "Houston", "region": "TX", "postalCode": "77999", "country": "US"}
    certificate = {
        "kind": "RESALE_CERTIFICATE",
        "number": number or f"RS-TX-{900_000 + own}",
        "jurisdiction": "US",
        "exempt": True,
        "certificateExpires": "2099-01-01",
    }
    given = {
        "idempotencyKey": f"onboard-{own}",
        "legalName": name,
        "billing": home,
        "shipTo": [home],
        "contactEmail": f"bo@quayside{own}.example",
        "contactName": "Bo Example",
        "taxRegistrations": [certificate],
        "requestedCredit": {"amount": "8000.00", "currency": "USD"},
        "currency": "USD",
        "waitMs": 10_000,
    }
    return given | changes


class AccountSuite:
    """Customers that come, change, are merged, and ask for help."""

    async def test_an_applicant_becomes_a_customer_in_erp_finance_and_crm(self, whole: Whole):
        payload = (await whole.data(ONBOARD, {"input": application("Quayside Valves Inc.")}))["onboardingSubmit"]
        onboarding = payload["onboarding"]
        assert (payload["problems"], onboarding["status"]) == ([], "ACTIVE")
        assert [entry["system"] for entry in onboarding["activations"]] == ["CLOUD_ERP", "FINANCE", "CRM"]
        account = onboarding["account"]
        assert (account["status"], account["currency"], account["territory"]["code"]) == ("ACTIVE", "USD", "US-C")
        assert account["credit"]["limit"] == {"amount": "8000.00"}
        order = submission(account=account["id"], ship_to=account["shipTos"]["nodes"][0]["id"])
        assert (await whole.play("order", input=order))["orderSubmit"]["order"]["status"] == "ACCEPTED"

    async def test_an_applicant_that_is_a_customer_already_is_refused_with_the_account(self, whole: Whole):
        query = "query ($n: String!) { accountByNumber(number: $n) { id taxRegistrations { number } } }"
        account = (await whole.data(query, {"n": scenario("customer").variables["number"]}))["accountByNumber"]
        given = application("Somebody Else Inc.", number=account["taxRegistrations"][0]["number"])
        payload = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]
        (problem,) = [entry for entry in payload["problems"] if entry["__typename"] == "DuplicateAccount"]
        assert [entry["account"]["id"] for entry in problem["candidates"]] == [account["id"]]
        assert payload["onboarding"]["status"] == "REJECTED"

    async def test_a_customer_that_the_crm_refuses_is_blocked_in_the_erp(self, whole: Whole):
        given = application("Halfway Pumps Inc.", crmAccountId="001000000000999AAA")
        payload = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]
        onboarding = payload["onboarding"]
        assert onboarding["status"] == "FAILED_COMPENSATED"
        assert [(entry["system"], entry["state"]) for entry in onboarding["activations"]] == [
            ("FINANCE", "BLOCKED"),
            ("CLOUD_ERP", "BLOCKED"),
        ]
        account_id = onboarding["id"].replace("onb_", "acc_")
        rows = whole.sandboxes["erp"].host.store.query(
            "SELECT blocked FROM customers WHERE crossdockId = ?", (account_id,)
        )
        assert [row["blocked"] for row in rows] == ["All"]

    async def test_whoever_submitted_an_onboarding_does_not_decide_it(self, whole: Whole):
        credit = {"amount": "50000.00", "currency": "USD"}
        given = application("Large Valves Inc.", requestedCredit=credit)
        onboarding = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]["onboarding"]
        assert onboarding["status"] == "AWAITING_DECISION"
        decision = {
            "idempotencyKey": f"decide-{next(NUMBERS)}",
            "onboardingId": onboarding["id"],
            "version": onboarding["version"],
            "approve": True,
            "comment": "known to us",
        }
        query = """mutation ($input: OnboardingDecideInput!) { onboardingDecide(input: $input) {
            onboarding { status } problems { __typename ... on ValidationFailed { rule } } } }"""
        payload = (await whole.data(query, {"input": decision}))["onboardingDecide"]
        assert [problem["rule"] for problem in payload["problems"]] == ["DECIDER_IS_SUBMITTER"]
        assert payload["onboarding"]["status"] == "AWAITING_DECISION"

    async def test_an_account_moves_in_erp_and_crm_and_an_old_version_is_a_conflict(self, whole: Whole):
        read = '{ account(id: "acc_7") { version } }'
        version = (await whole.data(read))["account"]["version"]
        billing = {"line1": "9 New Road", "city": "Austin", "region": "TX", "postalCode": "73301", "country": "US"}
        query = """mutation ($input: AccountChangeInput!) { accountChange(input: $input) {
            account { version } problems { __typename ... on VersionConflict { currentVersion } } } }"""
        given = {
            "idempotencyKey": f"move-{next(NUMBERS)}",
            "accountId": "acc_7",
            "version": version,
            "billing": billing,
        }
        payload = (await whole.data(query, {"input": given}))["accountChange"]
        assert payload == {"account": {"version": version + 1}, "problems": []}
        sql = "SELECT city FROM customers WHERE crossdockId = 'acc_7'"
        assert [row["city"] for row in whole.sandboxes["erp"].host.store.query(sql)] == ["Austin"]
        sql = "SELECT BillingCity AS city FROM Account WHERE Crossdock_Id__c = 'acc_7'"
        assert [row["city"] for row in whole.sandboxes["crm"].host.store.query(sql)] == ["Austin"]
        late = (await whole.data(query, {"input": {**given, "idempotencyKey": f"move-{next(NUMBERS)}"}}))[
            "accountChange"
        ]
        assert [problem["currentVersion"] for problem in late["problems"]] == [version + 1]

    async def test_an_address_that_is_edited_in_the_crm_is_the_erps_too(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        edit = {"BillingCity": f"Newtown {next(NUMBERS)}"}
        await edit_in_crm(whole, "Account/acc_9", edit)
        sql = "SELECT city FROM customers WHERE crossdockId = 'acc_9'"
        async with asyncio.timeout(WITHIN_S):
            while True:
                if [row["city"] for row in erp.host.store.query(sql)] == [edit["BillingCity"]]:
                    break
                await asyncio.sleep(0.02)

    async def test_of_two_accounts_one_is_left_with_what_both_had(self, whole: Whole):
        erp, crm = (whole.sandboxes[name].host.store for name in ("erp", "crm"))
        (pair,) = erp.query(
            "SELECT a.crossdockId AS survivor, b.crossdockId AS duplicate FROM customers a JOIN customers b "
            "ON a.currencyCode = b.currencyCode AND a.crossdockId < b.crossdockId AND a.blocked = '' AND b.blocked = ''"
            " WHERE a.crossdockId NOT IN ('acc_1', 'acc_2', 'acc_7') AND b.crossdockId NOT IN ('acc_1', 'acc_2', "
            "'acc_7') AND EXISTS (SELECT 1 FROM orders o WHERE o.accountId = b.crossdockId AND o.status = 'Open') "
            "LIMIT 1"
        )
        survivor, duplicate = pair["survivor"], pair["duplicate"]
        for account_id in (survivor, duplicate):
            sql = """UPDATE Account SET Account_Status__c = 'Active', ERP_Home__c = 'Cloud ERP', ParentId = NULL
                WHERE Crossdock_Id__c = ?"""
            crm.execute(sql, (account_id,))
        query = """mutation ($input: AccountMergeInput!) { accountMerge(input: $input) {
            account { id externalRefs { system id current } } process { state steps { name state } }
            problems { __typename ... on Problem { message } } } }"""
        given = {
            "idempotencyKey": f"merge-{next(NUMBERS)}",
            "survivorId": survivor,
            "duplicateId": duplicate,
            "comment": "the same shop twice",
        }
        payload = (await whole.data(query, {"input": given}))["accountMerge"]
        assert (payload["problems"], payload["process"]["state"]) == ([], "COMPLETED")
        assert {ref["system"] for ref in payload["account"]["externalRefs"] if not ref["current"]} == {
            "CRM",
            "CLOUD_ERP",
        }
        sql = "SELECT count(*) AS n FROM orders WHERE accountId = ? AND status = 'Open'"
        assert [row["n"] for row in erp.query(sql, (duplicate,))] == [0]
        sql = "SELECT Account_Status__c AS status FROM Account WHERE Crossdock_Id__c = ?"
        assert [row["status"] for row in crm.query(sql, (duplicate,))] == ["Merged"]

    async def test_a_case_is_opened_once_and_shown_with_its_customer(self, whole: Whole):
        query = """mutation ($input: CaseOpenInput!) { caseOpen(input: $input) { replayed problems { __typename }
            serviceCase { id number status account { id } } } }"""
        key = f"case-{next(NUMBERS)}"
        given = {"idempotencyKey": key, "accountId": "acc_2", "subject": "Pump leaks", "body": "Since Monday."}
        first = (await whole.data(query, {"input": given}))["caseOpen"]
        again = (await whole.data(query, {"input": given}))["caseOpen"]
        assert (first["problems"], first["replayed"], again["replayed"]) == ([], False, True)
        assert again["serviceCase"] == first["serviceCase"]
        listed = (await whole.data('{ account(id: "acc_2") { cases { nodes { id } } } }'))["account"]["cases"]["nodes"]
        assert first["serviceCase"]["id"] in [entry["id"] for entry in listed]
