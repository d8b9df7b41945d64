"""Checks of infra/: its templates, event patterns, permissions and scripts, all without AWS."""
