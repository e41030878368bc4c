/** Text counted in Unicode code points, as Python's `len` counts it. JavaScript counts UTF-16 units. */

const ASTRAL = /[\ud800-\udbff][\udc00-\udfff]/g;

export function codePoints(text: string): number {
  return text.length - (text.match(ASTRAL)?.length ?? 0);
}

/** `text` without its first `count` code points. */
export function fromCodePoint(text: string, count: number): string {
  if (count <= 0) return text;
  let unit = 0;
  for (let left = count; left > 0 && unit < text.length; left--) unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  return text.slice(unit);
}

/** Negative, zero or positive: the order of two texts by their code points. */
export function compareCodePoints(a: string, b: string): number {
  for (let unit = 0; unit < a.length && unit < b.length; unit++) {
    const difference = (a.codePointAt(unit) ?? 0) - (b.codePointAt(unit) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
