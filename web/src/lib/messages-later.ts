/** What the parts of the page say that are loaded when they are first wanted. `messages.ts` has all of it. */

import { LANGUAGE, count, money, seconds, whole } from './intl';
import type { Card } from './library';
import type { Sums } from './sums';
import type { Document, ErrorKind, Estimate, Passage, Reason, StopReceipt } from './types';
import type { Progress } from './view';

/** Of a guess nobody wants milliseconds. */
const LESS = '< 1 s';

// -- Screens -------------------------------------------------------------------------------------------------------------

export const first = {
  name: 'Scriptorium',
  promise: 'Say what you need and give it your sources. A cited document is written while you watch.',
  brief: 'What do you want written?',
  briefHint: 'For example: a briefing on how the service handles failures, for somebody who joins the team tomorrow.',
  sources: 'Sources',
  sourcesHint: 'Drop files here, or',
  choose: 'choose files',
  paste: 'paste text',
  kinds: 'Text, Markdown, HTML and PDF, up to 32 MB each. Every claim will lead back to them.',
  pasted: 'Pasted text',
  pasteName: 'Name of the source',
  pasteText: 'Text of the source',
  add: 'Add',
  cancel: 'Cancel',
  remove: (name: string) => `Remove ${name}`,
  uploading: 'uploading…',
  outline: 'Outline (optional)',
  outlineHint: 'One heading a line; after a colon, what to write. Without any, the outline is planned for you.',
  outlineExample: 'How it works: the path of one request\nWhat can fail: and what happens then\nSummary',
  sumUp: 'The last section sums up the others',
  keep: 'Keep running if I leave',
  start: 'Write it',
  starting: 'Starting…',
  demo: 'Try the demo, no key needed',
  demoFacts: (sections: number, sources: number) =>
    `${count(sections, 'section')} from ${count(sources, 'source')}`,
  link: 'add a link',
  linkHint: 'https://…',
  linkLabel: 'Address of the source',
  linkBad: 'An address begins with https:// or http://.',
  estimate: (estimate: Estimate) =>
    `About ${count(estimate.cells, 'section')}, ${count(estimate.tokens_in + estimate.tokens_out, 'token')}, ${estimate.cost > 0 ? money(estimate.cost) : 'no cost'}, ${estimate.duration_ms < 1_000 ? LESS : seconds(estimate.duration_ms)}`,
  library: 'Library',
  planFirst: 'Plan it first',
  planFirstHint: 'The outline is shown with what it will cost, to be changed before anything is written',
  template: 'Outline from a template',
  noTemplate: 'None',
  ofTemplate: (headings: readonly string[]) => headings.join(' · '),
  noBrief: 'Say in a few words what you want written.',
};

const EDITS: Readonly<Record<string, string>> = {
  DocumentCreated: 'The document was made',
  DocumentEdited: 'Title or brief',
  PolicyChanged: 'How it is run',
  OutlineEdited: 'The outline',
  SectionEdited: 'A section',
  CellEdited: 'Text by hand',
  CellRestored: 'An earlier text, restored',
  CellLocked: 'Locked',
  CellUnlocked: 'Unlocked',
  RewriteAsked: 'A rewrite was asked for',
  OfferAccepted: 'A rewrite was taken',
  OfferDeclined: 'A rewrite was declined',
  UpdateAsked: 'An update was asked for',
  SourceAdded: 'A source was added',
  SourceReplaced: 'A source was replaced',
  SourceRemoved: 'A source was removed',
};

const CAUSES: Readonly<Record<string, string>> = { reader: '', watcher: 'by a watcher', webhook: 'by a webhook', undo: 'undone' };
const moment = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'medium' });

export const history = {
  hint: 'Every change that was asked for, newest first.',
  none: 'Nothing has been changed since it was made.',
  unavailable: 'The history cannot be shown just now.',
  what: (type: string) => EDITS[type] ?? type,
  facts: (at_ms: number, who: string, cause: string) =>
    [moment.format(at_ms), who, CAUSES[cause] ?? cause].filter((part) => part !== '').join(' · '),
  since: 'What has changed since',
  restore: 'Restore',
  restoring: (at_ms: number) => `Back to how it was on ${moment.format(at_ms)}`,
  same: 'No text differs.',
  reading: 'Comparing…',
};

