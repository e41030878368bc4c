/** What the page says of sources that are watched, and of what changed in one. `messages.ts` has all of it. */

import { LANGUAGE, count } from './intl';

const ago = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: 'auto', style: 'short' });

function since(ms: number): string {
  if (ms < 10_000) return 'just now';
  if (ms < 60_000) return ago.format(-Math.round(ms / 1_000), 'second');
  if (ms < 3_600_000) return ago.format(-Math.round(ms / 60_000), 'minute');
  return ago.format(-Math.round(ms / 3_600_000), 'hour');
}

export const sourceChange = {
  show: 'What changed',
  title: (name: string) => `What changed in ‘${name}’`,
  reading: 'Being compared…',
  unavailable: 'The version before it cannot be shown: it had not been read.',
  same: 'The words are the same.',
};

export const watches = {
  title: 'Watched',
  folder: (name: string, glob: string) => (glob === '**' ? `Folder ‘${name}’` : `Folder ‘${name}’, ${glob}`),
  follows: (what: string) => `follows ${what}`,
  looked: (files: number | null, ms: number | null) =>
    [files === null ? '' : count(files, 'file'), ms === null ? 'not looked at yet' : `looked at ${since(ms)}`].filter((part) => part !== '').join(' · '),
  changed: (ms: number) => `changed ${since(ms)}`,
  menu: (what: string) => `What can be done with the watch of ${what}`,
  stop: 'Stop watching',
  stopHint: 'Its sources stay as they are.',
  hook: 'Copy the webhook’s address',
  hookHint: 'Any system that sends anything there says: look now.',
  copied: 'Copied to the clipboard',
  addFolder: 'Watch a folder',
  addAddress: 'Watch an address',
  follow: 'Follow an address',
  whichFolder: 'Folder',
  files: 'Which files (optional)',
  filesHint: '**/*.md',
  noFolders: 'No folder is offered here. Whoever runs Scriptorium names one: scriptorium up --watch notes=/path/to/notes',
  address: 'Address',
  addressHint: 'https://…',
  watch: 'Watch',
  cancel: 'Cancel',
  byWatch: (what: string) => `It follows ${what}. To change it by hand, stop watching first.`,
};
