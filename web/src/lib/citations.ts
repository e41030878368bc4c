/** Citation markers in a cell's text, and the words of a quote in its passage. Twin of `schemas/citations.py`.
 *
 * A marker is `[[source:passage "exact words"]]`, the quote optional. Both twins pass `schemas/vectors/citations.json`.
 */

/** What Python's `\s` is; JavaScript's differs in six characters. */
export const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

const ID = '[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?';

const MARKER = new RegExp(
  `\\[\\[(${ID}):([1-9][0-9]{0,6})(?:${SPACE}+"([^"\\[\\]]{0,600})")?${SPACE}*\\]\\]`,
  'gu',
);

/** Every proper beginning of a marker, and nothing else. */
const UNFINISHED = new RegExp(
  `^\\[(?:\\[(?:[a-z0-9][a-z0-9_-]{0,63}(?::(?:[1-9][0-9]{0,6}` +
    `(?:${SPACE}*\\]?|${SPACE}+"[^"\\[\\]]{0,600}(?:"${SPACE}*\\]?)?))?)?)?)?$`,
  'u',
);

/** A marker as it stands in a text; offsets are UTF-16 units here, for slicing. */
export interface Marker {
  start: number;
  end: number;
  raw: string;
  source: string;
  passage: number;
  quote: string;
}

export function markersOf(text: string): Marker[] {
  return Array.from(text.matchAll(MARKER), (match) => ({
    start: match.index,
    end: match.index + match[0].length,
    raw: match[0],
    source: match[1] ?? '',
    passage: Number(match[2]),
    quote: match[3] ?? '',
  }));
}

/** A text that is still being written, without a marker that has begun at its end and may yet become one. */
export function visible(text: string): string {
  let at = text.lastIndexOf('[');
  if (at < 0) return text;
  if (at > 0 && text[at - 1] === '[') at--;
  return UNFINISHED.test(text.slice(at)) ? text.slice(0, at) : text;
}

const TYPOGRAPHY: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"]/g, "'"],
  [/[\u2010\u2011\u2013\u2014\u2212]/g, '-'],
  [/\u2026/g, '...'],
  [/[\u00ad\u200b*`]/g, ''],
];

function foldedLetter(letter: string): string {
  let folded = letter.normalize('NFKC');
  for (const [pattern, replacement] of TYPOGRAPHY) folded = folded.replace(pattern, replacement);
  return folded.toLowerCase().replace(/ß/g, 'ss').replace(/ς/g, 'σ');
}

/** A text folded as Python's twin folds it, with where in the text each folded unit came from. */
function foldedWithOrigin(text: string): { folded: string; origin: number[] } {
  let folded = '';
  const origin: number[] = [];
  let at = 0;
  for (const letter of text) {
    const isSpace = /\s/u.test(letter);
    const piece = isSpace ? (folded === '' || folded.endsWith(' ') ? '' : ' ') : foldedLetter(letter);
    for (let unit = 0; unit < piece.length; unit++) origin.push(at);
    folded += piece;
    at += letter.length;
  }
  return { folded, origin };
}

/** From where to where (UTF-16 units) the words of `quote` stand in `passage`; null where they do not. */
export function findQuote(quote: string, passage: string): readonly [number, number] | null {
  const words = foldedWithOrigin(quote).folded.trim();
  if (words === '') return null;
  const { folded, origin } = foldedWithOrigin(passage);
  const found = folded.indexOf(words);
  if (found < 0) return null;
  const last = origin[found + words.length - 1] ?? 0;
  return [origin[found] ?? 0, last + ((passage.codePointAt(last) ?? 0) > 0xffff ? 2 : 1)];
}

/** A passage as it is read: lines that were only wrapped are joined, character for character, so that every offset stays. */
export function unwrapped(passage: string): string {
  return passage.replace(/(?<=[^\n]{50})\n(?=[ \t]*[\p{L}\p{Pi}(`"'\d[_])(?![ \t]*\d+[.)]\s)/gu, ' ');
}

/** The sentence that a marker stands behind: what it is cited for. */
export function claimOf(text: string, marker: Marker): string {
  const before = text.slice(Math.max(marker.start - 800, 0), marker.start).replace(MARKER, '');
  const paragraph = before.slice(before.lastIndexOf('\n\n') + 1).trim();
  const sentences = paragraph.match(/[^.!?]+(?:[.!?]+(?=\s|$)|[.!?](?=\S)|$)+/gu);
  return (sentences?.at(-1) ?? paragraph).trim().replace(/^[-*#>\s]+/u, '');
}