export const edit = {
  brief: (estimate: Estimate, sections: number) =>
    [
      count(sections, 'section'),
      estimate.cells !== sections ? count(estimate.cells, 'cell') : '',
      estimate.cost > 0 ? `≈ ${money(estimate.cost)}` : `≈ ${count(estimate.tokens_in + estimate.tokens_out, 'token')}`,
      estimate.duration_ms < 1_000 ? LESS : `≈ ${seconds(estimate.duration_ms)}`,
    ]
      .filter((part) => part !== '')
      .join(', '),
  nothing: 'Nothing is to be rewritten',
  maybe: (cells: number) => `${whole.format(cells)} more only if the text before changes`,
  kept: (cells: number) => `${count(cells, 'cell')} locked: marked, not rewritten`,
  update: 'Update',
  later: 'Later',
  laterHint: 'Change it now; what it makes stale stays readable until you ask for an update',
  discard: 'Do not change it',
  save: 'Save',
  cancel: 'Cancel',
  stale: (cells: number) => `${count(cells, 'part')} not up to date`,
  updateAll: 'Update all',
  conflict: (changes: readonly { who: string; type: string }[]) =>
    `Meanwhile somebody else changed this: ${changes.map(({ who, type }) => [EDITS[type] ?? type, who].filter((part) => part !== '').join(', ')).join('; ') || 'see the document'}. Yours is not lost.`,
  mine: 'Use mine',
  theirs: 'Keep theirs',
  text: (heading: string) => `Text of ‘${heading}’`,
  textHint: 'Markdown. Text by hand is locked: a later rewrite is offered beside it, never put over it.',
  preview: 'Preview',
  write: 'Text',
  head: 'Title and brief',
  title: 'Title',
  brief_: 'Brief',
  rewriteOf: (heading: string) => `Rewrite of ‘${heading}’`,
  lockOf: (heading: string) => `Lock on ‘${heading}’`,
  instructionsOf: (heading: string) => `Instructions of ‘${heading}’`,
  questionOf: (heading: string) => `Question ‘${heading}’`,
  offer: 'A rewrite is offered',
  accept: 'Take the rewrite',
  decline: 'Keep the text',
  out: 'removed',
  in: 'added',
  retry: 'Retry',
  otherModel: 'Other model',
  byMyself: 'Write it myself',
  outline: 'Edit the outline',
  outlineSays: 'The outline',
  addSource: 'Add a source',
  chooseFiles: 'Choose files',
  sourceSays: (name: string) => `Source ‘${name}’`,
  replace: 'Replace',
  remove: 'Remove',
  addColumn: 'Add a column',
  removeColumn: 'Remove the column',
  rewriteStale: 'Rewrite what is not up to date',
};

// -- What is not up to date ----------------------------------------------------------------------------------------------

/** What changed, that a text is not up to date: ‘source 3’, ‘the brief’. */
function changed({ kind, what }: Reason, document: Document): string {
  const [section = '', column] = what.split(':');
  const heading = document.outline.find((one) => one.id === section)?.heading ?? section;
  const source = Object.hasOwn(document.sources, what) ? (document.sources[what]?.given.name ?? what) : what;
  switch (kind) {
    case 'brief':
      return 'the brief changed';
    case 'model':
      return 'the model changed';
    case 'heading':
      return 'its heading changed';
    case 'instructions':
      return 'its instructions changed';
    case 'depends_on':
      return 'what it is written from changed';
    case 'column':
      return `the question ‘${column ?? what}’ changed`;
    case 'source_added':
      return `source ‘${source}’ was added`;
    case 'source_replaced':
      return `source ‘${source}’ changed`;
    case 'source_removed':
      return `a source was removed`;
    case 'section':
      return `‘${heading}’ changed`;
    case 'rewrite':
      return 'a rewrite was asked for';
    case 'unlocked':
      return 'it was unlocked';
    case 'new':
      return 'it is new';
    case 'inputs':
      return 'what it is written from changed';
  }
}

export const staleBecause = (reasons: readonly Reason[], document: Document) =>
  `Not up to date: ${[...new Set(reasons.map((reason) => changed(reason, document)))].join(', ')}`;

export const plan = {
  heading: 'Heading',
  instructions: 'What to write (optional)',
  up: (heading: string) => `Move ‘${heading}’ up`,
  down: (heading: string) => `Move ‘${heading}’ down`,
  remove: (heading: string) => `Remove ‘${heading}’`,
  add: 'Add a section',
  sumsUp: 'Sums up the sections before it',
  untitled: 'untitled',
  title: 'The plan',
  hint: 'Nothing has been written yet. Move, change, remove or add sections, then start.',
  start: 'Start',
  starting: 'Starting…',
  estimating: 'Estimating what it will cost…',
};

