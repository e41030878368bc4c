/** What each edit does to a document: the twin of `schemas/edits.py`, and part of the one fold.
 *
 * An edit touches no cell but the one that it names. Which others it makes stale follows from digests, and `CellsStaled` says so.
 */

import { emptyCell, own } from './fold';
import type {
  Cell,
  CellEdited,
  CellRestored,
  Column,
  Completion,
  Document,
  Edit,
  OfferAccepted,
  OfferDeclined,
  Section,
  Source,
  SourceGiven,
} from './types';

/** The document after an edit that stands at `sequence`. */
export function edited(document: Document, fact: Edit, sequence: number): Document {
  switch (fact.type) {
    case 'DocumentEdited': {
      const title = fact.title ?? document.title;
      const brief = fact.brief ?? document.brief;
      return noted({ ...document, title, brief }, brief === document.brief ? [] : ['brief'], sequence);
    }
    case 'PolicyChanged': {
      const keys = fact.policy.model === document.policy.model ? [] : ['model'];
      return noted({ ...document, policy: fact.policy }, keys, sequence);
    }
    case 'OutlineEdited':
      return outlined(document, fact.sections, sequence);
    case 'SectionEdited': {
      const { section } = fact;
      return outlined(document, document.outline.map((old) => (old.id === section.id ? section : old)), sequence);
    }
    case 'CellEdited':
      return noted(changed(document, fact.cell, (cell) => byHand(cell, fact, sequence)), [], sequence);
    case 'CellRestored':
      return noted(changed(document, fact.cell, (cell) => restored(cell, fact, sequence)), [], sequence);
    case 'CellLocked': {
      const after = changed(document, fact.cell, (cell) => ({ ...cell, locked: cell.completed !== null }));
      return noted(after, [], sequence);
    }
    case 'CellUnlocked': {
      const after = changed(document, fact.cell, (cell) => ({ ...cell, locked: false, offer: null }));
      return noted(after, [`unlocked:${fact.cell}`], sequence);
    }
    case 'RewriteAsked': {
      const { salt, model } = fact;
      const after = changed(document, fact.cell, (cell) => ({ ...cell, salt, model, asked: true }));
      return noted(after, [`rewrite:${fact.cell}`], sequence);
    }
    case 'OfferAccepted':
      return noted(changed(document, fact.cell, (cell) => accepted(cell, fact, sequence)), [], sequence);
    case 'OfferDeclined':
      return noted(changed(document, fact.cell, (cell) => declined(cell, fact, sequence)), [], sequence);
    case 'UpdateAsked': {
      const cells = { ...document.cells };
      for (const id of fact.cells) cells[id] = { ...(own(cells, id) ?? emptyCell(id)), asked: true };
      return noted({ ...document, cells }, [], sequence);
    }
    case 'SourceAdded':
      return added(document, fact.source, fact.before, sequence);
    case 'SourceReplaced': {
      const { source: given } = fact;
      if (own(document.sources, given.id) === undefined) return noted(document, [], sequence);
      const sources = { ...document.sources, [given.id]: unread(given, sequence) };
      return noted({ ...document, sources }, [`source_replaced:${given.id}`], sequence);
    }
    case 'SourceRemoved': {
      const { [fact.source]: _removed, ...sources } = document.sources;
      return noted({ ...document, sources }, [`source_removed:${fact.source}`], sequence);
    }
    case 'DocumentRestored':
      return noted(fact.edits.reduce<Document>((before, one) => edited(before, one, sequence), document), [], sequence);
    default:
      fact satisfies never; // A fact of a later version.
      return document;
  }
}

// -- The document --------------------------------------------------------------------------------------------------------

function noted(document: Document, keys: readonly string[], sequence: number): Document {
  const now = { ...document.edited };
  for (const key of keys) now[key] = sequence;
  return { ...document, edited: now, version: sequence };
}

function outlined(document: Document, outline: readonly Section[], sequence: number): Document {
  const was = new Map(document.outline.map((section) => [section.id, section]));
  const keys = outline.flatMap((section) => {
    const old = was.get(section.id);
    return old === undefined ? [] : changes(old, section);
  });
  return noted({ ...document, outline }, keys, sequence);
}

