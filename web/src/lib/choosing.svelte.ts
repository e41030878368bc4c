/** The document page's end of the shared choice: what is chosen in its control room is chosen here, and the other way round. */

import { SharedChoice } from './choice';
import { sectionId, type Reader } from './reader.svelte';

export function shareChoice(reader: Reader): () => void {
  /** Told by another tab: it is not told back. */
  let heard: string | null = null;
  const choice = new SharedChoice(reader.live.id, (cell) => {
    const [section = cell] = cell.split(':');
    heard = cell;
    reader.choose(section, cell);
    document.getElementById(sectionId(section))?.scrollIntoView({ block: 'nearest' });
  });
  const stop = $effect.root(() => {
    $effect(() => {
      const cell = reader.cell ?? reader.section;
      if (cell !== null && cell !== heard) choice.tell(cell);
      heard = cell;
    });
  });
  return () => {
    stop();
    choice.close();
  };
}
