import { defineConfig } from 'vitest/config';
import { svelte } from '@sveltejs/vite-plugin-svelte';

// In `npm run dev`, MUDPULSE names a running product to take the API from.
const api = process.env.MUDPULSE ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './', // served below any prefix: index.html's <base> says which
  plugins: [svelte()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { '/api': { target: api, ws: true, changeOrigin: true, rewriteWsOrigin: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node', testTimeout: 60000 } // a busy machine is no fault,
});
