#!/usr/bin/env node
// Packs R4's own code systems, value sets and concept maps into gen/fhir_term_pack.bin.
//
//   node tools/gen-term.mjs [--check] [DEFINITIONS]
//
// DEFINITIONS as for gen-r4.mjs; by default $MENKOU_SUITES/01-fhir-r4-definitions. What the engine
// does not use (narrative, contacts, who published …) is left out. The county's own small tables
// (gen/county-terminology.json: the health record's, each tagged with how far it is to be trusted) go in as
// well. Needs the command `zstd`.
//
// The file: a directory and blocks, each a zstd frame of whole resources, one JSON text a line.
//   "MKTP0001" | u32 blocks | u32 items | blocks × {u32 at, u32 bytes, u32 unpacked}
//   | items × {u32 url_at, u16 url_n, u8 kind, u8 0, u32 block, u32 at, u32 n} by kind and url
//   | urls | frames | sha256 of what was read (32 bytes)
// --check compares that last digest, so that another zstd's bytes are no difference.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GEN = join(dirname(fileURLToPath(import.meta.url)), '..', 'gen');
const OUT = join(GEN, 'fhir_term_pack.bin');
const OWN = join(GEN, 'county-terminology.json');
const BUNDLES = ['valuesets.json', 'v2-tables.json', 'v3-codesystems.json', 'conceptmaps.json'];
const SINGLE = /^(ValueSet|CodeSystem|ConceptMap)-.*\.json$/;
const KINDS = ['CodeSystem', 'ValueSet', 'ConceptMap'];
const BLOCK = 96 * 1024;
const NOT_KEPT = new Set(['id', 'text', 'meta', 'contact', 'publisher', 'identifier', 'date', 'copyright', 'purpose',
    'description', 'useContext', 'jurisdiction', 'immutable', 'valueSet', 'compositional', 'versionNeeded', 'count']);
const EXTENSIONS = /\/(structuredefinition-standards-status|codesystem-subsumes|codesystem-label|codesystem-conceptOrder|translation|itemWeight|valueset-[a-zA-Z-]+)$/;

function slim(value, depth) {
    if (Array.isArray(value)) {
        return value.map((v) => slim(v, depth + 1));
    }
    if (value === null || typeof value !== 'object') {
        return value;
    }
    const out = {};
    for (const [key, v] of Object.entries(value)) {
        if (depth === 0 && NOT_KEPT.has(key)) {
            continue;
        }
        const kept = key === 'extension' ? v.filter((e) => EXTENSIONS.test(e.url)) : slim(v, depth + 1);
        if (!(Array.isArray(kept) && kept.length === 0)) {
            out[key] = kept;
        }
    }
    return out;
}

function resources(dir) {
    const all = readdirSync(dir).sort();
    const files = all.filter((f) => BUNDLES.includes(f)).length === BUNDLES.length ? BUNDLES : all.filter((f) => SINGLE.test(f));
    return [...files.map((f) => join(dir, f)), OWN].map((f) => JSON.parse(readFileSync(f, 'utf8')))
        .flatMap((j) => (j.resourceType === 'Bundle' ? j.entry.map((e) => e.resource) : [j]))
        .filter((r) => KINDS.includes(r.resourceType) && r.url && !/^http:\/\/(www\.)?(example|loinc)\./.test(r.url));
}

const order = (a, b) => KINDS.indexOf(a.resourceType) - KINDS.indexOf(b.resourceType)
    || (a.url < b.url ? -1 : a.url > b.url ? 1 : 0);

function pack(list) {
    const items = [];
    const blocks = [];
    let lines = [];
    let bytes = 0;
    const flush = () => {
        const raw = Buffer.concat(lines);
        if (raw.length) {
            blocks.push({ raw: raw.length, frame: execFileSync('zstd', ['-19', '-q', '-c', '--no-check'], { input: raw, maxBuffer: 1 << 28 }) });
        }
        lines = [];
        bytes = 0;
    };
    for (const r of list) {
        const line = Buffer.from(`${JSON.stringify(slim(r, 0))}\n`);
        if (bytes && bytes + line.length > BLOCK) {
            flush();
        }
        items.push({ kind: KINDS.indexOf(r.resourceType), url: r.url, block: blocks.length, at: bytes, n: line.length - 1 });
        lines.push(line);
        bytes += line.length;
    }
    flush();
    return { items, blocks };
}

function layout({ items, blocks }, digest) {
    const head = Buffer.alloc(16 + blocks.length * 12 + items.length * 20);
    const urls = [];
    let at = head.length;
    head.write('MKTP0001', 0, 'latin1');
    head.writeUInt32LE(blocks.length, 8);
    head.writeUInt32LE(items.length, 12);
    items.forEach((item, i) => {
        const url = Buffer.from(item.url);
        const p = 16 + blocks.length * 12 + i * 20;
        head.writeUInt32LE(at, p);
        head.writeUInt16LE(url.length, p + 4);
        head.writeUInt8(item.kind, p + 6);
        head.writeUInt32LE(item.block, p + 8);
        head.writeUInt32LE(item.at, p + 12);
        head.writeUInt32LE(item.n, p + 16);
        urls.push(url);
        at += url.length;
    });
    blocks.forEach((b, i) => {
        head.writeUInt32LE(at, 16 + i * 12);
        head.writeUInt32LE(b.frame.length, 20 + i * 12);
        head.writeUInt32LE(b.raw, 24 + i * 12);
        at += b.frame.length;
    });
    return Buffer.concat([head, ...urls, ...blocks.map((b) => b.frame), digest]);
}

const check = process.argv.includes('--check');
const dir = process.argv.slice(2).find((a) => !a.startsWith('-'))
    ?? (process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '01-fhir-r4-definitions'));
if (!dir || !existsSync(dir)) {
    console.error(check ? 'gen-term: no definitions here, nothing is compared' : 'usage: gen-term.mjs [--check] DEFINITIONS (or set MENKOU_SUITES)');
    process.exit(check ? 0 : 2);
}
const seen = new Set();
const list = resources(dir).sort(order).filter((r) => !seen.has(r.resourceType + r.url) && seen.add(r.resourceType + r.url));
const digest = createHash('sha256').update(list.map((r) => JSON.stringify(slim(r, 0))).join('\n')).digest();
if (check) {
    const have = existsSync(OUT) ? readFileSync(OUT) : Buffer.alloc(32);
    if (!have.subarray(have.length - 32).equals(digest)) {
        console.error('gen-term: gen/fhir_term_pack.bin is stale; run node tools/gen-term.mjs');
        process.exit(1);
    }
} else {
    const made = pack(list);
    const bytes = layout(made, digest);
    writeFileSync(OUT, bytes);
    const now = new Date(); // the assembler takes it in unseen by the build, which sees only that its file is newer
    utimesSync(join(dirname(OUT), '../src/fhir/fhir_term_pack.c'), now, now);
    console.log(`gen-term: ${made.items.length} resources, ${made.blocks.length} blocks, ${bytes.length} bytes`);
}
