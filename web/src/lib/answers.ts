/** What a table cell's text answers, read from the text itself. Twin of `schemas/answers.py`. */

import { markersOf, SPACE } from './citations';

const NOT_STATED = 'not stated';
const DIGITS_MAX = 40;
const EXPONENT_MAX = 30;
/** Digits between two signs that set thousands apart. */
const GROUP = 3;

const SPACES = ' \\u00a0\\u2009\\u202f';
const NUMBER = new RegExp(
  `^([-+\\u2212]?)([$\\u20ac\\u00a3\\u00a5]?)[${SPACES}]?([-+\\u2212]?)` +
    `([0-9]+(?:[.,'${SPACES}][0-9]+)*)(?:[eE]([-+]?[0-9]{1,2}))?(?![0-9])[${SPACES}]*([^\\n]*)$`,
  'u',
);
/** A unit begins like a word and has no number of its own in it: ‘kg CO2’ is one, ‘of 5’ and ‘-15’ are none. */
const UNIT = new RegExp(
  `^(?![0-9.,;:<>=~\\u00b1+\\-\\u2013\\u2014\\u2212/'"])(?![^\\n]*[${SPACES}][0-9])[^()\\n]{1,40}$`,
  'u',
);
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WORD =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?' +
  '|nov(?:ember)?|dec(?:ember)?)\\.?';
const DATES = [
  /^(?<y>[0-9]{4})(?:-(?<m>[0-9]{2})(?:-(?<d>[0-9]{2}))?)?$/,
  new RegExp(`^(?<d>[0-9]{1,2})\\.? (?<m>${WORD}) (?<y>[0-9]{4})$`, 'i'),
  new RegExp(`^(?<m>${WORD}) (?:(?<d>[0-9]{1,2}), )?(?<y>[0-9]{4})$`, 'i'),
];
const SPACE_RUN = new RegExp(`${SPACE}+`, 'g');

/** `mantissa` / 10 ** `scale`, exactly. */
export interface ExactNumber {
  mantissa: bigint;
  scale: number;
  unit: string;
}

/** A cell's text without its citations. */
export function answerOf(text: string): string {
  let said = '';
  let at = 0;
  for (const marker of markersOf(text)) {
    said += `${text.slice(at, marker.start)} `;
    at = marker.end;
  }
  return (said + text.slice(at)).replace(SPACE_RUN, ' ').replace(/^ | $/g, '');
}

export function isStated(answer: string): boolean {
  return answer.toLowerCase() !== NOT_STATED;
}

export function numberOf(answer: string): ExactNumber | null {
  const found = NUMBER.exec(answer);
  if (found === null) return null;
  const [, before = '', money = '', behind = '', written = '', power = '0', rest = ''] = found;
  if (before !== '' && behind !== '') return null;
  const whole = plain(written);
  if (whole === null || (rest !== '' && !UNIT.test(rest))) return null;
  const exponent = Number(power);
  if (whole.digits.length > DIGITS_MAX || Math.abs(exponent) > EXPONENT_MAX) return null;
  const sign = before + behind === '' || before + behind === '+' ? 1n : -1n;
  const places = whole.scale - exponent;
  return {
    mantissa: BigInt(whole.digits) * sign * 10n ** BigInt(Math.max(-places, 0)),
    scale: Math.max(places, 0),
    unit: [money, rest].filter((part) => part !== '').join(' '),
  };
}

/** `2024`, `2024-05` or `2024-05-31`. */
export function dateOf(answer: string): string | null {
  for (const form of DATES) {
    const groups = form.exec(answer)?.groups;
    if (groups === undefined) continue;
    const { y: year = '', m: month, d: day } = groups;
    if (month === undefined) return year;
    const number = /^[0-9]/.test(month) ? Number(month) : MONTHS.indexOf(month.slice(0, 3).toLowerCase()) + 1;
    if (number < 1 || number > MONTHS.length || Number(year) === 0) return null;
    const yearAndMonth = `${year}-${String(number).padStart(2, '0')}`;
    if (day === undefined) return yearAndMonth;
    return Number(day) >= 1 && Number(day) <= daysOf(Number(year), number) ? `${yearAndMonth}-${day.padStart(2, '0')}` : null;
  }
  return null;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function plain(written: string): { digits: string; scale: number } | null {
  const signs = written.match(/[^0-9]/gu) ?? [];
  const parts = written.split(/[^0-9]/u);
  const last = signs.at(-1) ?? '';
  const isOnly = signs.filter((sign) => sign === last).length === 1;
  const isDecimal = (last === '.' || last === ',') && isOnly && !(last === ',' && setsThousandsApart(parts));
  const [first = '', ...others] = isDecimal ? parts.slice(0, -1) : parts;
  if (others.some((group) => group.length !== GROUP) || (others.length > 0 && first.length > GROUP)) return null;
  if (new Set(isDecimal ? signs.slice(0, -1) : signs).size > 1) return null;
  return { digits: parts.join(''), scale: isDecimal ? (parts.at(-1) ?? '').length : 0 };
}

function setsThousandsApart([first = '', ...others]: readonly string[]): boolean {
  return first !== '0' && first.length <= GROUP && others.length === 1 && others[0]?.length === GROUP;
}
