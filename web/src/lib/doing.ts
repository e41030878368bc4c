/** What a reader does to a cell, from its toolbar, by a key or from the palette. */

import { stopCell, troubleOf, wish } from './changes';
import { edit } from './messages';
import type { Reader } from './reader.svelte';
import type { Cell } from './types';
import { cellOf, placeOfCell } from './view';

export function headingOf(reader: Reader, cell: string): string {
  const place = reader.live.document === null ? null : placeOfCell(reader.live.document, cell);
  return place?.column?.heading ?? place?.section.heading ?? cell;
}

export function rewrite(reader: Reader, cell: string, model?: string): Promise<boolean> {
  return reader.editor.propose(wish.rewrite(edit.rewriteOf(headingOf(reader, cell)), cell, model), cell);
}

/** Whether somebody writes it, or is to: only then is there something to stop. */
export function isInFlight({ state }: Cell): boolean {
  return state.type === 'Queued' || state.type === 'Writing' || state.type === 'Retrying';
}

/** One cell; the document goes on. */
export async function stop(reader: Reader, cell: string): Promise<void> {
  const { id, document } = reader.live;
  if (document === null || !isInFlight(cellOf(document, cell))) return;
  await stopCell(id, cell).catch((error: unknown) => (reader.editor.proposal = troubleOf(error)));
}

/** Of what has failed or was stopped: nothing is there that could be lost, so nobody is asked first. */
export function again(reader: Reader, cell: string, model?: string): Promise<boolean> {
  return reader.editor.do(wish.rewrite(edit.rewriteOf(headingOf(reader, cell)), cell, model));
}

export function setLock(reader: Reader, cell: string, does: 'lock' | 'unlock'): Promise<boolean> {
  const wanted = wish.cell(edit.lockOf(headingOf(reader, cell)), cell, does);
  return does === 'lock' ? reader.editor.do(wanted) : reader.editor.propose(wanted);
}

export function update(reader: Reader, cells: readonly string[]): Promise<boolean> {
  return reader.editor.do(wish.update(edit.update, cells));
}

export function keepOn(reader: Reader, isOn: boolean): Promise<boolean> {
  return reader.editor.do(wish.policy('', { on_last_viewer_left: isOn ? 'continue' : 'pause' }));
}
