"""What clients and logs are told of failures, and what is counted."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from gateway.config import ErrorSettings
from gateway.policies.error_mask import ErrorMask
from gateway.policies.metrics import MAX_OPERATIONS, Metrics
from gateway.policies.request_log import RequestLog, codes_of, hash_of
from gateway.server.principal import Principal
from gateway.server.request import KnownClient, RequestContext

CONTEXT = RequestContext(
    Principal("ann@example.com", claims=(("secret", "s3cret"),)),
    (("authorization", "Bearer s3cret"),),
    KnownClient("web"),
)


TOLD = {"code": "DB", "subgraph": "s", "system": "erp", "processId": "prc_1", "retryable": True}


def errors() -> list[dict]:
    return [
        {"message": "SQL: no table", "path": ["a"], "extensions": {**TOLD, "table": "users"}},
        {"message": "no credit", "extensions": {"code": "CREDIT", "subgraph": "s"}},
        {"message": "subgraph s did not answer", "extensions": {"code": "SUBGRAPH_TIMEOUT", "subgraph": "s"}},
        {"message": "not allowed", "extensions": {"code": "UNAUTHORIZED_FIELD_OR_TYPE"}},
    ]


def test_what_a_subgraph_says_is_hidden_behind_an_id_that_the_log_has(caplog):
    found = errors()
    ErrorMask(ErrorSettings(subgraph_errors="masked", shown_codes=("CREDIT",))).apply(found)
    hidden = found[0]
    identifier = hidden["extensions"]["correlationId"]
    assert hidden["path"] == ["a"]
    assert hidden["extensions"] == {**TOLD, "correlationId": identifier}
    assert "SQL" not in hidden["message"]
    assert identifier in hidden["message"]
    assert identifier in caplog.text
    assert "SQL: no table" in caplog.text
    assert found[1:] == errors()[1:], "named codes and the gateway's own errors are shown"


def lines(mode, found: list[dict]) -> list[dict]:
    with capture_logs() as captured:
        RequestLog(mode).write("query", "Q", hash_of("{ a }"), CONTEXT, 0.0123, codes_of(found))
    return captured


def test_a_line_of_log_names_the_operation_and_tells_no_secret():
    assert lines("all", []) == [
        {
            "event": "operation",
            "log_level": "info",
            "kind": "query",
            "operation": "Q",
            "operation_hash": hash_of("{ a }"),
            "client": "web",
            "signed_in": True,
            "duration_ms": 12.3,
        }
    ]
    failed = lines("failed", errors())[0]
    assert failed["codes"] == ["DB", "CREDIT", "SUBGRAPH_TIMEOUT", "UNAUTHORIZED_FIELD_OR_TYPE"]
    assert failed["log_level"] == "warning"
    assert "s3cret" not in str(failed)
    assert "ann" not in str(failed)
    structlog.reset_defaults()


def test_lines_are_written_for_what_the_settings_want():
    assert [len(lines(mode, [])) for mode in ("none", "failed", "all")] == [0, 0, 1]
    assert [len(lines(mode, errors())) for mode in ("none", "failed", "all")] == [0, 1, 1]


def test_operations_of_any_name_cannot_fill_the_memory():
    metrics = Metrics()
    for number in range(MAX_OPERATIONS + 50):
        metrics.answered("query", f"Q{number}", 0.01, has_errors=False)
    assert len(metrics._names) == MAX_OPERATIONS
    assert (
        metrics._registry.get_sample_value(
            "gateway_operations_total", {"operation": "other", "kind": "query", "outcome": "ok"}
        )
        == 50
    )
