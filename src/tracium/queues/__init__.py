"""Task queues and message brokers: the tenant goes along with each message, and only along."""

from tracium.queues.headers import Headers, MutableHeaders, inject
from tracium.queues.message import message

__all__ = ["Headers", "MutableHeaders", "inject", "message"]
