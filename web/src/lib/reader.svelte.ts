/** What the reader of a document is doing: what is chosen, which panels are open. Shared by all parts of the page. */

import { createContext } from 'svelte';
import type { Marker } from './citations';
import { Editor } from './editor.svelte';
import { Evidence } from './evidence.svelte';
import { LiveDocument } from './live.svelte';
import { Sight } from './sight.svelte';

/** A citation: the `index`th marker in a cell's text. */
export interface Chosen {
  cell: string;
  index: number;
  marker: Marker;
}

/** What stands in the panel at the right. */
export type PanelName = 'evidence' | 'prompt' | 'history';

export const WIDE = '(min-width: 1200px)';
export const NARROW = '(max-width: 899px)';

export class Reader {
  readonly live: LiveDocument;
  readonly evidence: Evidence;
  readonly sight = new Sight();
  readonly editor: Editor;
  /** The section that keys act on. */
  section = $state<string | null>(null);
  /** The cell that the panels tell of. */
  cell = $state<string | null>(null);
  /** The citation whose passage is lit. */
  chosen = $state.raw<Chosen | null>(null);
  /** The citation under the pointer or the focus, and its chip. */
  pointed = $state.raw<{ chosen: Chosen; chip: HTMLElement } | null>(null);
  source = $state<string | null>(null);
  isOutlineOpen = $state(false);
  isPanelOpen = $state(false);
  panel = $state<PanelName>('evidence');
  /** The dialog that is open. */
  dialog = $state<'help' | 'palette' | 'plan' | null>(null);

  /** Whether this browser has the key; null while nobody has said so. */
  mayChange = $state<boolean | null>(null);

  /** `isEmbedded`: in a frame of another site, where nothing is to be changed. */
  constructor(
    documentId: string,
    readonly isEmbedded = false,
  ) {
    this.isOutlineOpen = !isEmbedded && !matchMedia(NARROW).matches;
    this.isPanelOpen = !isEmbedded && matchMedia(WIDE).matches;
    this.live = new LiveDocument(documentId);
    this.evidence = new Evidence(documentId);
    this.editor = new Editor(documentId);
  }

  /** Nothing is offered that would be refused. */
  get isReadOnly(): boolean {
    return this.isEmbedded || this.mayChange === false;
  }

  /** What all views show as chosen. */
  choose(section: string, cell: string): void {
    this.section = section;
    this.cell = cell;
  }

  /** Opens the evidence at a citation's passage. */
  cite(chosen: Chosen): void {
    this.chosen = chosen;
    this.pointed = null;
    this.openSource(chosen.marker.source);
  }

  openSource(source: string): void {
    this.source = source;
    this.openPanel('evidence');
  }

  openPanel(panel: PanelName): void {
    this.panel = panel;
    this.isPanelOpen = true;
    if (matchMedia(NARROW).matches) this.isOutlineOpen = false;
  }

  /** Brings a claim into view from the evidence. */
  showClaim(chosen: Chosen): void {
    this.chosen = chosen;
    if (matchMedia(NARROW).matches) this.isPanelOpen = false;
    const chip = document.getElementById(chipId(chosen.cell, chosen.index));
    chip?.scrollIntoView({ block: 'center' });
    chip?.focus({ preventScroll: true });
  }

  showSection(section: string): void {
    this.choose(section, section);
    if (matchMedia(NARROW).matches) this.isOutlineOpen = false;
    const element = document.getElementById(sectionId(section));
    element?.scrollIntoView({ block: 'start' });
    element?.focus({ preventScroll: true });
  }
}

export const sectionId = (section: string) => `section-${section}`;
export const chipId = (cell: string, index: number) => `citation-${cell}-${index}`;

export const [getReader, setReader] = createContext<Reader>();
