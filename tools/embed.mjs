// Puts the files of a folder into the program: a C file with .incbin and a table by path.
//   node embed.mjs NAME DIR OUT.c OUT.d [--web]
// With --web a file's .br and .gz beside it become its encodings; where they are missing they are
// made next to OUT.c. The bytes are copied there first, so that table and bytes are of one moment.
// OUT.d names every file and folder read, so that a change builds it anew.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const [name, dir, out, deps, flag] = process.argv.slice(2);
const web = flag === '--web';
const text = /\.(html|m?js|css|svg|json|txt|webmanifest)$/;
const seen = [];

function walk(folder, found = []) {
    seen.push(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) walk(path, found);
        else if (entry.isFile() && !entry.name.startsWith('.')) found.push(path);
    }
    return found;
}

function compressed(path, all, ending, make) {
    if (all.has(path + ending)) return path + ending;
    if (!text.test(path)) return null;
    const bytes = readFileSync(path);
    const small = make(bytes);
    if (small.length >= bytes.length) return null;
    const place = join(dirname(resolve(out)), name, relative(dir, path) + ending);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, small);
    return place;
}

const brotli = (b) => brotliCompressSync(b, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
const gzip = (b) => gzipSync(b, { level: 9 });

const copies = join(dirname(resolve(out)), `${name}.files`);
mkdirSync(copies, { recursive: true });
const files = dir ? walk(resolve(dir)) : [];
const all = new Set(files);
const isTwin = (p) => web && /\.(br|gz)$/.test(p) && all.has(p.replace(/\.(br|gz)$/, ''));
const rows = [];
let asm = '';
let externs = '';
let count = 0;

function piece(path) {
    if (!path) return '{NULL, 0}';
    const bytes = readFileSync(path);
    if (!bytes.length) return '{"", 0}';
    seen.push(path);
    const symbol = `${name}_${count++}`;
    const copy = join(copies, symbol);
    writeFileSync(copy, bytes);
    const sum = createHash('sha256').update(bytes).digest('hex');
    asm += `/* ${sum} */\n__asm__(".section .rodata\\n.balign 16\\n.global ${symbol}\\n${symbol}:\\n" ` +
        `".incbin ${JSON.stringify(copy).replaceAll('"', '\\"')}\\n.byte 0\\n.previous\\n");\n`;
    externs += `extern const char ${symbol}[];\n`;
    return `{${symbol}, ${bytes.length}}`;
}

const plain = files.filter((p) => !isTwin(p)).map((p) => ({ at: p, path: relative(resolve(dir), p) }));
plain.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
for (const { at, path } of plain) {
    const gz = web ? compressed(at, all, '.gz', gzip) : null;
    const br = web ? compressed(at, all, '.br', brotli) : null;
    const key = `{${JSON.stringify(path)}, ${Buffer.byteLength(path)}}`;
    rows.push(`    {${key}, ${piece(at)}, ${piece(gz)}, ${piece(br)}},`);
}

writeFileSync(out, `/* Made by tools/embed.mjs. */
#include "embed.h"

${asm}
${externs}
static const ApiFile FILES[] = {
${rows.length ? rows.join('\n') : '    {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}},'}
};

const ApiFiles ${name} = {FILES, ${rows.length}};
`);
writeFileSync(deps, `${out}: ${seen.map((p) => p.replaceAll(' ', '\\ ')).join(' ')}\n`);
