/** The documents that this browser knows, over HTTP. */

import { asked, json, pathOf, posted } from './api';
import type { DocumentMade } from './creating';

/** What the library says of one document. */
export interface Card {
  id: string;
  title: string;
  brief: string;
  run: 'Running' | 'Paused' | 'Done' | 'Abandoned' | 'Deleted';
  created_at_ms: number;
  changed_at_ms: number;
  cells: number;
  cells_done: number;
  cells_failed: number;
  cells_stopped: number;
  sources: number;
  cost: number;
}

export function documents(query: string, after?: string): Promise<{ documents: Card[]; next: string | null }> {
  const more = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
  return json(`/api/documents?q=${encodeURIComponent(query)}${more}`);
}

export async function deleteDocument(documentId: string): Promise<void> {
  await asked(pathOf(documentId), { method: 'DELETE' });
}

export function duplicateDocument(documentId: string): Promise<DocumentMade> {
  return json(`${pathOf(documentId)}/duplicate`, posted({}));
}