/** What of a section is another thing than it was. */
function changes(was: Section, now: Section): string[] {
  const keys: string[] = [];
  if (now.heading !== was.heading) keys.push(`heading:${now.id}`);
  if (now.instructions !== was.instructions) keys.push(`instructions:${now.id}`);
  if (!same(now.depends_on, was.depends_on)) keys.push(`depends_on:${now.id}`);
  for (const column of now.columns) {
    const old = was.columns.find((one) => one.id === column.id);
    if (old !== undefined && !sameQuestion(old, column)) keys.push(`column:${now.id}:${column.id}`);
  }
  return keys;
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, place) => item === other[place]);
}

function sameQuestion(one: Column, other: Column): boolean {
  return (
    one.heading === other.heading &&
    one.instructions === other.instructions &&
    one.format === other.format &&
    same(one.options, other.options)
  );
}

function added(document: Document, given: SourceGiven, before: string | null, sequence: number): Document {
  if (own(document.sources, given.id) !== undefined) return noted(document, [], sequence);
  const entries = Object.entries(document.sources);
  const place = entries.findIndex(([id]) => id === before);
  entries.splice(place < 0 ? entries.length : place, 0, [given.id, unread(given, sequence)]);
  return noted({ ...document, sources: Object.fromEntries(entries) }, [`source_added:${given.id}`], sequence);
}

function unread(given: SourceGiven, sequence: number): Source {
  return { given, digest: null, passages: 0, characters: 0, pages: 0, failure: null, given_at: sequence };
}

// -- One cell ------------------------------------------------------------------------------------------------------------

function changed(document: Document, id: string, change: (cell: Cell) => Cell): Document {
  const cell = own(document.cells, id) ?? emptyCell(id);
  return { ...document, cells: { ...document.cells, [id]: change(cell) } };
}

function byHand(cell: Cell, fact: CellEdited, sequence: number): Cell {
  const { at_ms, text, input_digest, output_digest, citations } = fact;
  const written = { at_ms, text, input_digest, output_digest, citations, by_hand: true };
  return { ...settled(cell, { ...noWriting(cell, sequence), ...written }), locked: true };
}

function restored(cell: Cell, fact: CellRestored, sequence: number): Cell {
  const { at_ms, text, input_digest, output_digest, model, citations, cut, by_hand, locked, salt } = fact;
  const written = { at_ms, text, input_digest, output_digest, model, citations, cut, by_hand, cached: true };
  return { ...settled(cell, { ...noWriting(cell, sequence), ...written }), locked, salt, model: fact.chosen_model };
}

/** A completion that no attempt has written. */
function noWriting(cell: Cell, sequence: number): Omit<Completion, 'at_ms' | 'text' | 'input_digest' | 'output_digest'> {
  return {
    revision: cell.revision + 1,
    attempt: 0,
    model: '',
    citations: [],
    cut: null,
    cached: false,
    fell_back_from: '',
    tokens_in: 0,
    tokens_out: 0,
    cost: 0,
    first_token_ms: null,
    duration_ms: 0,
    by_hand: false,
    asked_at: sequence,
    sequence,
  };
}

/** It takes a job's number, so that whatever is being written is outranked. */
function settled(cell: Cell, completed: Completion): Cell {
  const job = cell.job + 1;
  return {
    ...cell,
    state: { type: 'Completed', at_ms: completed.at_ms },
    revision: completed.revision,
    input_digest: completed.input_digest,
    job,
    attempts: 0,
    ink: null,
    ink_dry: job,
    completed,
    offer: null,
    asked: false,
    asked_at: completed.sequence,
    stale: [],
  };
}

function accepted(cell: Cell, fact: OfferAccepted, sequence: number): Cell {
  if (cell.offer === null || cell.offer.revision !== fact.revision) return cell;
  const { type } = cell.state;
  const goesOn = type === 'Waiting' || type === 'Queued' || type === 'Writing' || type === 'Retrying';
  return {
    ...cell,
    state: goesOn ? cell.state : { type: 'Completed', at_ms: fact.at_ms },
    completed: { ...cell.offer, sequence },
    offer: null,
    locked: false,
    stale: [],
  };
}

function declined(cell: Cell, fact: OfferDeclined, sequence: number): Cell {
  const { offer, completed } = cell;
  if (offer === null || completed === null || offer.revision !== fact.revision) return cell;
  return { ...cell, completed: { ...completed, input_digest: offer.input_digest, asked_at: sequence }, offer: null, stale: [] };
}
