/** Edits over HTTP (docs/editing.md): what each would come to, and what came of it. */

import { asked, Problem } from './api';
import type { Proposal } from './editor.svelte';
import { page, problem } from './messages';
import type { Column, Estimate, Policy, Reason, Section } from './types';

/** An edit that somebody wants: how it is asked for, and what it is called. */
export interface Wish {
  method: 'PATCH' | 'PUT' | 'POST' | 'DELETE';
  /** Below the document's own path; empty: the document itself. */
  path: string;
  body?: unknown;
  /** For the reader: ‘Instructions of Costs’. */
  says: string;
  /** The moment of the log that the reader saw when they began; null: whatever is there. */
  version?: number | null;
}

export interface Touched {
  cell: string;
  section: string;
  certain: boolean;
  reasons: readonly Reason[];
}

export interface Preview {
  version: number;
  cells: readonly Touched[];
  kept: readonly Touched[];
  /** Nothing of this is written before an update is asked for. */
  waits: boolean;
  estimate: Estimate;
}

export interface Changed {
  sequence: number;
  version: number;
  changed: boolean;
  estimate: Estimate;
}

/** One edit of the history. */
export interface Change {
  sequence: number;
  at_ms: number;
  type: string;
  cause: string;
  who: string;
  what: readonly string[];
  cells: readonly string[];
  estimate: Estimate | null;
}

export interface Compared {
  cells: readonly { cell: string; before: string | null; after: string | null }[];
}

/** Somebody else was first (412): what they did, and what is there now. */
export class Conflict extends Problem {
  readonly version: number;
  readonly current: unknown;
  readonly changes: readonly Change[];

  constructor(message: string, version: number, current: unknown, changes: readonly Change[]) {
    super(412, message);
    this.version = version;
    this.current = current;
    this.changes = changes;
  }
}

interface Refusal {
  title?: string;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
  version?: number;
  current?: unknown;
  changes?: Change[];
}

const pathOf = (documentId: string, path: string) => `/api/documents/${encodeURIComponent(documentId)}${path}`;

async function answered<Answer>(path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(path, init);
  if (response.ok) return (await response.json()) as Answer;
  const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
  const body: Refusal = isJson ? ((await response.json()) as Refusal) : {};
  const words = body.detail ?? body.title ?? `${response.status} ${response.statusText}`;
  if (response.status === 412) throw new Conflict(words, body.version ?? 0, body.current, body.changes ?? []);
  throw new Problem(response.status, words, (body.errors ?? []).map((error) => `${error.pointer}: ${error.detail}`));
}

function asking(wish: Wish): RequestInit {
  const headers: Record<string, string> = {};
  if (wish.body !== undefined) headers['Content-Type'] = 'application/json';
  if (wish.version != null) headers['If-Match'] = `"${wish.version}"`;
  return wish.body === undefined ? { method: wish.method, headers } : { method: wish.method, headers, body: JSON.stringify(wish.body) };
}

export function preview(documentId: string, wish: Wish): Promise<Preview> {
  return answered(`${pathOf(documentId, wish.path)}?preview=true`, asking(wish));
}

export function change(documentId: string, wish: Wish): Promise<Changed> {
  return answered(pathOf(documentId, wish.path), asking(wish));
}

export async function history(documentId: string): Promise<readonly Change[]> {
  return (await answered<{ changes: Change[] }>(pathOf(documentId, '/history'))).changes;
}

export function compare(documentId: string, from: number, to: number): Promise<Compared> {
  return answered(`${pathOf(documentId, '/compare')}?from=${from}&to=${to}`);
}

// -- What can be wished for ----------------------------------------------------------------------------------------------------

const at = encodeURIComponent;

export const wish = {
  head: (says: string, changes: { title?: string; brief?: string }): Wish => ({ method: 'PATCH', path: '', body: changes, says }),
  policy: (says: string, policy: Partial<Policy>): Wish => ({ method: 'PATCH', path: '', body: { policy }, says }),
  outline: (says: string, sections: readonly Section[]): Wish => ({ method: 'PUT', path: '/outline', body: { sections }, says }),
  section: (says: string, id: string, changes: Partial<Omit<Section, 'id'>>): Wish => ({
    method: 'PATCH',
    path: `/sections/${at(id)}`,
    body: changes,
    says,
  }),
  column: (says: string, section: string, { id, ...column }: Column): Wish => ({
    method: 'PUT',
    path: `/sections/${at(section)}/columns/${at(id)}`,
    body: column,
    says,
  }),
  dropColumn: (says: string, section: string, id: string): Wish => ({
    method: 'DELETE',
    path: `/sections/${at(section)}/columns/${at(id)}`,
    says,
  }),
  text: (says: string, cell: string, text: string): Wish => ({ method: 'PUT', path: `/cells/${at(cell)}`, body: { text }, says }),
  rewrite: (says: string, cell: string, model?: string): Wish => ({
    method: 'POST',
    path: `/cells/${at(cell)}/rewrite`,
    body: model === undefined ? {} : { model },
    says,
  }),
  cell: (says: string, cell: string, does: 'accept' | 'decline' | 'lock' | 'unlock'): Wish => ({
    method: 'POST',
    path: `/cells/${at(cell)}/${does}`,
    body: {},
    says,
  }),
  update: (says: string, cells?: readonly string[]): Wish => ({
    method: 'POST',
    path: '/update',
    body: cells === undefined ? {} : { cells },
    says,
  }),
  restore: (says: string, to: number): Wish => ({ method: 'POST', path: '/restore', body: { to }, says }),
  addSource: (says: string, offered: { name: string; text: string } | { upload: string }): Wish => ({
    method: 'POST',
    path: '/sources',
    body: offered,
    says,
  }),
  replaceSource: (says: string, id: string, offered: { name: string; text: string } | { upload: string }): Wish => ({
    method: 'PUT',
    path: `/sources/${at(id)}`,
    body: offered,
    says,
  }),
  dropSource: (says: string, id: string): Wish => ({ method: 'DELETE', path: `/sources/${at(id)}`, says }),
};

/** One cell is no longer written; the document goes on. No edit: it meets no conflict. */
export async function stopCell(documentId: string, cell: string): Promise<void> {
  await asked(pathOf(documentId, `/cells/${encodeURIComponent(cell)}/stop`), { method: 'POST' });
}

/** What stands before the reader when something that they wanted did not come about. */
export function troubleOf(error: unknown, wanted?: Wish): Proposal {
  if (error instanceof Conflict && wanted !== undefined) {
    return { type: 'conflict', wish: wanted, version: error.version, changes: error.changes };
  }
  if (!(error instanceof Problem)) return { type: 'trouble', words: [problem(error instanceof Error ? error.message : '')] };
  const isRefused = error.status === 401 || error.status === 403;
  return { type: 'trouble', words: isRefused ? [page.readOnly] : [error.message, ...error.fields.slice(1)] };
}
