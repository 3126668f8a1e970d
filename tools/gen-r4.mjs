#!/usr/bin/env node
// Makes the R4 tables under gen/ from the official definitions (R4 4.0.1).
//
//   node tools/gen-r4.mjs [--check] [--search-parameters FILE] [--out DIR] [DEFINITIONS]
//
// DEFINITIONS is a folder with the definitions, by default
// $MENKOU_SUITES/01-fhir-r4-definitions: either the bundles of HL7's definitions.json.zip, or the
// npm package hl7.fhir.r4.examples@4.0.1 (`npm pack hl7.fhir.r4.examples@4.0.1`, unpack it, name
// its folder `package`). Both give the same bytes.
//
// --search-parameters lays a Bundle of SearchParameters, or a single one, over the published ones:
// the same url replaces, a new one is added. --out writes elsewhere than gen/ (build with
// `meson configure -Dr4=DIR`). --check writes nothing and fails where a file would change; without
// the definitions it says so and succeeds.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { makeConstraints } from './gen-constraints.mjs';
import { Pool, Targets, emitConstraints, emitParams, emitPool, emitProfiles, emitTables, emitTypeIds } from './gen-emit.mjs';
import { makeParams } from './gen-params.mjs';
import { makeProfiles } from './gen-profiles.mjs';
import { hashResources, readDefinitions } from './gen-read.mjs';
import { makeTables } from './gen-tables.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

function readOwn() {
    const text = (name) => readFileSync(join(ROOT, 'gen', name), 'utf8');
    return { params: JSON.parse(text('menkou-params.json')).entry.map((e) => e.resource),
        links: text('patient-links.def'), dates: text('clinical-date.def'), constraints: text('constraints.def'),
        contexts: text('extension-contexts.def'), bindings: text('profile-bindings.def') };
}

// { file name: content } of everything that belongs under gen/.
export function generate(dir, searchParametersFile) {
    const definitions = readDefinitions(dir, searchParametersFile);
    const own = readOwn();
    const tables = makeTables(definitions);
    const made = makeParams(definitions, tables, own);
    const hash = hashResources([...tables.used, ...definitions.params.values(), ...definitions.compartments]);
    const digest = createHash('sha256').update(JSON.stringify({ ...made, compartments: undefined })).digest('hex');
    const profiles = makeProfiles(definitions, own.contexts, own.bindings);
    const pool = new Pool();
    const targets = new Targets(tables.typeIndex);
    const files = {
        'fhir_type_ids.h': emitTypeIds(tables, hash),
        'fhir_tables.c': emitTables(tables, pool, targets, hash),
        'fhir_params_table.c': emitParams(tables, made, pool, targets, hash, digest),
        'fhir_constraints_table.c': emitConstraints(tables, makeConstraints(definitions, tables, own.constraints), pool, hash),
        'fhir_profiles_table.c': emitProfiles(profiles.rows, hashResources(profiles.used)),
    };
    return { ...files, 'fhir_pool.c': emitPool(pool, targets, hash) };
}

function parseArguments(argv) {
    const options = { out: join(ROOT, 'gen'), dir: null, searchParameters: null, check: false };
    for (let i = 0; i < argv.length; i += 1) {
        if (argv[i] === '--out') {
            options.out = argv[++i];
        } else if (argv[i] === '--search-parameters') {
            options.searchParameters = argv[++i];
        } else if (argv[i] === '--check') {
            options.check = true;
        } else if (argv[i].startsWith('-')) {
            throw new Error(`unknown option ${argv[i]}`);
        } else {
            options.dir = argv[i];
        }
    }
    options.dir ??= process.env.MENKOU_SUITES && join(process.env.MENKOU_SUITES, '01-fhir-r4-definitions');
    if (!options.dir && !options.check) {
        throw new Error('usage: gen-r4.mjs [--search-parameters FILE] [--out DIR] DEFINITIONS (or set MENKOU_SUITES)');
    }
    return options;
}

// The names of committed files that generating would change.
export function staleFiles(files, out) {
    return Object.entries(files)
        .filter(([name, content]) => !existsSync(join(out, name)) || readFileSync(join(out, name), 'utf8') !== content)
        .map(([name]) => name);
}

function check(options) {
    if (!options.dir || !existsSync(options.dir)) {
        console.error('SKIPPED gen-r4 --check: no definitions (set MENKOU_SUITES or name their folder)');
        return;
    }
    const stale = staleFiles(generate(options.dir, options.searchParameters), options.out);
    if (stale.length > 0) {
        throw new Error(`${options.out}: not what the definitions give: ${stale.join(', ')}; run ./dev gen`);
    }
}

function main() {
    const options = parseArguments(process.argv.slice(2));
    if (options.check) {
        check(options);
        return;
    }
    const files = generate(options.dir, options.searchParameters);
    mkdirSync(options.out, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
        writeFileSync(join(options.out, name), content);
    }
    console.error(`wrote ${Object.keys(files).join(', ')} to ${options.out}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        main();
    } catch (e) {
        console.error(`gen-r4: ${e.message}`);
        process.exit(2);
    }
}
