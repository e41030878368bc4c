/** What a reader is shown of a folded document: states, progress, money, time. Pure. */

import { emptyCell, own, PLAN_CELL } from './fold';
import type { Cell, Column, Document, Section, Source } from './types';

export type Shown = 'waiting' | 'queued' | 'thinking' | 'streaming' | 'retrying' | 'done' | 'failed' | 'cancelled';

export function shownState(cell: Cell): Shown {
  switch (cell.state.type) {
    case 'Waiting':
      return 'waiting';
    case 'Queued':
      return 'queued';
    case 'Writing':
      return cell.ink !== null && cell.ink.text !== '' ? 'streaming' : 'thinking';
    case 'Retrying':
      return 'retrying';
    case 'Completed':
      return 'done';
    case 'Failed':
      return 'failed';
    case 'Cancelled':
      return 'cancelled';
  }
}

/** Whether a document that is complete lacks this cell's newest revision: `is_missing` in `schemas/document.py`. */
export function isMissing({ state }: Cell): boolean {
  return state.type === 'Failed' || state.type === 'Cancelled';
}

export function cellOf(document: Document, id: string): Cell {
  return own(document.cells, id) ?? emptyCell(id);
}

export function planCell(document: Document): Cell {
  return cellOf(document, PLAN_CELL);
}

/** The ids of a section's cells, rows before columns: `cells_of_section` in `schemas/cells.py`. */
export function cellsOfSection(document: Document, section: Section): string[] {
  if (section.columns.length === 0) return [section.id];
  const rows = Object.keys(document.sources);
  return rows.flatMap((row) =>
    section.columns.filter((column) => isAsked(column, row)).map((column) => `${section.id}:${row}:${column.id}`),
  );
}

/** Whether a column's question is asked of this source: of all, unless it is being tried on a sample. */
export function isAsked(column: Column, row: string): boolean {
  return column.sample.length === 0 || column.sample.includes(row);
}

/** The ids of the sections that one is written from, wholly or in part: `parent_ids` in `schemas/cells.py`. */
export function parentIds(section: Section): ReadonlySet<string> {
  return new Set(section.depends_on.map((need) => need.split(':')[0] ?? need));
}

/** Where a cell stands: its section, and of a table's cell its row and column. */
export interface PlaceOfCell {
  section: Section;
  source?: Source;
  column?: Column;
}

export function placeOfCell(document: Document, id: string): PlaceOfCell | null {
  const [name = '', row, asked] = id.split(':');
  const section = document.outline.find((one) => one.id === name);
  if (section === undefined) return null;
  const source = row === undefined ? undefined : own(document.sources, row);
  const column = section.columns.find((one) => one.id === asked);
  return source === undefined || column === undefined ? { section } : { section, source, column };
}

const URGENCY: readonly Shown[] = ['failed', 'retrying', 'streaming', 'thinking', 'cancelled', 'queued', 'waiting'];

/** A section's state: that of its cell, or of a table's cells the one that a reader most wants to know. */
export function sectionState(document: Document, section: Section): Shown {
  const states = new Set(cellsOfSection(document, section).map((id) => shownState(cellOf(document, id))));
  return URGENCY.find((state) => states.has(state)) ?? 'done';
}

/** The running attempt's text once it has some, else the last finished revision's: `text_of` in `schemas/cells.py`. */
export function textOf(cell: Cell): string {
  // A locked cell's text stays; what is written anew for it stands beside it.
  if (cell.locked && cell.completed !== null) return cell.completed.text;
  if (cell.ink !== null && cell.ink.text !== '') return cell.ink.text;
  return cell.completed?.text ?? '';
}

export interface Progress {
  done: number;
  failed: number;
  all: number;
}

export function progressOf(document: Document): Progress {
  const states = document.outline
    .flatMap((section) => cellsOfSection(document, section))
    .map((id) => cellOf(document, id).state.type);
  return {
    done: states.filter((state) => state === 'Completed').length,
    failed: states.filter((state) => state === 'Failed').length,
    all: states.length,
  };
}

/** Milliseconds that a document has run, pauses left out. */
export function ran_ms(document: Document, now_ms: number): number {
  const { run } = document;
  switch (run.type) {
    case 'Running':
      return document.ran_ms + Math.max(now_ms - run.since_ms, 0);
    case 'Paused':
      return run.ran_ms;
    default:
      return run.at_ms - document.created_at_ms;
  }
}

/** The headings that a waiting section waits for. */
export function waitsFor(document: Document, section: Section): string[] {
  const parents = parentIds(section);
  return document.outline
    .filter((other) => parents.has(other.id) && sectionState(document, other) !== 'done')
    .map((other) => other.heading);
}
