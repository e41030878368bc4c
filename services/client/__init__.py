"""The typed client of the HTTP face. Programs import it as `scriptorium`."""

from services.client.client import ScriptoriumClient
from services.client.document import DocumentClient, ExportFormat
from services.client.edits import Edits
from services.client.problems import Conflict, Problem

__all__ = ["Conflict", "DocumentClient", "Edits", "ExportFormat", "Problem", "ScriptoriumClient"]
