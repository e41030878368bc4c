/** Markdown to tokens, block by block, while it is being written. marked's lexer only: no HTML is ever made from a model's words.
 *
 * A growing text is lexed from its last *committed* block, and a block is committed once the next one has begun, so that a token's cost
 * is that of the open block, not of the section. A finished text is lexed once more as a whole.
 */

import { Lexer, type Token, type Tokens } from 'marked';
import { markersOf, visible, type Marker } from './citations';

export type { Token, Tokens };

/** A text's blocks and the citations in it. A citation's number within the text stands between the two signs of `CITED`. */
export interface Lexed {
  blocks: readonly Token[];
  markers: readonly Marker[];
}

// A marker becomes brackets that Markdown has no use for around characters that nobody types, so that nothing in a quote (pipes,
// asterisks, back-ticks) is read as Markdown, and so that what stands beside it sees punctuation, as it would beside the marker.
const OPEN = '\u2045\ue000';
const CLOSE = '\ue000\u2046';
/** What is taken out before lexing: our own sign, and line ends that the lexer would shorten behind our back. */
const UNCLEAN = /\ue000|\r(?=\n)/g;

export const CITED = new RegExp(`${OPEN}(\\d+)${CLOSE}`, 'g');

function withSigns(text: string, markers: readonly Marker[]): string {
  let signed = '';
  let at = 0;
  markers.forEach((marker, index) => {
    signed += `${text.slice(at, marker.start)}${OPEN}${index}${CLOSE}`;
    at = marker.end;
  });
  return signed + text.slice(at);
}

function blocksOf(text: string): Token[] {
  try {
    return new Lexer({ gfm: true }).lex(text);
  } catch (error) {
    // Thousands of nested quotes exhaust the stack: such a text is shown as it is.
    if (!(error instanceof RangeError)) throw error;
    return [{ type: 'paragraph', raw: text, text, tokens: [{ type: 'text', raw: text, text }] }];
  }
}

/** A whole text. */
export function lexed(text: string): Lexed {
  const clean = text.replace(UNCLEAN, '');
  const markers = markersOf(clean);
  return { blocks: blocksOf(withSigns(clean, markers)), markers };
}

/** A text that grows: `update` takes all of it so far and gives its blocks; blocks that are committed stay the same objects. */
export class GrowingText {
  #text = '';
  #committed: Token[] = [];
  #committedLength = 0;
  #signs = '';

  update(text: string): Lexed {
    if (!text.startsWith(this.#text)) {
      this.#committed = [];
      this.#committedLength = 0;
      this.#signs = '';
    }
    this.#text = text;
    const clean = visible(text).replace(UNCLEAN, '');
    const markers = markersOf(clean);
    const signed = withSigns(clean, markers);
    if (!signed.startsWith(this.#signs)) {
      this.#committed = [];
      this.#committedLength = 0;
    }
    const fresh = blocksOf(signed.slice(this.#committedLength));
    const open = fresh.findLastIndex((token) => token.type !== 'space');
    for (const token of fresh.slice(0, Math.max(open, 0))) {
      this.#committed.push(token);
      this.#committedLength += token.raw.length;
    }
    this.#signs = signed.slice(0, this.#committedLength);
    return { blocks: [...this.#committed, ...fresh.slice(Math.max(open, 0))], markers };
  }
}

/** A text with its markers written out again, for code, where nothing is a citation. */
export function withMarkers(text: string, markers: readonly Marker[]): string {
  return text.replace(CITED, (_all, index: string) => markers[Number(index)]?.raw ?? '');
}

/** A run of text cut at its citations: words, and indices into the text's markers. */
export function citedPieces(text: string): (string | number)[] {
  return text
    .split(CITED)
    .map((piece, at) => (at % 2 === 1 ? Number(piece) : unescaped(piece)))
    .filter((piece) => piece !== '');
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', '#39': "'" };

/** The few entities that models write; any other stays as it is written. */
export function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|nbsp|#39);/g, (_all, name: string) => ENTITIES[name] ?? '');
}

/** Where a link may lead; null: nowhere. */
export function safeHref(href: string): string | null {
  try {
    const url = new URL(href);
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
