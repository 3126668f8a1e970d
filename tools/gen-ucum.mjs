#!/usr/bin/env node
// Makes gen/fhir_unit_table.c: the prefixes and units of UCUM.
//
//   node tools/gen-ucum.mjs [--check] FILE
//
// FILE is ucum-essence.xml as unitsofmeasure.org publishes it; only its facts are taken (codes,
// names, values, dimensions). Every factor is exact: a fraction of whole numbers without the
// factors 2 and 5 in its denominator, times a power of ten. --check fails where the table would change.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const OUT = join(dirname(fileURLToPath(import.meta.url)), '..', 'gen', 'fhir_unit_table.c');
const BASE = ['C', 'K', 'cd', 'g', 'm', 'rad', 's']; // in the order of fhir_unit.h
const WORDS_MAX = 5;

// ---- exact numbers: num / den × 10^exp ----------------------------------------------------------

const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return a; };

function reduced({ num, den, exp }) {
    while (den % 2n === 0n) { den /= 2n; num *= 5n; exp--; }
    while (den % 5n === 0n) { den /= 5n; num *= 2n; exp--; }
    const g = gcd(num, den);
    num /= g;
    den /= g;
    while (num % 10n === 0n) { num /= 10n; exp++; }
    return { num, den, exp };
}

function fromDecimal(text) {
    const m = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
    if (!m) throw new Error(`"${text}" is not a number`);
    return reduced({ num: BigInt(m[1] + (m[2] ?? '')), den: 1n, exp: Number(m[3] ?? 0) - (m[2] ?? '').length });
}

const ONE = { num: 1n, den: 1n, exp: 0 };

function times(x, y, power = 1) {
    let out = x;
    for (let i = 0; i < Math.abs(power); i++) {
        out = power > 0 ? { num: out.num * y.num, den: out.den * y.den, exp: out.exp + y.exp }
            : { num: out.num * y.den, den: out.den * y.num, exp: out.exp - y.exp };
    }
    return reduced(out);
}

// ---- the definitions ----------------------------------------------------------------------------

const decode = (s) => s.replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(Number(n)))
    .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&apos;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&');

function attributes(text) {
    return Object.fromEntries([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, k, v]) => [k, decode(v)]));
}

function elements(xml, tag) {
    return [...xml.matchAll(new RegExp(`<${tag}\\b([^>]*)>([\\s\\S]*?)</${tag}>`, 'g'))].map(([, a, body]) => {
        const value = /<value\b([^>]*)>/.exec(body);
        const fn = /<function\b([^>]*?)\/?>/.exec(body);
        return {
            ...attributes(a),
            name: decode(/<name>([^<]*)<\/name>/.exec(body)[1]).replace(/\s+/g, ' ').trim(),
            value: value && attributes(value[1]),
            fn: fn && attributes(fn[1]),
        };
    });
}

// How FILE names the functions of special units, and what fhir_unit.h calls them.
const FUNCTIONS = {
    Cel: 'UNIT_CELSIUS', degF: 'UNIT_FAHRENHEIT', degRe: 'UNIT_REAUMUR', pH: 'UNIT_PH', ln: 'UNIT_LN', lg: 'UNIT_LG',
    lgTimes2: 'UNIT_LG2', ld: 'UNIT_LD', tanTimes100: 'UNIT_TAN', '100tan': 'UNIT_TAN', sqrt: 'UNIT_SQRT',
    hpX: 'UNIT_HP_X', hpC: 'UNIT_HP_C', hpM: 'UNIT_HP_M', hpQ: 'UNIT_HP_Q',
};

class Units {
    constructor(xml) {
        this.prefixes = elements(xml, 'prefix').map((p) => ({ code: p.Code, name: p.name, ...fromDecimal(p.value.value) }));
        this.defined = new Map(elements(xml, 'unit').map((u) => [u.Code, u]));
        this.done = new Map();
        this.arbitrary = 0;
        for (const b of elements(xml, 'base-unit')) {
            this.done.set(b.Code, { code: b.Code, name: b.name, factor: ONE, dim: BASE.map((c) => Number(c === b.Code)),
                metric: true, fn: 'UNIT_RATIO', arbitrary: 0 });
        }
    }

    all() {
        for (const code of this.defined.keys()) this.unit(code);
        return [...this.done.values()].sort((x, y) => Buffer.compare(Buffer.from(x.code), Buffer.from(y.code)));
    }

