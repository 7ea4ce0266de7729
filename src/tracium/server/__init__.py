"""The backend: OTLP in, one store, tenant-scoped questions out.

Nothing outside `tracium.cli` imports it, and it shares only `tracium.attributes` and `tracium.exceptions` with the
rest. Its third-party packages come with the extras ``server`` and ``local``.
"""
