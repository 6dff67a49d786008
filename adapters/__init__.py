"""Translators between agencies' documents and canonical messages, and the process that runs them."""
