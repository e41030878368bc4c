/** The gateway's HTTP face, as far as the page uses it. An answer that is no success is a `Problem` (RFC 9457). */

import type { Passages } from './types';

export class Problem extends Error {
  readonly status: number;
  /** What is wrong with each field; the first is in the message, too. */
  readonly fields: readonly string[];

  constructor(status: number, message: string, fields: readonly string[] = []) {
    super(message);
    this.status = status;
    this.fields = fields;
  }
}

interface ProblemBody {
  title?: string;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
}

async function problemOf(response: Response): Promise<Problem> {
  const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
  const body: ProblemBody = isJson ? ((await response.json()) as ProblemBody) : {};
  const fields = (body.errors ?? []).map((error) => `${error.pointer}: ${error.detail}`);
  return new Problem(response.status, body.detail ?? body.title ?? `${response.status} ${response.statusText}`, fields);
}

export async function asked(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, init);
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function json<Answer>(path: string, init?: RequestInit): Promise<Answer> {
  return (await asked(path, init)).json() as Promise<Answer>;
}

export function posted(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

export const pathOf = (documentId: string) => `/api/documents/${encodeURIComponent(documentId)}`;

export const eventsPath = (documentId: string) => `${pathOf(documentId)}/events`;

export async function stopDocument(documentId: string): Promise<void> {
  await asked(`${pathOf(documentId)}/stop`, { method: 'POST' });
}

export async function resumeDocument(documentId: string): Promise<void> {
  await asked(`${pathOf(documentId)}/resume`, { method: 'POST' });
}

/** `at`: the version that the document had at that sequence of its log. */
export function passagesOf(documentId: string, source: string, at?: number): Promise<Passages> {
  return json(`${pathOf(documentId)}/sources/${encodeURIComponent(source)}/passages${at === undefined ? '' : `?at=${at}`}`);
}

export type Format = 'md' | 'html' | 'docx' | 'csv' | 'json';
