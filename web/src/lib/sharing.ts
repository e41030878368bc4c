/** Who may change a document, and links by which others may.
 *
 * A link for editing has its key behind `#`, which is sent to no server. It is removed from the address bar before anything else is
 * asked for, and handed over once, for a cookie that no script can read.
 */

import { asked, json, pathOf, Problem } from './api';
import { take } from './messages';
import type { Reader } from './reader.svelte';

const BEHIND = '#key=';

export const isKey = (hash: string) => hash.startsWith(BEHIND);

/** The key behind this page's address, which loses it. */
function keyTaken(): string | null {
  if (!isKey(location.hash)) return null;
  const key = decodeURIComponent(location.hash.slice(BEHIND.length));
  history.replaceState(history.state, '', location.pathname + location.search);
  return key;
}

/** Takes the key that a link has brought, and tells the reader what may be done. Words, where the key is not good. */
export async function recognise(reader: Reader): Promise<string> {
  const path = `${pathOf(reader.live.id)}/key`;
  const key = keyTaken();
  let trouble = '';
  if (key !== null) {
    try {
      await asked(path, { method: 'POST', headers: { Authorization: `Bearer ${key}` } });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      trouble = take.staleLink;
    }
  }
  reader.mayChange = (await json<{ may_change: boolean }>(path)).may_change;
  return trouble;
}

/** One more link for editing. */
export async function editLink(documentId: string): Promise<string> {
  const { key } = await json<{ key: string }>(`${pathOf(documentId)}/keys`, { method: 'POST' });
  return `${location.origin}/d/${documentId}${BEHIND}${key}`;
}

/** What links for editing there are lead to reading from now on. */
export async function takeBack(documentId: string): Promise<void> {
  await asked(`${pathOf(documentId)}/keys`, { method: 'DELETE' });
}
