/** Of marked, the page uses the lexer. Its published file is one piece that a bundler cannot take apart; the renderers, which would
 * make HTML of a model's words, stand behind the lexer and are cut off: smaller by a sixth, and not there to be called by mistake.
 */

import type { Plugin } from 'vite';

export function lexerOnly(): Plugin {
  return {
    name: 'lexer-only',
    apply: 'build',
    transform(code, id) {
      if (!id.includes('/marked/lib/marked.esm.js')) return null;
      const exported = code.slice(code.lastIndexOf('export{'));
      const lexer = /(\w+) as Lexer\b/.exec(exported)?.[1];
      const renderer = /(\w+) as Renderer\b/.exec(exported)?.[1];
      const end = code.indexOf(`var ${renderer ?? ''}=class`);
      if (lexer === undefined || end < code.indexOf(`var ${lexer}=class`)) this.error('marked is built otherwise than it was');
      return { code: `${code.slice(0, end)}\nexport{${lexer} as Lexer};`, map: null };
    },
  };
}
