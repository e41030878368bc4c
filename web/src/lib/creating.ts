/** Having a document made over HTTP: what it would come to, its sources, and the demos. */

import { json, posted } from './api';
import type { Estimate, Policy } from './types';

export interface OutlineGiven {
  id: string;
  heading: string;
  instructions: string;
  depends_on: readonly string[];
}

export type SourceOffered = { name: string; text: string } | { upload: string } | { url: string };

export interface DocumentAsked {
  brief: string;
  sources: SourceOffered[];
  outline?: { sections: readonly OutlineGiven[] };
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

/** What a new document would come to, before anything is spent. */
export function estimated(body: DocumentAsked, signal: AbortSignal): Promise<{ estimate: Estimate }> {
  return json('/api/documents/estimate', { ...posted(body), signal });
}
