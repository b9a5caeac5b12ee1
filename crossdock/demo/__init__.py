"""The demo: everything in one place, with made-up systems, and a tour of it in the terminal."""
