"""Model calls: each counts once, ends in any case, and says no more than it may."""

from tracium.signals.genai.content import ContentLogRecordProcessor, settle_span
from tracium.signals.genai.policy import ContentPolicy
from tracium.signals.genai.processor import GenAISpanProcessor, settles_content

__all__ = [
    "ContentLogRecordProcessor",
    "ContentPolicy",
    "GenAISpanProcessor",
    "settle_span",
    "settles_content",
]
