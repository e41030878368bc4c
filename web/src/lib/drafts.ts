/** Text that somebody has typed and not saved: kept for a reload, per document and cell. */

const keyOf = (documentId: string, cell: string) => `scriptorium:draft:${documentId}:${cell}`;

export function keepDraft(documentId: string, cell: string, text: string | null): void {
  if (text === null) sessionStorage.removeItem(keyOf(documentId, cell));
  else sessionStorage.setItem(keyOf(documentId, cell), text);
}

export function draftOf(documentId: string, cell: string): string | null {
  return sessionStorage.getItem(keyOf(documentId, cell));
}
