"""The cbm service, its client library and its command line."""

__version__ = "0.1.0"
