/** Which rows of a long table are elements: those in sight, and some before and after, made a few at a time. Pure. */

export interface Rows {
  from: number;
  to: number;
}

/** Rows before and after those in sight. */
const MARGIN = 8;

/** The rows that a reader sees, wholly or in part. */
export function rowsInSight(scrollTop: number, height: number, row_px: number, rows: number): Rows {
  const from = Math.min(Math.floor(scrollTop / row_px), rows);
  return { from, to: Math.min(Math.ceil((scrollTop + height) / row_px), rows) };
}

/** The rows to have next, on the way from those there are: none far out of sight, and `count` more, those in sight first. */
export function towards(have: Rows, sight: Rows, rows: number, count: number): Rows {
  const wanted = { from: Math.max(sight.from - MARGIN, 0), to: Math.min(sight.to + MARGIN, rows) };
  let from = Math.max(have.from, wanted.from);
  let to = Math.min(have.to, wanted.to);
  if (from >= to || to < sight.from || from > sight.to) from = to = sight.from; // Nothing of what there is can be gone on from.
  for (let left = count; left > 0; left--) {
    const before = from - sight.from;
    const behind = sight.to - to;
    if (behind > 0) to++;
    else if (before > 0) from--;
    else if (to < wanted.to && (behind >= before || from === wanted.from)) to++;
    else if (from > wanted.from) from--;
  }
  return { from, to };
}

/** The same rows and one that is gone to by a key; that alone, where it is far from them. */
export function reaching(have: Rows, row: number): Rows {
  const isNear = row >= have.from - MARGIN && row < have.to + MARGIN;
  return isNear ? { from: Math.min(have.from, row), to: Math.max(have.to, row + 1) } : { from: row, to: row + 1 };
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
