"""Sampling by tenant: which traces are exported, decided where the tenant is known."""

from tracium.signals.sampling.processor import TenantSampling
from tracium.signals.sampling.rates import SampleRates
from tracium.signals.sampling.traces import Bounds

__all__ = ["Bounds", "SampleRates", "TenantSampling"]
