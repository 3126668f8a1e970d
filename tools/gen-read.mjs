// Reads the official R4 definitions, whichever way they lie in a folder: as the bundles of HL7's
// definitions.json.zip (profiles-resources.json …) or as one file a resource (the npm package
// hl7.fhir.r4.examples).

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const BUNDLES = ['profiles-resources.json', 'profiles-types.json', 'profiles-others.json',
    'extension-definitions.json', 'valuesets.json', 'v2-tables.json', 'v3-codesystems.json', 'search-parameters.json'];
const SINGLE = /^(StructureDefinition|ValueSet|CodeSystem|SearchParameter|CompartmentDefinition)-.*\.json$/;
const COMPARTMENT = /^compartmentdefinition-(device|encounter|patient|practitioner|relatedperson)\.json$/;

function readJson(path) {
    return JSON.parse(readFileSync(path, 'utf8'));
}

function resourcesOf(json) {
    return json.resourceType === 'Bundle' ? json.entry.map((e) => e.resource) : [json];
}

// The package also holds examples and the parameters of extensions, which R4's own list has not.
const isPublished = (r) => r.resourceType !== 'SearchParameter' || !/^example|^filter$|-extensions-|-genetics?-/.test(r.id);

function readFolder(dir) {
    const all = readdirSync(dir).sort();
    const bundles = all.filter((f) => BUNDLES.includes(f) || COMPARTMENT.test(f.toLowerCase()));
    const files = (bundles.length > BUNDLES.length ? bundles : all.filter((f) => SINGLE.test(f))).map((f) => join(dir, f));
    if (files.length === 0) {
        throw new Error(`${dir}: neither the R4 definition bundles nor single definition files are here`);
    }
    return files.flatMap((f) => resourcesOf(readJson(f))).filter(isPublished);
}

// { structures, valueSets, codeSystems, params }: Maps by url, in url order; the five compartments, and the patient's.
export function readDefinitions(dir, searchParametersFile) {
    const all = readFolder(dir);
    const by = (type, list = all) => new Map(list.filter((r) => r.resourceType === type)
        .sort((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0)).map((r) => [r.url, r]));
    const over = searchParametersFile ? resourcesOf(readJson(searchParametersFile)) : [];
    const replaced = new Set(over.map((r) => r.url));
    const params = by('SearchParameter', [...all.filter((r) => !replaced.has(r.url)), ...over]);
    const compartments = [...by('CompartmentDefinition').values()].filter((r) => r.resourceType === 'CompartmentDefinition' &&
        COMPARTMENT.test(`compartmentdefinition-${r.code.toLowerCase()}.json`) && !r.id.startsWith('example'))
        .sort((a, b) => (a.code < b.code ? -1 : 1));
    const compartment = compartments.find((r) => r.code === 'Patient');
    if (compartments.length !== 5 || params.size === 0) {
        throw new Error(`${dir}: the five CompartmentDefinitions or the SearchParameters are missing`);
    }
    return { structures: by('StructureDefinition'), valueSets: by('ValueSet'), codeSystems: by('CodeSystem'),
        params, compartment, compartments };
}

// SHA-256 over what was used, independent of how it lay in files.
export function hashResources(resources) {
    const sorted = [...resources].sort((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0));
    const hash = createHash('sha256');
    for (const r of sorted) {
        hash.update(JSON.stringify({ ...r, text: undefined, meta: undefined })).update('\n');
    }
    return hash.digest('hex');
}
