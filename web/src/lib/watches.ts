/** What a document follows by itself, over HTTP (docs/watching.md). */

import { Problem } from './api';
import { page, watches as words } from './messages';

export interface Watch {
  id: string;
  what: { type: 'FolderWatched'; folder: string; glob: string } | { type: 'AddressWatched'; url: string; source: string };
  /** Ids of the sources that follow it. */
  sources: readonly string[];
  files: number;
  /** Milliseconds since the Unix epoch; 0: never. */
  looked_at_ms: number;
  changed_at_ms: number;
  next_look_at_ms: number;
  trouble: string;
  /** The webhook's address; null: this browser has not the document's key. */
  hook: string | null;
}

export type WatchAsked = { folder: string; glob?: string } | { url: string; source?: string };

async function asked(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, init);
  if (response.ok) return response;
  if (response.status === 401 || response.status === 403) throw new Problem(response.status, page.readOnly);
  const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
  const body = isJson ? ((await response.json()) as { detail?: string; errors?: { detail: string }[] }) : {};
  throw new Problem(response.status, body.errors?.[0]?.detail ?? body.detail ?? `${response.status} ${response.statusText}`);
}

const pathOf = (documentId: string) => `/api/documents/${encodeURIComponent(documentId)}/watches`;

export async function watchesOf(documentId: string): Promise<readonly Watch[]> {
  return ((await (await asked(pathOf(documentId))).json()) as { watches: Watch[] }).watches;
}

export async function folders(): Promise<readonly string[]> {
  return ((await (await asked('/api/folders')).json()) as { folders: string[] }).folders;
}

export async function watch(documentId: string, body: WatchAsked): Promise<void> {
  await asked(pathOf(documentId), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

export async function stopWatching(documentId: string, id: string): Promise<void> {
  await asked(`${pathOf(documentId)}/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

/** What it watches, for a reader. */
export function nameOf({ what }: Watch): string {
  return what.type === 'FolderWatched' ? words.folder(what.folder, what.glob) : what.url;
}
