/** A document in a form to take away, saved where the browser saves. */

import { asked, pathOf, type Format } from './api';
import { page } from './messages';

const KEPT_MS = 10_000;

export async function take(documentId: string, title: string, format: Format, section?: string): Promise<void> {
  const which = section === undefined ? '' : `&section=${encodeURIComponent(section)}`;
  const blob = await (await asked(`${pathOf(documentId)}?format=${format}${which}`)).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = `${title || page.untitled}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
