/** What the palette finds for what is typed. Pure. */

export interface Command {
  id: string;
  /** What kind of thing it is, for the reader. */
  kind: string;
  label: string;
  keys?: string;
  act: () => void;
}

const plain = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

/** How well `label` is meant by `typed`: higher is better; null: it is not. Letters in their order, words' beginnings count most. */
export function score(typed: string, label: string): number | null {
  const [wanted, text] = [plain(typed).replace(/\s+/g, ''), plain(label)];
  let at = -1;
  let points = 0;
  for (const letter of wanted) {
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return null;
    if (next === 0 || /[^\p{L}\p{N}]/u.test(text[next - 1] ?? '')) points += 4;
    else if (next === at + 1) points += 3;
    else points -= Math.min(next - at, 4);
    at = next;
  }
  return points - text.length / 100;
}

/** The commands that are meant, best first; all of them, in their order, for nothing typed. */
export function meant(typed: string, commands: readonly Command[]): readonly Command[] {
  if (typed.trim() === '') return commands;
  return commands
    .flatMap((command) => {
      const points = score(typed, command.label);
      return points === null ? [] : [{ command, points }];
    })
    .sort((a, b) => b.points - a.points)
    .map(({ command }) => command);
}
