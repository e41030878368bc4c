/** Numbers, money, times and sizes, as the reader's language writes them. */

export const LANGUAGE = 'en';
export const whole = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(LANGUAGE, { style: 'currency', currency: 'USD', minimumFractionDigits: 2 });
const mills = new Intl.NumberFormat(LANGUAGE, {
  style: 'currency',
  currency: 'USD',
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
});
const plurals = new Intl.PluralRules(LANGUAGE);

export const number = (value: number) => whole.format(value);
export const count = (value: number, one: string, many = `${one}s`) =>
  `${whole.format(value)} ${plurals.select(value) === 'one' ? one : many}`;
export const money = (value: number) => (value === 0 || value >= 1 ? dollars : mills).format(value);
export const seconds = (ms: number) => (ms < 950 ? `${whole.format(ms)} ms` : `${tenths.format(ms / 1_000)} s`);
const two = (value: number) => String(value).padStart(2, '0');

/** `00:23`, or `1:02:03` from an hour on. */
export function clockTime(ms: number): string {
  const all = Math.floor(ms / 1_000);
  const hours = Math.floor(all / 3_600);
  const rest = `${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${whole.format(bytes / 1_000)} kB` : `${tenths.format(bytes / 1_000_000)} MB`;
}
