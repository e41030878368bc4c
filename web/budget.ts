/** How much script a first visit may load, checked whenever the page is built: a build that goes over it fails. */

import type { Plugin } from 'vite';

export const FIRST_LOAD_BYTES_MAX = 60_000;

/** The chunks that each screen needs before it can show anything: the entry, the screen, and all that these import. */
const SCREENS = ['DocumentPage', 'FirstRun'] as const;

interface Chunk {
  type: 'chunk';
  code: string;
  isEntry: boolean;
  name: string;
  imports: string[];
}

type Bundle = Readonly<Record<string, Chunk | { type: 'asset' }>>;

async function gzippedBytes(code: string): Promise<number> {
  const gzipped = new Blob([code]).stream().pipeThrough(new CompressionStream('gzip'));
  return (await new Response(gzipped).arrayBuffer()).byteLength;
}

/** The gzipped bytes of script that a screen loads before it shows anything. */
export async function firstLoadBytes(bundle: Bundle, screen: string): Promise<number> {
  const wanted = new Set<string>();
  const want = (file: string): void => {
    const chunk = bundle[file];
    if (chunk?.type !== 'chunk' || wanted.has(file)) return;
    wanted.add(file);
    chunk.imports.forEach(want);
  };
  for (const [file, chunk] of Object.entries(bundle)) {
    if (chunk.type === 'chunk' && (chunk.isEntry || chunk.name === screen)) want(file);
  }
  const sizes = await Promise.all([...wanted].map((file) => gzippedBytes((bundle[file] as Chunk).code)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

export function budget(): Plugin {
  return {
    name: 'budget',
    apply: 'build',
    // What is written is what is weighed: after the minifier.
    async writeBundle(_options, bundle) {
      for (const screen of SCREENS) {
        const bytes = await firstLoadBytes(bundle as Bundle, screen);
        const words = `${screen}: first load ${(bytes / 1_000).toFixed(1)} of ${FIRST_LOAD_BYTES_MAX / 1_000} KB gzipped`;
        if (bytes > FIRST_LOAD_BYTES_MAX) this.error(`${words}: load something later`);
        this.info(words);
      }
    },
  };
}
