/** What a column's answers come to, exactly. Twin of `schemas/sums.py`: both pass `schemas/vectors/sums.json`. */

import { answerOf, dateOf, isStated, numberOf, type ExactNumber } from './answers';
import type { Cell, Column, Document, Section } from './types';
import { cellOf, isAsked } from './view';

interface Told {
  asked: number;
  /** Answers of the column's form. */
  answered: number;
  not_stated: number;
  /** Answers that are in no form that can be counted. */
  other: number;
}

/** Of all numbers of one unit; decimal, written out. */
export interface Figures {
  unit: string;
  count: number;
  sum: string;
  mean: string;
  median: string;
  min: string;
  max: string;
}

export type Sums = Told &
  (
    | { type: 'TextSums' }
    | { type: 'NumberSums'; figures: readonly Figures[] }
    | { type: 'OptionSums'; counts: readonly { option: string; count: number }[] }
    | { type: 'DateSums'; earliest: string; latest: string }
  );

const MEAN_PLACES = 2;

export function sumsOf(document: Document, section: Section, column: Column): Sums {
  return summed(column, textsOf(document, section, column));
}

/** The sums of a table that is being filled in: a column is summed up anew only when one of its answers changes. */
export class TableSums {
  readonly #known = new Map<string, { column: Column; texts: readonly (string | null)[]; sums: Sums }>();

  of(document: Document, section: Section, column: Column): Sums {
    const texts = textsOf(document, section, column);
    const known = this.#known.get(column.id);
    if (known?.column === column && known.texts.length === texts.length && texts.every((text, at) => text === known.texts[at]))
      return known.sums;
    const sums = summed(column, texts);
    this.#known.set(column.id, { column, texts, sums });
    return sums;
  }
}

function textsOf(document: Document, section: Section, column: Column): (string | null)[] {
  const rows = Object.keys(document.sources).filter((row) => isAsked(column, row));
  return rows.map((row) => handedOn(cellOf(document, `${section.id}:${row}:${column.id}`)));
}

/** The text that those are told which are written from this cell: `handed_on` in `schemas/cells.py`. */
export function handedOn(cell: Cell): string | null {
  if (cell.completed === null || (cell.state.type === 'Failed' && !cell.locked)) return null;
  return cell.completed.text;
}

export function summed(column: Pick<Column, 'format' | 'options'>, texts: readonly (string | null)[]): Sums {
  const answers = texts.filter((text) => text !== null).map(answerOf);
  const stated = answers.filter(isStated);
  const told = (answered: number): Told => ({
    asked: texts.length,
    answered,
    not_stated: answers.length - stated.length,
    other: stated.length - answered,
  });
  switch (column.format) {
    case 'text':
      return { type: 'TextSums', ...told(stated.length) };
    case 'number': {
      const numbers = stated.map(numberOf).filter((number) => number !== null);
      return { type: 'NumberSums', ...told(numbers.length), figures: figuresOf(numbers) };
    }
    case 'yes_no':
    case 'one_of': {
      const options = column.format === 'yes_no' ? ['yes', 'no'] : column.options;
      const meant = new Map([...options].reverse().map((option) => [option.toLowerCase(), option]));
      const said = new Map<string, number>();
      for (const answer of stated) {
        const option = options.includes(answer) ? answer : meant.get(answer.toLowerCase());
        if (option !== undefined) said.set(option, (said.get(option) ?? 0) + 1);
      }
      const counts = [...new Set(options)].map((option) => ({ option, count: said.get(option) ?? 0 }));
      return { type: 'OptionSums', ...told(counts.reduce((sum, one) => sum + one.count, 0)), counts };
    }
    case 'date': {
      const dates = stated.map(dateOf).filter((date) => date !== null);
      const earliest = first(dates, (date) => `${date}-01-01`.slice(0, 10), -1);
      const latest = first(dates, (date) => (date + '-12-31'.slice(date.length - 4)).slice(0, 10), 1);
      return { type: 'DateSums', ...told(dates.length), earliest, latest };
    }
  }
}

/** Whether there is more to say of a table than how far it has come. */
export function hasFigures(section: Section): boolean {
  return section.columns.some((column) => column.format !== 'text');
}

/** The first of those that are furthest in a direction; empty: there is none. */
function first(dates: readonly string[], key: (date: string) => string, direction: -1 | 1): string {
  let best = dates[0] ?? '';
  for (const date of dates) {
    const [one, other] = [key(date), key(best)];
    if (direction < 0 ? one < other : one > other) best = date;
  }
  return best;
}

// -- Numbers -------------------------------------------------------------------------------------------------------------

function figuresOf(numbers: readonly ExactNumber[]): Figures[] {
  const units = [...new Set(numbers.map((number) => number.unit.toLowerCase()))];
  const named = units.filter((unit) => unit !== '');
  const groups = named.length <= 1 && units.length > 0 ? [units] : units.map((unit) => [unit]);
  return groups.map((group) => figuresOfOne(numbers.filter((number) => group.includes(number.unit.toLowerCase()))));
}

function figuresOfOne(numbers: readonly ExactNumber[]): Figures {
  const scale = Math.max(...numbers.map((number) => number.scale));
  const values = numbers
    .map((number) => number.mantissa * 10n ** BigInt(scale - number.scale))
    .sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
  const at = (place: number) => values[place] ?? 0n;
  const count = values.length;
  const half = Math.floor(count / 2);
  const total = values.reduce((sum, value) => sum + value, 0n);
  return {
    unit: numbers.find((number) => number.unit !== '')?.unit ?? '',
    count,
    sum: written(total, scale),
    mean: written(divided(total * 10n ** BigInt(MEAN_PLACES), BigInt(count)), scale + MEAN_PLACES),
    median: written(count % 2 === 1 ? at(half) * 10n : (at(half - 1) + at(half)) * 5n, scale + 1),
    min: written(at(0), scale),
    max: written(at(count - 1), scale),
  };
}

/** Rounded to the nearest; a half away from nothing. */
function divided(value: bigint, by: bigint): bigint {
  const size = value < 0n ? -value : value;
  const whole = size / by + ((size % by) * 2n >= by ? 1n : 0n);
  return value < 0n ? -whole : whole;
}

function written(mantissa: bigint, scale: number): string {
  const digits = String(mantissa < 0n ? -mantissa : mantissa).padStart(scale + 1, '0');
  const places = digits.slice(digits.length - scale).replace(/0+$/, '');
  const whole = digits.slice(0, digits.length - scale);
  return `${mantissa < 0n ? '-' : ''}${whole}${scale > 0 && places !== '' ? `.${places}` : ''}`;
}
