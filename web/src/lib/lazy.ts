/** Parts of the page that are loaded when they are first wanted. */

import type { Component } from 'svelte';

// A part's props are checked where it is defined; the one that loads it only passes them on.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Part = Component<any>;
export type Loader = () => Promise<{ default: Part }>;

/** Asks for a part again while the network is away: a deploy or a dead spot must not cost the reader the page. */
const AGAIN_MS = [300, 1_000, 3_000] as const;

export async function asked<T>(load: () => Promise<T>): Promise<T> {
  for (const wait_ms of AGAIN_MS) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }
  }
  return load();
}

export const loaded = async (load: Loader): Promise<Part> => (await asked(load)).default;

/** Loads parts while nothing else is to be done, so that they open at once, and open offline. */
export function whenIdle(loaders: readonly Loader[]): void {
  const idle = 'requestIdleCallback' in globalThis ? requestIdleCallback : (run: () => void) => setTimeout(run, 1_000);
  idle(() => loaders.forEach((load) => void load().catch(() => undefined)));
}
