/** What was taken out of a text and what was put in, by words (Myers 1986, the greedy one). Pure. */

export interface Piece {
  type: 'same' | 'out' | 'in';
  text: string;
}

/** Texts that differ more than this are shown one after the other: nobody reads a diff of that, and it would take too long. */
const EDITS_MAX = 500;

const wordsOf = (text: string) => text.match(/\s+|[^\s]+/gu) ?? [];

export function diff(before: string, after: string): Piece[] {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const middle = between(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (words: string[]): Piece[] => (words.length > 0 ? [{ type: 'same', text: words.join('') }] : []);
  return joined([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

function between(a: readonly string[], b: readonly string[]): Piece[] {
  const trace: Map<number, number>[] = [];
  const furthest = new Map([[1, 0]]);
  const most = Math.min(a.length + b.length, EDITS_MAX);
  for (let edits = 0; edits <= most; edits++) {
    trace.push(new Map(furthest));
    for (let k = -edits; k <= edits; k += 2) {
      let x = isDown(furthest, k, edits) ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return walked(a, b, trace);
    }
  }
  return [
    { type: 'out', text: a.join('') },
    { type: 'in', text: b.join('') },
  ];
}

function isDown(furthest: ReadonlyMap<number, number>, k: number, edits: number): boolean {
  return k === -edits || (k !== edits && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
}

function walked(a: readonly string[], b: readonly string[], trace: readonly ReadonlyMap<number, number>[]): Piece[] {
  const back: Piece[] = [];
  let [x, y] = [a.length, b.length];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const furthest = trace[edits] ?? new Map<number, number>();
    const k = x - y;
    const before = isDown(furthest, k, edits) ? k + 1 : k - 1;
    const [fromX, fromY] = [furthest.get(before) ?? 0, (furthest.get(before) ?? 0) - before];
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      x--;
      y--;
      back.push({ type: 'same', text: a[x] ?? '' });
    }
    if (edits === 0) break;
    if (x === fromX) back.push({ type: 'in', text: b[--y] ?? '' });
    else back.push({ type: 'out', text: a[--x] ?? '' });
  }
  return back.reverse();
}

/** What was taken out as one piece, what was put in as another: white space between two changed words is no sameness to a reader. */
function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = [];
  let [out, put] = ['', ''];
  const flush = (): void => {
    if (out !== '') all.push({ type: 'out', text: out });
    if (put !== '') all.push({ type: 'in', text: put });
    out = put = '';
  };
  for (const { type, text } of pieces) {
    if (type === 'out') out += text;
    else if (type === 'in') put += text;
    else if (out + put !== '' && text.trim() === '') {
      out += text;
      put += text;
    } else {
      flush();
      const last = all.at(-1);
      if (last?.type === 'same') last.text += text;
      else all.push({ type: 'same', text });
    }
  }
  flush();
  return all;
}
