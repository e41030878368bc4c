/** What the parts of one cell's text need to know of the whole: its citations. */

import { createContext } from 'svelte';
import type { Marker } from '../lib/citations';
import type { Citation } from '../lib/types';

export interface ProseContext {
  readonly cell: string;
  readonly markers: readonly Marker[];
  /** As the writer checked them; empty while the text is written. */
  readonly citations: readonly Citation[];
}

export const [getProse, setProse] = createContext<ProseContext>();
