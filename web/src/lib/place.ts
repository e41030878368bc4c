/** Where a reader was: kept for a reload, per document and tab. */

interface Place {
  y: number;
  source: string | null;
}

const keyOf = (documentId: string) => `scriptorium:place:${documentId}`;

export function keepPlace(documentId: string, source: string | null): void {
  const place: Place = { y: scrollY, source };
  sessionStorage.setItem(keyOf(documentId), JSON.stringify(place));
}

export function placeOf(documentId: string): Place | null {
  const kept = sessionStorage.getItem(keyOf(documentId));
  return kept === null ? null : (JSON.parse(kept) as Place);
}