export const ledger = {
  title: 'What it cost',
  spent: 'Spent',
  estimated: 'of it estimated',
  cached: 'Saved by the cache',
  stopped: 'Saved by stops',
  lost: 'Lost to retries and races',
  calls: 'Calls',
  budget: 'Budget',
  tokens: (tokens: number) => count(tokens, 'token'),
  callsMade: (made: number, failed: number, cancelled: number, lost: number) =>
    [
      whole.format(made),
      failed > 0 ? `${whole.format(failed)} failed` : '',
      cancelled > 0 ? `${whole.format(cancelled)} stopped` : '',
      lost > 0 ? `${whole.format(lost)} lost a race` : '',
    ]
      .filter((part) => part !== '')
      .join(', '),
};

export const take = {
  formats: { md: 'Markdown', html: 'Web page, self-contained', docx: 'Word (DOCX)', csv: 'Table (CSV)', json: 'Data (JSON)' },
  print: 'Print, or save as PDF',
  link: 'Copy the link for reading',
  embed: 'Copy the code to embed it, live',
  copied: 'Copied to the clipboard',
  byHand: 'Copy it from here:',
  editLink: 'Copy a link for editing',
  editLinkHint: 'Whoever has it can change, stop and delete this document. Its key stands behind #, and reaches no server that way.',
  takeBack: 'Take back all links for editing',
  takenBack: 'They lead to reading from now on',
  takenNot: 'Only the browser that made this document takes them back.',
  staleLink: 'This link for editing is no longer good. You can read the document.',
  keep: 'Keep the outline as a template',
  kept: 'Kept among your templates',
};

export const printed = {
  sources: 'Sources',
  where: (name: string, passage: string) => `${name}, ${passage}`,
};

export const prompt = {
  none: 'Choose a section or a cell to see what its model is asked.',
  model: 'Model',
  models: { wanted: 'as the document says', configured: 'as configured' },
  instructions: 'Instructions',
  noInstructions: 'None beyond the heading and the brief.',
  brief: 'Brief of the document',
  question: 'Question',
  sources: 'Passages are chosen from',
  noSources: 'No sources: nothing can be cited.',
  dependsOn: 'With the finished text of',
  revision: 'Revision',
  revisionFacts: (revision: number, attempts: number) => `${whole.format(revision)}, ${count(attempts, 'attempt')}`,
  digest: 'Input digest',
};

export const palette = {
  title: 'Find anything, do anything',
  placeholder: 'A section, a source, or what to do…',
  none: 'Nothing is called that.',
  goTo: 'Section',
  source: 'Source',
  action: 'Action',
  download: 'Download',
  keepOnNot: 'Pause when I leave',
  nextTheme: 'Another theme: system, light, dark',
};

export const outline = {
  add: 'Add',
  addSource: 'Add a source',
  sourceMenu: (name: string) => `What can be done with source ‘${name}’`,
  notUpToDate: 'Not up to date',
};

export const planning = {
  outline: 'Planning the outline',
  sources: (read: number, all: number) => `Reading sources, ${read} of ${all}`,
};

const decimals = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 20 });
/** A decimal number that is written out; no float touches it. */
const exact = (decimal: string) => decimals.format(decimal as Intl.StringNumericLiteral);

