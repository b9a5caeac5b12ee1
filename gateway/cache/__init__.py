"""Answers that are kept for a while: those of subgraphs, by fetch and by entity, and whole ones.

``lifetime`` says how long and for whom, ``tags`` what an answer is about, ``store`` keeps it.
"""
