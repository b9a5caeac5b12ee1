"""What reading a document leaves behind: nothing that has to wait for the garbage collector."""

from __future__ import annotations

import contextlib
import gc

import pytest
from graphql import GraphQLSyntaxError, Source, parse
from graphql.language import Lexer, Token, print_ast
from graphql.language.parser import Parser

from gateway.operation.lexing import ForwardLexer

MANY = 5000
A_FEW = 5


def left_behind(lexer: Lexer) -> int:
    """Return the number of tokens that only the garbage collector frees once a document was read."""
    gc.collect()
    gc.disable()
    try:
        before = count()
        with contextlib.suppress(GraphQLSyntaxError):
            Parser(lexer.source, lexer=lexer).parse_document()
        del lexer
        return count() - before
    finally:
        gc.enable()


def count() -> int:
    return sum(isinstance(found, Token) for found in gc.get_objects())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{ " + "text " * MANY + "}", id="a long document"),
        pytest.param("{ " + "# a comment\n text " * MANY + "}", id="comments"),
        pytest.param("{ " + "text " * MANY, id="a document that breaks off"),
    ],
)
def test_only_with_a_lexer_of_ours_are_the_tokens_of_a_document_freed_with_it(text: str) -> None:
    assert left_behind(ForwardLexer(Source(text))) < A_FEW
    assert left_behind(Lexer(Source(text))) > MANY


def test_what_is_read_is_the_same() -> None:
    text = "# hello\nquery Q($a: [Int!]! = [1]) { a: n(a: $a) @skip(if: false) { ...F } } # end\n"
    text += 'fragment F on N { s(b: """x""") }'
    source = Source(text)
    found = Parser(source, lexer=ForwardLexer(source)).parse_document()
    assert found == parse(text)
    assert print_ast(found) == print_ast(parse(text))
    assert found.loc is not None
    assert (found.loc.start, found.loc.end) == (0, len(text))