export const table = {
  source: 'Source',
  empty: '–',
  noRows: 'Each source becomes a row. There are none yet.',
  menu: (heading: string) => `Column ‘${heading}’`,
  question: 'Question',
  format: 'Answer',
  progress: 'Filled in',
  formats: { text: 'Text', number: 'A number', yes_no: 'Yes or no', date: 'A date', one_of: 'One of' },
  done: (done: number, all: number) => `${whole.format(done)} of ${whole.format(all)}`,
  notAsked: 'not asked',
  inAll: 'In all',
  /** What a column comes to: its figures, a line each. */
  sums: (sums: Sums): string[] => {
    switch (sums.type) {
      case 'TextSums':
        return [];
      case 'NumberSums':
        return sums.figures.flatMap(({ unit, sum, mean, median, min, max }) => [
          `Sum ${exact(sum)}${unit === '' ? '' : ` ${unit}`}`,
          `mean ${exact(mean)}, median ${exact(median)}`,
          `from ${exact(min)} to ${exact(max)}`,
        ]);
      case 'OptionSums':
        return [sums.counts.map(({ option, count: times }) => `${option} ${whole.format(times)}`).join(', ')];
      case 'DateSums':
        return sums.earliest === '' ? [] : [`from ${sums.earliest} to ${sums.latest}`];
    }
  },
  answered: ({ asked, answered, not_stated, other }: Sums) =>
    [
      `${whole.format(answered)} of ${whole.format(asked)} answered`,
      not_stated > 0 ? `${whole.format(not_stated)} not stated` : '',
      other > 0 ? `${whole.format(other)} in another form` : '',
    ]
      .filter((part) => part !== '')
      .join(', '),
  add: 'Add a column',
  change: 'Change',
  changeOf: (heading: string) => `Column ‘${heading}’`,
  heading: 'Column',
  headingHint: 'How many took part?',
  instructions: 'What exactly is asked (optional)',
  options: 'Answers to choose from, one a line',
  noOptions: 'Say at least one answer to choose from.',
  asked: 'Asked of',
  everyone: (sources: number) => `all ${count(sources, 'source')}`,
  sample: (sources: number) => `${count(sources, 'source')}, to try it first`,
  kept: (sources: number) => `the ${count(sources, 'source')} it is tried on`,
  see: 'See what it costs',
  tried: (asked: number, sources: number) => `Tried on ${whole.format(asked)} of ${count(sources, 'source')}`,
  fill: 'Ask all sources',
  fillOf: (heading: string) => `‘${heading}’ of all sources`,
  updateStale: (cells: number) => `Rewrite ${count(cells, 'stale cell')}`,
  remove: 'Remove the column',
  removeOf: (heading: string) => `Without the column ‘${heading}’`,
};

export const keys: readonly (readonly [string, string])[] = [
  ['j  k', 'Next, previous section'],
  ['e', 'Edit the text of the section'],
  ['r', 'Rewrite the section'],
  ['.', 'Stop, or go on'],
  ['Esc', 'Close what is open; else stop the chosen section or cell'],
  ['[', 'Outline'],
  [']', 'Evidence'],
  ['Ctrl-K', 'Find anything, do anything'],
  ['?', 'These keys'],
];

const LIMITS: Readonly<Record<string, string>> = {
  connect: 'Time to connect',
  first_token: 'Time to the first token',
  between_tokens: 'Time between two tokens',
  tries_max: 'Tries for one part',
  cell_s: 'Seconds for one part',
  tokens_out_max: 'Tokens of one answer',
  plan_tokens_out_max: 'Tokens of an outline',
  passages_max: 'Passages that one prompt quotes',
};

export const settings = {
  title: 'Settings',
  theme: 'Theme',
  themes: { system: 'As the system', light: 'Light', dark: 'Dark' },
  models: 'Models',
  modelsHint:
    'Asked in this order, where a choice is given. A document may name any of them. Keys stay on the server.',
  asking: 'Asking the providers…',
  key: (variable: string | null, has: boolean) =>
    variable === null ? 'needs no key' : has ? `key from ${variable}` : `no key: ${variable} is not set`,
  concurrent: (calls: number) => `at most ${count(calls, 'call')} at a time`,
  use: (use: string) => {
    const [what = '', place = ''] = use.split(' ');
    return `${what === 'plan' ? 'plans' : 'writes'}, choice ${place}`;
  },
  price: (input: string, output: string) => `${input} in, ${output} out, per million tokens`,
  noPrice: 'no price configured',
  test: 'Test',
  testOf: (name: string) => `Test ${name}`,
  testing: 'Asking…',
  answered: (time: string, said: string) => `Answered after ${time}: “${said}”`,
  limits: 'Limits',
  limit: (name: string) => LIMITS[name] ?? name.replaceAll('_', ' '),
};

const day = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'short' });

export const library = {
  title: 'Library',
  search: 'Search titles and briefs',
  none: 'No document was made in this browser yet.',
  noneFound: 'No document has these words.',
  untitled: 'Untitled document',
  runs: { Running: 'Being written', Paused: 'Paused', Done: 'Complete', Abandoned: 'Given up', Deleted: 'Deleted' },
  facts: ({ cells, cells_done: done, cells_failed: failed, cells_stopped: stopped, sources }: Card) =>
    [
      `${whole.format(done)} of ${count(cells, 'part')}`,
      failed > 0 ? `${whole.format(failed)} failed` : '',
      stopped > 0 ? `${whole.format(stopped)} stopped` : '',
      count(sources, 'source'),
    ]
      .filter((part) => part !== '')
      .join(', '),
  changed: (at_ms: number) => day.format(at_ms),
  rename: 'Rename',
  renameOf: (title: string) => `Rename ‘${title}’`,
  titleOf: (title: string) => `New title of ‘${title}’`,
  duplicate: 'Duplicate',
  duplicateOf: (title: string) => `Duplicate ‘${title}’`,
  delete: 'Delete',
  deleteOf: (title: string) => `Delete ‘${title}’`,
  really: 'Yes, delete with its sources',
  more: 'More',
};

