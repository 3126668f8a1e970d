// Measures what the log-in page and the first work list cost as sent (brotli), against the limit of 450 KB.
import { readFileSync, statSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIMIT_BYTES = 450 * 1024;
const web = dirname(dirname(fileURLToPath(import.meta.url)));
const dir = process.argv[2] ?? join(web, '../build/web');
const html = readFileSync(join(dir, 'index.html'), 'utf8');

/** Static imports reach further files than the page names; follow them until nothing is new. */
function filesOf(entry) {
  const seen = new Set();
  const queue = [...entry];
  while (queue.length > 0) {
    const name = queue.pop();
    if (seen.has(name) || !existsSync(join(dir, name))) continue;
    seen.add(name);
    if (!name.endsWith('.js')) continue;
    const code = readFileSync(join(dir, name), 'utf8');
    for (const m of code.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) queue.push(`assets/${m[1]}`);
  }
  return [...seen];
}

const named = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((m) => m[1]);
const files = filesOf(['index.html', ...named]);
let br = 0;
let gz = 0;
for (const name of files) {
  const sent = (ext) => (existsSync(join(dir, name + ext)) ? statSync(join(dir, name + ext)).size : statSync(join(dir, name)).size);
  br += sent('.br');
  gz += sent('.gz');
}
console.log(`first load: ${files.length} files, brotli ${(br / 1024).toFixed(1)} KB, gzip ${(gz / 1024).toFixed(1)} KB, limit 450 KB`);
if (gz > LIMIT_BYTES) process.exit(1);
