/** What the control room asks of the gateway; see `services/gateway/control.py`. */

import { passagesOf, Problem } from '../api';
import type { Document } from '../types';
import type { Process } from './house';

export interface DialsHeld {
  /** What was turned live, by model; `*` is every model. */
  live: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What holds for a model of which nothing else was said. */
  any_other: Readonly<Record<string, unknown>>;
}

export interface Done {
  processes: readonly Process[];
  did?: string;
}

export type Action = 'kill' | 'freeze' | 'thaw' | 'restart';

const at = (documentId: string, rest = '') => `/api/documents/${encodeURIComponent(documentId)}${rest}`;
export const operationsPath = (documentId: string) => at(documentId, '/operations');

async function asked<Answer>(path: string, method = 'GET', body?: unknown): Promise<Answer> {
  const init = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(path, { method, cache: 'no-store', ...init });
  if (response.ok) return (await response.json()) as Answer;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  throw new Problem(response.status, problem.detail ?? `${response.status} ${response.statusText}`);
}

export const dialsOf = (id: string) => asked<DialsHeld>(at(id, '/operations/dials'));
export const turnDials = (id: string, turn: { dials?: Record<string, number | null>; reset?: boolean }) =>
  asked<DialsHeld>(at(id, '/operations/dials'), 'PATCH', turn);
export const processesOf = (id: string) => asked<Done>(at(id, '/operations/processes'));
export const act = (id: string, process: string, action: Action) =>
  asked<Done>(at(id, '/operations/processes'), 'POST', { process, action });
export const documentAsFolded = (id: string) => asked<Document>(at(id));

/** A source with one more paragraph at its end. */
export async function lengthenSource(id: string, source: string, name: string, paragraph: string): Promise<void> {
  const { passages } = await passagesOf(id, source);
  const text = [...passages.map((passage) => passage.text), paragraph].join('\n\n');
  await asked<unknown>(at(id, `/sources/${encodeURIComponent(source)}`), 'PUT', { name, text });
}
