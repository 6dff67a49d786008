"""The bench: cbm beside a bare relay and two other libraries, on one RabbitMQ, doing the same work.

Nothing of cbm imports it. What the numbers mean stands in docs/BENCH.md.
"""
