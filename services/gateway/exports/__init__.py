"""A document to take away: Markdown, HTML, DOCX, a table as CSV."""
