"""Tokens that are freed as soon as nothing needs them.

The tokens of a parsed document name the one before them and the one after, so that only the garbage collector frees
them: a few hundred bytes for each of thousands, which pile up until its next full round. Nothing here goes back from a
token, so the way back is dropped.
"""

from __future__ import annotations

from graphql.language import Lexer, Token

__all__ = ["ForwardLexer"]


class ForwardLexer(Lexer):
    """Links each token with the next one only."""

    def lookahead(self) -> Token:
        """Return the next token that is no comment, without moving on."""
        seen, found = self.token, super().lookahead()
        while seen is not found and seen.next is not None:
            seen = seen.next
            seen.prev = None
        return found
