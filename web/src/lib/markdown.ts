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

/** `text` with its markers as signs; the first one is number `from`. */
function withSigns(text: string, markers: readonly Marker[], from = 0): string {
  let signed = '';
  let at = 0;
  markers.forEach((marker, index) => {
    signed += `${text.slice(at, marker.start)}${OPEN}${from + index}${CLOSE}`;
    at = marker.end;
  });
  return signed + text.slice(at);
}

/** As deep as anybody nests; components within components exhaust the stack long before the lexer does. */
const DEPTH_MAX = 24;

const asItIs = (text: string): Token => ({ type: 'paragraph', raw: text, text, tokens: [{ type: 'text', raw: text, text }] });

function blocksOf(text: string): Token[] {
  try {
    return new Lexer({ gfm: true }).lex(text).map((block) => (isDeeper(block, DEPTH_MAX) ? asItIs(block.raw) : block));
  } catch (error) {
    // Thousands of nested quotes exhaust the stack: such a text is shown as it is.
    if (!(error instanceof RangeError)) throw error;
    return [asItIs(text)];
  }
}

/** Whether tokens stand within tokens more than so many times. */
function isDeeper(token: Token, levels: number): boolean {
  const { tokens = [], items = [] } = token as { tokens?: Token[]; items?: Token[] };
  return levels === 0 || [...tokens, ...items].some((inner) => isDeeper(inner, levels - 1));
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
  #markers: Marker[] = [];
  /** How much of the text, in UTF-16 units, the committed blocks are. */
  #at = 0;

  update(grown: string): Lexed {
    const text = grown.replace(UNCLEAN, '');
    if (!text.startsWith(this.#text)) this.#restart();
    this.#text = text;
    const open = visible(text.slice(this.#at));
    const markers = markersOf(open);
    const blocks = blocksOf(withSigns(open, markers, this.#markers.length));
    const last = blocks.findLastIndex((block) => block.type !== 'space');
    const lexed = { blocks: [...this.#committed, ...blocks], markers: [...this.#markers, ...markers] };
    if (last > 0) this.#commit(blocks.slice(0, last), lexed.markers);
    return lexed;
  }

  #commit(blocks: readonly Token[], markers: readonly Marker[]): void {
    const raw = blocks.map((block) => block.raw).join('');
    this.#committed.push(...blocks);
    this.#at += withMarkers(raw, markers).length;
    this.#markers.push(...markers.slice(this.#markers.length, this.#markers.length + (raw.match(CITED)?.length ?? 0)));
  }

  #restart(): void {
    this.#committed = [];
    this.#markers = [];
    this.#at = 0;
  }
}

/** A text with its markers written out again, for code, where nothing is a citation. */
export function withMarkers(text: string, markers: readonly Marker[]): string {
  return text.replace(CITED, (_all, index: string) => markers[Number(index)]?.raw ?? '');
}

/** No space before a citation: its number stands at its word. */
const BEFORE_CITED = new RegExp(` (?=${OPEN})`, 'g');

/** A run of text cut at its citations: words, and indices into the text's markers. */
export function citedPieces(text: string): (string | number)[] {
  return text
    .replace(BEFORE_CITED, '')
    .split(CITED)
    .map((piece, at) => (at % 2 === 1 ? Number(piece) : unescaped(piece)))
    .filter((piece) => piece !== '');
}

/** The words of blocks without their Markdown, signs of citations included, up to about `length`: for where there is little room. */
export function plain(blocks: readonly Token[], length: number): string {
  let words = '';
  const take = (tokens: readonly Token[]): void => {
    for (const token of tokens) {
      if (words.length >= length) return;
      const children = 'items' in token ? (token['items'] as Token[]) : 'tokens' in token ? token.tokens : undefined;
      if (children !== undefined && children.length > 0) take(children);
      else if ('text' in token && token.type !== 'html') words += String(token['text']);
      if (token.type === 'paragraph' || token.type === 'list_item' || token.type === 'br' || token.type === 'space') words += ' ';
    }
  };
  take(blocks);
  return words;
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
