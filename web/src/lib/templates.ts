/** Outlines to begin with, and to keep. */

import { json, posted } from './api';
import type { Section } from './types';

export interface Template {
  id: string;
  name: string;
  description: string;
  sections: readonly Section[];
  is_own: boolean;
}

export async function templates(): Promise<readonly Template[]> {
  return (await json<{ templates: Template[] }>('/api/templates')).templates;
}

export async function keepAsTemplate(documentId: string, name: string): Promise<void> {
  await json('/api/templates', posted({ document: documentId, name }));
}
