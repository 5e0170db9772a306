"""``netclients demo``: what the library promises, shown on loopback in a few seconds (extra ``demo``).

Each protocol is one :class:`~netclients.cli.demo.scenario.Scenario`; what they return becomes one table.
"""
