import { svelte } from '@sveltejs/vite-plugin-svelte';
import { budget } from './budget.ts';
import { lexerOnly } from './lexer-only.ts';
import { defineConfig, loadEnv } from 'vite';

export default defineConfig(({ mode }) => {
  // The gateway serves what is built; `npm run dev` asks a running one for its data.
  const gateway = loadEnv(mode, '.', 'SCRIPTORIUM_')['SCRIPTORIUM_URL'] ?? 'http://127.0.0.1:8000';
  // Built by themselves: in one build, what only the control room uses of Svelte would be loaded by every reader.
  const isControl = mode === 'control';
  return {
    plugins: [svelte(), lexerOnly(), ...(isControl ? [] : [budget()])],
    build: {
      outDir: '../services/gateway/page',
      emptyOutDir: !isControl,
      rolldownOptions: { input: isControl ? 'control.html' : 'index.html' },
      target: 'es2023',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    server: { proxy: { '/api': gateway, '/control/': { target: gateway, bypass: () => '/control.html' } } },
  };
});
