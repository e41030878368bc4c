/** Which rows of a long table are worth having as elements: those in sight, and some before and after. Pure. */

export interface Rows {
  from: number;
  to: number;
}

/** Rows before and after those in sight; the window moves in steps of half of it, so that not every scrolled pixel changes it. */
const MARGIN = 8;

export function rowsInSight(scrollTop: number, height: number, row_px: number, rows: number): Rows {
  const step = MARGIN / 2;
  const first = Math.floor(scrollTop / row_px / step) * step;
  const seen = Math.ceil(height / row_px);
  const from = Math.max(first - MARGIN, 0);
  return { from: Math.min(from, rows), to: Math.min(first + step + seen + MARGIN, rows) };
}

export interface Place {
  row: number;
  column: number;
}

const PAGE_ROWS = 8;

/** Where a key leads from a cell; null for a key that leads nowhere. Row -1 is the header's, column -1 the sources'. */
export function stepped(at: Place, key: string, rows: number, columns: number): Place | null {
  const row = (value: number) => Math.min(Math.max(value, 0), rows - 1);
  const column = (value: number) => Math.min(Math.max(value, 0), columns - 1);
  switch (key) {
    case 'ArrowUp':
      return { ...at, row: row(at.row - 1) };
    case 'ArrowDown':
      return { ...at, row: row(at.row + 1) };
    case 'ArrowLeft':
      return { ...at, column: column(at.column - 1) };
    case 'ArrowRight':
      return { ...at, column: column(at.column + 1) };
    case 'Home':
      return { ...at, column: 0 };
    case 'End':
      return { ...at, column: columns - 1 };
    case 'PageUp':
      return { ...at, row: row(at.row - PAGE_ROWS) };
    case 'PageDown':
      return { ...at, row: row(at.row + PAGE_ROWS) };
    default:
      return null;
  }
}

/** So many of these, spread evenly: what comes first is seldom what the rest is like. */
export function spread<Item>(all: readonly Item[], count: number): Item[] {
  const few = Math.min(count, all.length);
  return all.filter((_item, at) => Math.floor(((at + 1) * few) / all.length) > Math.floor((at * few) / all.length));
}
