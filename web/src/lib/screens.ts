/** Which screen a path shows. Each is a chunk of its own: whoever reads a document loads nothing of the others. */

import type { Loader } from './lazy';

const ID = '([0-9a-f]{32})';

export interface Screen {
  /** Another key is another screen; the same one stays as it is. */
  key: string;
  load: Loader;
  props: Record<string, unknown>;
}

const documentPage: Loader = () => import('../components/DocumentPage.svelte');

/** A path, the part that shows it, and what the part is told beside the document's id. */
const SCREENS: readonly (readonly [RegExp, Loader, Record<string, unknown>?])[] = [
  [new RegExp(`^/d/${ID}/?$`), documentPage],
  [new RegExp(`^/embed/${ID}/?$`), documentPage, { isEmbedded: true }],
  [/^\/library\/?$/, () => import('../components/Library.svelte')],
  [/^\/settings\/?$/, () => import('../components/Settings.svelte')],
];

const firstRun: Loader = () => import('../components/FirstRun.svelte');

export function screenOf(path: string): Screen {
  for (const [pattern, load, more] of SCREENS) {
    const found = pattern.exec(path);
    if (found !== null) return { key: path, load, props: { documentId: found[1] ?? '', ...more } };
  }
  return { key: '/', load: firstRun, props: {} };
}
