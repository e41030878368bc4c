"""Living documents, for programs: the typed client of a Scriptorium gateway, and what is said to it and by it.

    from scriptorium import DocumentAsked, ScriptoriumClient

See docs/client.md.
"""

from schemas.document import Cell, Completion, Document
from schemas.edit_requests import Comparison, Edited, Estimated, History, Preview
from schemas.library import Card, Cards
from schemas.requests import DocumentAsked, OutlineAsked, SourceAsked, Template, TemplateAsked
from schemas.values import Citation, Column, Estimate, Policy, Section
from schemas.watches import WatchAsked, WatchShown
from services.client import Conflict, DocumentClient, Edits, ExportFormat, Problem, ScriptoriumClient

__all__ = [
    "Card",
    "Cards",
    "Cell",
    "Citation",
    "Column",
    "Comparison",
    "Completion",
    "Conflict",
    "Document",
    "DocumentAsked",
    "DocumentClient",
    "Edited",
    "Edits",
    "Estimate",
    "Estimated",
    "ExportFormat",
    "History",
    "OutlineAsked",
    "Policy",
    "Preview",
    "Problem",
    "ScriptoriumClient",
    "Section",
    "SourceAsked",
    "Template",
    "TemplateAsked",
    "WatchAsked",
    "WatchShown",
]
