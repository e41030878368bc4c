/** The models that are there, over HTTP. */

import { json, posted } from './api';

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
