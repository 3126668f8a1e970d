import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import react from '@vitejs/plugin-react';

/** Writes NAME.br and NAME.gz beside every text file, so that the server compresses nothing at run time. */
function precompressed(): Plugin {
  return {
    name: 'precompressed',
    apply: 'build',
    enforce: 'post',
    // After all others: the build's own last step still writes into the chunks.
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const file of Object.values(bundle)) {
          if (!/\.(js|css|html|svg)$/.test(file.fileName)) continue;
          const body = Buffer.from(file.type === 'chunk' ? file.code : file.source);
          if (body.length < 512) continue;
          const br = brotliCompressSync(body, {
            params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
          });
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.br`, source: br });
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.gz`, source: gzipSync(body, { level: 9 }) });
        }
      },
    },
  };
}

/** Libraries change rarely; a chunk of their own stays in the browser's cache over releases. */
function libraryChunk(id: string): string | undefined {
  if (/node_modules\/(react|react-dom|scheduler|i18next|react-i18next|@tanstack)\//.test(id)) return 'react';
  return undefined;
}

const api = process.env.MENKOU_API ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), precompressed()],
  base: './',
  cacheDir: '../build/vite-cache',
  build: {
    target: 'chrome109',
    outDir: '../build/web',
    emptyOutDir: true,
    chunkSizeWarningLimit: 1200,
    rollupOptions: { output: { manualChunks: libraryChunk } },
  },
  worker: { format: 'es' },
  server: { proxy: { '/fhir': api, '/auth': api, '/events': api, '/print': api, '/drafts': api } },
});
