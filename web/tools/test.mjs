// Compiles test/*.test.ts with the esbuild that comes with vite, and runs them with node:test.
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(web, '../build/web-test');
const tests = readdirSync(join(web, 'test')).filter((name) => name.endsWith('.test.ts'));

await build({
  entryPoints: tests.map((name) => join(web, 'test', name)),
  outdir: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node18',
  outExtension: { '.js': '.mjs' },
  define: { 'import.meta.env.WEB_DIR': JSON.stringify(web) },
  sourcemap: 'inline',
  logLevel: 'warning',
});
const files = tests.map((name) => join(out, name.replace(/\.ts$/, '.mjs')));
const run = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' });
process.exit(run.status ?? 1);
