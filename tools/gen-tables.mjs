// From StructureDefinitions to rows: types, elements, options, members, value sets.

const TYPE_EXTENSION = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type';
const SIMPLE_QUANTITY = 'http://hl7.org/fhir/StructureDefinition/SimpleQuantity';
const SYSTEM_STRING = 'http://hl7.org/fhirpath/System.String';
const KINDS = { 'primitive-type': 'PRIMITIVE', 'complex-type': 'COMPLEX', resource: 'RESOURCE' };
const NONE = 0xffff;

export const byteOrder = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const tail = (url) => url.split('/').pop();

function usedStructures(structures) {
    return [...structures.values()].filter((s) => KINDS[s.kind] && s.derivation !== 'constraint');
}

// The type names of an element, with the targets of references.
function optionsOf(element, isResourceId, profileType) {
    if (element.contentReference) {
        return [{ type: element.contentReference.slice(1), targets: [] }];
    }
    return (element.type || []).map((t) => ({ type: typeName(t, isResourceId),
        targets: targetsOf(t.targetProfile || [], profileType) }));
}

function typeName(type, isResourceId) {
    if (isResourceId) {
        return 'id';
    }
    const fhirType = (type.extension || []).find((x) => x.url === TYPE_EXTENSION);
    return fhirType && type.code.startsWith('http://hl7.org/fhirpath/') ? fhirType.valueUrl
        : type.code === SYSTEM_STRING ? 'string' : type.code;
}

function targetsOf(profiles, profileType) {
    const types = profiles.map(profileType);
    return types.some((t) => t === 'Resource' || t === undefined) ? [] : [...new Set(types)].sort(byteOrder);
}

const capital = (s) => s[0].toUpperCase() + s.slice(1);

function elementRow(element, owner, isBackbone, isResource, profileType) {
    const last = element.path.split('.').pop();
    const choice = last.endsWith('[x]');
    const name = choice ? last.slice(0, -3) : last;
    const options = isBackbone ? [{ type: element.path, targets: [] }]
        : optionsOf(element, isResource && name === 'id', profileType);
    const required = element.binding && element.binding.strength === 'required' && element.binding.valueSet;
    return { owner, name, choice, options, min: element.min, many: element.max === '*',
        summary: element.isSummary === true, modifier: element.isModifier === true,
        simple: (element.type || []).some((t) => (t.profile || []).includes(SIMPLE_QUANTITY)),
        valueSet: required ? required.split('|')[0] : null,
        keys: options.map((o) => (choice ? name + capital(o.type) : name)) };
}

// Cuts one snapshot into its type and the backbones in it.
function typesOf(structure, profileType) {
    const elements = structure.snapshot.element;
    const parents = new Set(elements.map((e) => e.path.split('.').slice(0, -1).join('.')));
    const types = new Map();
    for (const e of elements) {
        const isRoot = !e.path.includes('.');
        const isBackbone = !isRoot && parents.has(e.path);
        if (isRoot || isBackbone) {
            types.set(e.path, { name: e.path, elems: [], abstract: isRoot && structure.abstract === true,
                kind: isRoot ? KINDS[structure.kind] : 'BACKBONE',
                base: isRoot ? structure.baseDefinition && tail(structure.baseDefinition) : e.type[0].code });
        }
        const owner = e.path.split('.').slice(0, -1).join('.');
        const isValue = structure.kind === 'primitive-type' && e.path.endsWith('.value');
        if (!isRoot && !isValue && e.max !== '0') {
            types.get(owner).elems.push(elementRow(e, owner, isBackbone,
                structure.kind === 'resource' && !owner.includes('.'), profileType));
        }
    }
    return [...types.values()];
}

// Codes of a value set as [code, system]; null when it cannot be enumerated.
function codesOf(valueSet, codeSystems) {
    const compose = valueSet && valueSet.compose;
    if (!compose || compose.exclude || compose.include.some((i) => i.filter || i.valueSet)) {
        return null;
    }
    const codes = new Map();
    for (const include of compose.include) {
        const list = include.concept || allConcepts(codeSystems.get(include.system));
        if (!list) {
            return null;
        }
        list.forEach((c) => codes.set(`${c.code}\u0000${include.system}`, [c.code, include.system]));
    }
    return [...codes.values()].sort((a, b) => byteOrder(a[0], b[0]) || byteOrder(a[1], b[1]));
}

function allConcepts(codeSystem) {
    if (!codeSystem || codeSystem.content !== 'complete' || !codeSystem.concept) {
        return null;
    }
    const flat = (list) => list.flatMap((c) => [c, ...flat(c.concept || [])]);
    return flat(codeSystem.concept);
}

function valueSetRows(types, definitions, used) {
    const urls = new Set(types.flatMap((t) => t.elems.map((e) => e.valueSet).filter(Boolean)));
    return [...urls].sort(byteOrder).map((url) => {
        const valueSet = definitions.valueSets.get(url);
        const codes = codesOf(valueSet, definitions.codeSystems);
        if (valueSet && valueSet.compose) {
            used.push(valueSet);
            valueSet.compose.include.map((i) => definitions.codeSystems.get(i.system)).filter(Boolean)
                .forEach((c) => used.includes(c) || used.push(c));
        }
        return { url, codes };
    });
}

// { types, valueSets, used, typeIndex }: everything about types; `used` are the definitions behind it.
export function makeTables(definitions) {
    const structures = usedStructures(definitions.structures);
    const known = new Set(structures.map((s) => s.name));
    const profileType = (url) => {
        const name = tail(url);
        const structure = definitions.structures.get(url);
        return known.has(name) ? name : structure && structure.type;
    };
    const types = structures.flatMap((s) => typesOf(s, profileType)).sort((a, b) => byteOrder(a.name, b.name));
    const used = [...structures];
    const valueSets = valueSetRows(types, definitions, used);
    const typeIndex = new Map(types.map((t, i) => [t.name, i]));
    for (const t of types) {
        for (const o of t.elems.flatMap((e) => [...e.options, { type: t.base || 'Element', targets: [] }])) {
            [o.type, ...o.targets].forEach((n) => {
                if (!typeIndex.has(n)) {
                    throw new Error(`${t.name}: unknown type ${n}`);
                }
            });
        }
    }
    return { types, valueSets, used, typeIndex };
}

export { NONE };
