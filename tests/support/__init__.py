"""Tests as specifications; see CONTRIBUTING.md."""