// -- The document ----------------------------------------------------------------------------------------------------------

const FAILURES: Readonly<Record<ErrorKind, string>> = {
  rate_limited: 'The model asked us to slow down',
  overloaded: 'The model is overloaded',
  server_error: 'The model’s server had an error',
  connection: 'The model could not be reached',
  cut: 'The answer was cut off',
  stalled: 'The model fell silent',
  slow_start: 'The model did not begin in time',
  garbled: 'The answer could not be read',
  refused: 'The model declined to answer',
  bad_answer: 'The answer did not have the form asked for',
  repetition: 'The model began to repeat itself',
  too_long: 'The text reached its length limit',
  context_length: 'The sources are too long for this model',
  unauthorized: 'The model’s key was not accepted',
  bad_request: 'The model did not accept the request',
  model_unknown: 'There is no such model',
  deadline: 'Time ran out',
  budget: 'The budget is used up',
  poison: 'Writing it failed every time',
  no_model: 'No model is available',
  bad_source: 'The source cannot be read',
  bad_outline: 'The outline cannot be written',
};

export const failure = (kind: ErrorKind) => FAILURES[kind];
export const fellBack = (from: string, to: string) => `Fell back: ${from} ⇄ ${to}`;
export const cutShort = (kind: ErrorKind) => `Ends early: ${FAILURES[kind].toLowerCase()}.`;
/** What is said of a cell that was stopped by itself. */
export const stoppedAlone = (asked_at_ms: number, closed_at_ms: number | null) =>
  closed_at_ms === null ? 'Stopped' : `Stopped in ${seconds(closed_at_ms - asked_at_ms)}`;
export const stoppedHint = 'It is not written before somebody asks for it, or what it is written from changes.';
export const earlierText = 'The text above is the earlier one.';
export const keptText = 'What had been written is kept above.';

export function receipt(stop: StopReceipt): string {
  if (stop.attempts === 0) return 'Stop asked; the writers are closing their connections.';
  const saved = stop.tokens_saved > 0 ? `, about ${count(stop.tokens_saved, 'token')} not spent` : '';
  return `${count(stop.calls_closed, 'call')} closed in ${seconds(stop.closed_at_ms - stop.asked_at_ms)}${saved}.`;
}

export const leaving = 'Nobody is watching; it will pause soon.';
export const jumpToLive = 'Jump to live';
export const nothingRan = 'Nothing was running when it was stopped.';

export const spoken = {
  sectionDone: (heading: string, progress: Progress) => `${heading} is done, ${progress.done} of ${progress.all}.`,
  sectionFailed: (heading: string) => `${heading} failed.`,
  sectionStopped: (heading: string) => `${heading} was stopped.`,
  complete: 'The document is complete.',
  stopped: 'Stopped.',
  planned: (sections: number) => `The outline is planned: ${count(sections, 'section')}.`,
};

export const evidence = {
  hint: 'Choose a citation in the text to see where it stands in its source, or a source to see what was drawn from it.',
  reading: 'Reading…',
  failed: 'Could not be read: ',
  unavailable: 'The passages cannot be shown just now.',
  passages: (passages: number, pages: number) =>
    pages > 0 ? `${count(passages, 'passage')}, ${count(pages, 'page')}` : count(passages, 'passage'),
  page: (value: number) => `page ${value}`,
  passage: (value: number) => `passage ${value}`,
  where: ({ number: value, page: on, heading }: Passage) =>
    [on === null ? `passage ${value}` : `passage ${value}, page ${on}`, heading].filter((part) => part !== '').join(' · '),
  usedBy: (claims: number) => `Used by ${count(claims, 'claim')}`,
  unused: 'Not used',
  onlyUsed: 'Only what is used',
  pending: 'not checked yet',
  noneUsed: 'Nothing in the document cites this source yet.',
  source: 'Source',
};

export const tools = {
  of: (heading: string) => `What can be done with ‘${heading}’`,
  edit: 'Edit',
  rewrite: 'Rewrite',
  stop: 'Stop',
  lock: 'Lock',
  unlock: 'Unlock',
  prompt: 'Prompt',
  copy: 'Copy',
  copied: 'Copied',
};
