"""What decisions make of an onboarding, and which requests can be worked on at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.application import MAX_SHIP_TOS, check_application
from processes.rules.onboarding_decision import Verdict, apply_verdict, check_verdict, open_checks, unsolved
from schema.enums import CheckKind, CheckResult, OnboardingStatus, SourceSystem
from schema.records.onboarding import ENDED, Onboarding, OnboardingCheck
from schema.records.problems import CreditDeclined, TerritoryUnassigned
from schema.records.values import Money
from tests.support.onboarding_records import SUBMITTED, address, applicant, onboarding, registration

K, R, S = CheckKind, CheckResult, OnboardingStatus
EVERY = frozenset(K)
REP, BOSS, CREDIT, OTHER = "user:usr_1", "user:boss", "user:credit", "user:other"
NOWHERE = TerritoryUnassigned(code="TERRITORY_UNASSIGNED", message="nobody's", country="US")


def waiting(*kinds: CheckKind, credit: str = "50000", rate: str | None = "1", **changes: Any) -> Onboarding:
    """Return an onboarding that waits for decisions about these checks."""
    requested = Money(Decimal(credit), "USD")
    checks = tuple(
        OnboardingCheck(
            kind,
            SourceSystem.PLATFORM,
            R.NEEDS_DECISION if kind in kinds else R.PASSED,
            problems=(NOWHERE,) if kind is K.TERRITORY and kind in kinds else (),
        )
        for kind in K
    )
    made = onboarding(
        version=5,
        status=S.AWAITING_DECISION,
        checks=checks,
        applicant=applicant(requested_credit=requested),
        policy_credit=None if rate is None else Decimal(credit) * Decimal(rate),
    )
    return replace(made, **changes)


def verdict(**changes: Any) -> Verdict:
    return replace(Verdict("onb_1", 5, approve=True, comment="known to us"), **changes)


def decide(asked: Onboarding, by: str = CREDIT, theirs: frozenset[CheckKind] = EVERY, **changes: Any) -> Onboarding:
    made = verdict(version=asked.version, **changes)
    assert check_verdict(asked, made, by, theirs) == ()
    return apply_verdict(asked, made, f"dec_{by}", by, SUBMITTED, theirs)


def rules(asked: Onboarding, by: str = CREDIT, theirs: frozenset[CheckKind] = EVERY, **changes: Any) -> list[str]:
    problems = check_verdict(asked, verdict(**changes), by, theirs)
    return [getattr(problem, "rule", problem.code) for problem in problems]


class TestDecisions:
    def test_the_last_approval_lets_it_go_on(self):
        first = decide(waiting(K.CREDIT, K.TERRITORY), check=K.TERRITORY)
        assert (first.status, open_checks(first)) == (S.AWAITING_DECISION, (K.CREDIT,))
        second = decide(first, check=K.CREDIT)
        assert (second.status, second.decided_at) == (S.APPROVED, SUBMITTED)
        assert {check.kind: check.decided_by for check in second.checks if check.decided_by} == {
            K.TERRITORY: CREDIT,
            K.CREDIT: CREDIT,
        }

    def test_without_a_check_everything_that_is_theirs_is_decided(self):
        made = decide(waiting(K.CREDIT, K.TERRITORY, K.DUPLICATE), BOSS, EVERY - {K.CREDIT})
        assert open_checks(made) == (K.CREDIT,)
        assert len(made.decisions) == 2

    @pytest.mark.parametrize(
        ("credit", "rate", "limit", "persons"),
        [
            pytest.param("100000", "1", None, 1, id="a hundred thousand"),
            pytest.param("100000.01", "1", None, 2, id="a cent more"),
            pytest.param("90000", "1.2", None, 2, id="more in the policy's currency"),
            pytest.param("150000", "1", "100000", 1, id="a lower limit within one person's reach"),
            pytest.param("20000", None, None, 2, id="nobody knows the rate"),
        ],
    )
    def test_a_large_limit_takes_two_persons(self, credit: str, rate: str | None, limit: str | None, persons: int):
        given_limit = None if limit is None else Money(Decimal(limit), "USD")
        made = decide(waiting(K.CREDIT, credit=credit, rate=rate), credit_limit=given_limit)
        assert (made.status is S.APPROVED) is (persons == 1)
        if persons == 2:
            made = decide(made, OTHER)
            assert made.status is S.APPROVED
        assert made.credit_limit == Money(Decimal(limit or credit), "USD")

    def test_of_two_limits_the_lower_is_given(self):
        first = decide(waiting(K.CREDIT, credit="300000"), credit_limit=Money(Decimal(200_000), "USD"))
        second = decide(first, OTHER, credit_limit=Money(Decimal(250_000), "USD"))
        assert second.credit_limit == Money(Decimal(200_000), "USD")

    def test_a_check_that_is_turned_down_ends_it_with_its_problem(self):
        made = decide(waiting(K.CREDIT, K.TERRITORY), approve=False, check=K.TERRITORY)
        assert (made.status, made.problems) == (S.REJECTED, (NOWHERE,))
        assert unsolved(made) == (NOWHERE,)

    def test_declined_credit_says_what_was_asked_for(self):
        (problem,) = decide(waiting(K.CREDIT), approve=False).problems
        assert isinstance(problem, CreditDeclined)
        assert (problem.requested, "known to us" in problem.message) == (Money(Decimal(50_000), "USD"), True)

    def test_what_waits_is_told_with_its_problems(self):
        assert unsolved(waiting(K.TERRITORY)) == (NOWHERE,)

    @pytest.mark.parametrize(
        ("asked", "by", "change", "said"),
        [
            pytest.param(waiting(K.CREDIT), CREDIT, {}, [], id="in order"),
            pytest.param(waiting(K.CREDIT), REP, {}, ["DECIDER_IS_SUBMITTER"], id="who submitted"),
            pytest.param(waiting(K.CREDIT), CREDIT, {"comment": " "}, ["COMMENT"], id="no reason"),
            pytest.param(waiting(K.CREDIT), CREDIT, {"comment": "x" * 2001}, ["COMMENT"], id="too long a reason"),
            pytest.param(waiting(K.CREDIT), CREDIT, {"check": K.TAX}, ["CHECK_NOT_OPEN"], id="a check that passed"),
            pytest.param(waiting(K.CREDIT), CREDIT, {"version": 4}, ["VERSION_CONFLICT"], id="an old version"),
            pytest.param(
                waiting(K.TERRITORY),
                CREDIT,
                {"credit_limit": Money(Decimal(1), "USD")},
                ["CREDIT_LIMIT"],
                id="a limit about a territory",
            ),
            pytest.param(
                waiting(K.CREDIT),
                CREDIT,
                {"credit_limit": Money(Decimal(1), "USD"), "approve": False},
                ["CREDIT_LIMIT"],
                id="a limit with a refusal",
            ),
            pytest.param(
                waiting(K.CREDIT),
                REP,
                {"comment": "", "credit_limit": Money(Decimal(-1), "USD")},
                ["DECIDER_IS_SUBMITTER", "COMMENT", "CREDIT_LIMIT"],
                id="everything at once",
            ),
        ],
    )
    def test_what_stops_a_decision_is_told(self, asked: Onboarding, by: str, change: dict[str, Any], said: list[str]):
        assert rules(asked, by, **change) == said

    def test_the_same_person_does_not_agree_twice(self):
        first = decide(waiting(K.CREDIT, credit="300000"))
        assert rules(first) == ["SECOND_PERSON"]
        assert rules(first, approve=False) == []

    @pytest.mark.parametrize("status", sorted(set(S) - {S.AWAITING_DECISION}))
    def test_only_what_waits_is_decided(self, status: OnboardingStatus):
        assert rules(waiting(K.CREDIT, status=status)) == ["NOT_ALLOWED_IN_STATE"]

    @given(
        st.sets(st.sampled_from(list(K)), min_size=1),
        st.lists(st.tuples(st.sampled_from([CREDIT, BOSS, OTHER, REP]), st.booleans(), st.sampled_from([None, *K]))),
        st.sampled_from(["50000", "150000"]),
    )
    def test_nothing_is_approved_by_its_submitter_or_while_a_check_waits(self, kinds, tries, credit):
        asked = waiting(*kinds, credit=credit)
        for number, (by, approve, check) in enumerate(tries):
            made = verdict(version=asked.version, approve=approve, check=check)
            if check_verdict(asked, made, by, EVERY) == ():
                asked = apply_verdict(asked, made, f"dec_{number}", by, SUBMITTED, EVERY)
        assert REP not in {decision.by for decision in asked.decisions}
        assert (asked.status is S.APPROVED) is (not open_checks(asked) and asked.status not in ENDED)
        if asked.status is S.APPROVED and K.CREDIT in kinds:
            persons = {decision.by for decision in asked.decisions if decision.check is K.CREDIT}
            assert len(persons) == (2 if credit == "150000" else 1)


class TestApplication:
    def test_a_good_application_has_no_problems(self):
        assert check_application(applicant()) == []

    @pytest.mark.parametrize(
        ("change", "rule", "path"),
        [
            ({"legal_name": ""}, "LEGAL_NAME", ("legalName",)),
            ({"legal_name": "a\nb"}, "LEGAL_NAME", ("legalName",)),
            ({"trade_name": "x" * 201}, "TRADE_NAME", ("tradeName",)),
            ({"price_group": ""}, "PRICE_GROUP", ("priceGroup",)),
            ({"contact_name": " "}, "CONTACT_NAME", ("contactName",)),
            ({"contact_email": "bo@quayside"}, "CONTACT_EMAIL", ("contactEmail",)),
            ({"contact_email": "b o@quayside.example"}, "CONTACT_EMAIL", ("contactEmail",)),
            ({"currency": "usd", "requested_credit": None}, "CURRENCY", ("currency",)),
            ({"ship_tos": ()}, "SHIP_TO_COUNT", ("shipTo",)),
            ({"ship_tos": (address(),) * (MAX_SHIP_TOS + 1)}, "SHIP_TO_COUNT", ("shipTo",)),
            ({"ship_tos": (address(), address(city=""))}, "ADDRESS", ("shipTo", "1", "city")),
            ({"billing": address(line1="x" * 161)}, "ADDRESS", ("billing", "line1")),
            ({"billing": address(line2="x" * 41)}, "ADDRESS", ("billing", "line2")),
            ({"billing": address(postal_code=" ")}, "ADDRESS", ("billing", "postalCode")),
            ({"billing": address(country="us")}, "COUNTRY", ("billing", "country")),
            ({"billing": address(region=None)}, "REGION", ("billing", "region")),
            ({"billing": address(region="Texas")}, "REGION", ("billing", "region")),
            ({"billing": address(gln="9521234500001")}, None, None),
            ({"billing": address(gln="9521234500004")}, "GLN", ("billing", "gln")),
            ({"billing": address(gln="12")}, "GLN", ("billing", "gln")),
            (
                {"tax_registrations": (registration(number=""),)},
                "TAX_NUMBER",
                ("taxRegistrations", "0", "number"),
            ),
            (
                {"tax_registrations": (registration(),) * 31},
                "TAX_REGISTRATION_COUNT",
                ("taxRegistrations",),
            ),
            (
                {"requested_credit": Money(Decimal("-0.01"), "USD")},
                "REQUESTED_CREDIT",
                ("requestedCredit", "amount"),
            ),
            (
                {"requested_credit": Money(Decimal("NaN"), "USD")},
                "REQUESTED_CREDIT",
                ("requestedCredit", "amount"),
            ),
            (
                {"requested_credit": Money(Decimal(1), "CAD")},
                "CREDIT_CURRENCY",
                ("requestedCredit", "currency"),
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_wrong_is_named_with_its_place(self, change: dict[str, Any], rule: str | None, path: Any):
        found = check_application(applicant(**change))
        expected = [] if rule is None else [(rule, path)]
        assert [(problem.rule, problem.path) for problem in found] == expected

    @given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=60))
    def test_whatever_is_sent_gets_an_answer(self, name: str, mail: str, gln: str):
        check_application(applicant(legal_name=name, contact_email=mail, billing=address(gln=gln or None, city=mail)))
