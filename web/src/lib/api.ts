/** The gateway's HTTP face, as far as the page uses it. An answer that is no success is a `Problem` (RFC 9457). */

import type { Estimate, Passages, Policy } from './types';

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

export interface OutlineGiven {
  id: string;
  heading: string;
  instructions: string;
  depends_on: string[];
}

export type SourceOffered = { name: string; text: string } | { upload: string } | { url: string };

export interface DocumentAsked {
  brief: string;
  sources: SourceOffered[];
  outline?: { sections: OutlineGiven[] };
  policy?: Partial<Policy>;
}

export interface DocumentMade {
  id: string;
  url: string;
}

export interface Demo {
  name: string;
  title: string;
  description: string;
  sections: number;
  sources: number;
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

async function asked(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, init);
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function json<Answer>(path: string, init?: RequestInit): Promise<Answer> {
  return (await asked(path, init)).json() as Promise<Answer>;
}

function posted(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

const pathOf = (documentId: string) => `/api/documents/${encodeURIComponent(documentId)}`;

export const eventsPath = (documentId: string) => `${pathOf(documentId)}/events`;

export function createDocument(body: DocumentAsked, idempotencyKey: string): Promise<DocumentMade> {
  const init = posted(body);
  return json('/api/documents', { ...init, headers: { ...init.headers, 'Idempotency-Key': idempotencyKey } });
}

export async function upload(file: File): Promise<string> {
  const headers = { 'Content-Type': file.type || 'application/octet-stream' };
  const path = `/api/uploads?name=${encodeURIComponent(file.name)}`;
  return (await json<{ upload: string }>(path, { method: 'POST', headers, body: file })).upload;
}

export async function demos(): Promise<Demo[]> {
  return (await json<{ demos: Demo[] }>('/api/demo')).demos;
}

export function startDemo(name: string): Promise<DocumentMade> {
  return json('/api/demo', posted({ name }));
}

export async function stopDocument(documentId: string): Promise<void> {
  await asked(`${pathOf(documentId)}/stop`, { method: 'POST' });
}

export async function resumeDocument(documentId: string): Promise<void> {
  await asked(`${pathOf(documentId)}/resume`, { method: 'POST' });
}

/** A model that may be asked; money is US dollars per million tokens. */
export interface ModelKnown {
  name: string;
  provider: string;
  /** For what it is configured, and as the how-manieth choice: `write 1`. Empty: it was found at its provider. */
  uses: readonly string[];
  price: { input: number; output: number } | null;
}

export interface ProviderKnown {
  name: string;
  protocol: string;
  /** The environment variable of its key; whether there is one. Never the key. */
  key_env: string | null;
  has_key: boolean;
  max_concurrent: number | null;
  /** Why it does not list its models; empty where it does. */
  trouble: string;
}

export interface ModelsKnown {
  providers: readonly ProviderKnown[];
  models: readonly ModelKnown[];
  limits: Readonly<Record<string, number>>;
}

export interface ModelTried {
  ok: boolean;
  message: string;
  first_token_ms: number | null;
  duration_ms: number;
  said: string;
}

export function models(): Promise<ModelsKnown> {
  return json('/api/models');
}

export function tryModel(name: string): Promise<ModelTried> {
  return json('/api/models/try', posted({ model: name }));
}

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

/** What a new document would come to, before anything is spent. */
export function estimated(body: DocumentAsked, signal: AbortSignal): Promise<{ estimate: Estimate }> {
  return json('/api/documents/estimate', { ...posted(body), signal });
}

export function passagesOf(documentId: string, source: string): Promise<Passages> {
  return json(`${pathOf(documentId)}/sources/${encodeURIComponent(source)}/passages`);
}

export type Format = 'md' | 'html' | 'docx' | 'csv' | 'json';

export async function exported(documentId: string, format: Format, section?: string): Promise<Blob> {
  const which = section === undefined ? '' : `&section=${encodeURIComponent(section)}`;
  return (await asked(`${pathOf(documentId)}?format=${format}${which}`)).blob();
}