    unit(code) {
        if (this.done.has(code) || !this.defined.has(code)) return this.done.get(code);
        const u = this.defined.get(code);
        // 1 of the function's unit: for angles the tangent itself gives radians.
        const fn = u.fn ? FUNCTIONS[u.fn.name] : 'UNIT_RATIO';
        if (!fn) throw new Error(`${code}: the function ${u.fn.name} is new`);
        const of = this.term(fn === 'UNIT_TAN' ? 'rad' : u.fn ? u.fn.Unit : u.value.Unit);
        const factor = times(of.factor, fromDecimal(fn === 'UNIT_TAN' ? '1' : (u.fn ?? u.value).value));
        const own = u.isArbitrary === 'yes' && !of.arbitrary;
        const out = { code, name: u.name, factor, dim: of.dim, metric: u.isMetric === 'yes', fn,
            arbitrary: own ? ++this.arbitrary : of.arbitrary };
        this.done.set(code, out);
        return out;
    }

    simple(code) {
        const u = this.unit(code);
        if (u) return u;
        for (const p of this.prefixes) {
            const rest = code.startsWith(p.code) && this.unit(code.slice(p.code.length));
            if (rest && rest.metric) return { ...rest, factor: times(rest.factor, p) };
        }
        throw new Error(`"${code}" is not defined`);
    }

    // The definitions use a part of UCUM's grammar: no parentheses, no annotations.
    term(text) {
        let out = { factor: ONE, dim: BASE.map(() => 0), arbitrary: 0 };
        const parts = text.startsWith('/') ? text : `.${text}`;
        for (const [, op, part] of parts.matchAll(/([./])((?:\[[^\]]*\]|[^./[])+)/g)) {
            const m = /^(10[*^]|\d+$|(?:\[[^\]]*\]|[^\d[+-])+)([+-]?\d+)?$/.exec(part);
            if (!m) throw new Error(`"${part}" in "${text}" is not understood`);
            const sign = (op === '/' ? -1 : 1) * Number(m[2] ?? 1);
            const u = /^\d+$/.test(m[1]) ? { factor: fromDecimal(m[1]), dim: [], arbitrary: 0 } : this.simple(m[1]);
            out = { factor: times(out.factor, u.factor, sign), dim: out.dim.map((d, i) => d + sign * (u.dim[i] ?? 0)),
                arbitrary: out.arbitrary || u.arbitrary };
        }
        return out;
    }
}

// ---- C ------------------------------------------------------------------------------------------

const text = (s) => JSON.stringify(s).replace(/[\u0080-\uffff]/g, (c) =>
    [...Buffer.from(c)].map((b) => `\\${b.toString(8).padStart(3, '0')}`).join(''));

function words(n) {
    const out = [];
    for (; n; n >>= 64n) out.push(`0x${(n & 0xffffffffffffffffn).toString(16)}u`);
    if (out.length > WORDS_MAX) throw new Error(`a factor needs ${out.length} words`);
    return `{${out.join(', ')}}`;
}

const row = (u) => `    {${text(u.code)}, ${text(u.name)}, ${words(u.factor.num)}, ${words(u.factor.den)}, ${u.factor.exp}, `
    + `{${u.dim.join(', ')}}, ${u.fn}, ${u.arbitrary}, ${u.metric}},`;

export function generate(file) {
    const xml = readFileSync(file, 'utf8');
    const units = new Units(xml);
    const rows = units.all();
    const prefixes = units.prefixes.sort((x, y) => y.code.length - x.code.length || (x.code < y.code ? -1 : 1));
    return `/* Units of UCUM ${/version="([\d.]+)"/.exec(/<root[^>]*>/.exec(xml)[0])[1]}. Generated by tools/gen-ucum.mjs from the published definitions; do not edit.
 * ${rows.length} units in byte order of their codes, ${prefixes.length} prefixes, the longer first. */
#include "fhir_unit_rows.h"

const unsigned fhir_unit_rows_n = ${rows.length};

/* code, name, factor = numerator / denominator × 10^n (words of 64 bits, the lowest first),
 * dimensions, function, number of an arbitrary unit, takes prefixes */
const UnitRow fhir_unit_rows[] = {
${rows.map(row).join('\n')}
};

const unsigned fhir_unit_prefixes_n = ${prefixes.length};

const UnitPrefix fhir_unit_prefixes[] = {
${prefixes.map((p) => `    {${text(p.code)}, ${text(p.name)}, ${p.num}u, ${p.exp}},`).join('\n')}
};
`;
}

function main() {
    const file = process.argv.slice(2).find((a) => !a.startsWith('-'));
    if (!file) throw new Error('usage: gen-ucum.mjs [--check] ucum-essence.xml');
    const out = generate(file);
    if (!process.argv.includes('--check')) {
        writeFileSync(OUT, out);
    } else if (readFileSync(OUT, 'utf8') !== out) {
        throw new Error(`${OUT} is not what ${file} gives; run tools/gen-ucum.mjs`);
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        main();
    } catch (e) {
        console.error(`gen-ucum: ${e.message}`);
        process.exit(2);
    }
}
