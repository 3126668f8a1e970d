// From SearchParameters to rows: one for each (type, name), with that type's part of the expression.

import { byteOrder } from './gen-tables.mjs';

// Splits at top-level '|', outside parentheses and quotes.
export function splitUnion(expression) {
    const parts = [];
    let depth = 0;
    let quoted = false;
    let part = '';
    for (const c of expression) {
        quoted = c === "'" ? !quoted : quoted;
        depth += quoted ? 0 : c === '(' ? 1 : c === ')' ? -1 : 0;
        if (c === '|' && depth === 0 && !quoted) {
            parts.push(part.trim());
            part = '';
        } else {
            part += c;
        }
    }
    return [...parts, part.trim()];
}

// The parts that begin at `type`; a part that names no base at all belongs to every base.
export function expressionFor(expression, type, bases) {
    const head = (part) => (/^\(*\s*([A-Za-z]+)/.exec(part) || [])[1];
    const parts = splitUnion(expression).filter((p) => head(p) === type || !bases.includes(head(p)));
    return parts.join(' | ');
}

function rowsOf(param, ours) {
    return param.base.map((type) => ({
        type, name: param.code, url: param.url, kind: param.type.toUpperCase(),
        expression: param.expression ? expressionFor(param.expression, type, param.base) : '',
        targets: [...new Set(param.target || [])].sort(byteOrder),
        component: param.component || [],
        flags: [ours && 'OURS', ours && param.code === 'pinyin' && 'PINYIN'].filter(Boolean),
    }));
}

// An expression belongs to the definition that ends with it: R4 has DocumentReference.relationship's crossed.
function uncross(rows, components) {
    const [a, b] = components;
    const ends = (c, text) => rows[c.param].expression.endsWith(`.${text}`);
    if (components.length === 2 && !ends(a, a.expression) && ends(a, b.expression) && ends(b, a.expression)) {
        [a.expression, b.expression] = [b.expression, a.expression];
    }
    return components;
}

function addComponents(rows) {
    const at = new Map(rows.map((r, i) => [`${r.type} ${r.url}`, i]));
    const anywhere = new Map(rows.map((r, i) => [r.url, i]));
    for (const row of rows) {
        row.components = uncross(rows, row.component.map((c) => {
            const param = at.get(`${row.type} ${c.definition}`) ?? anywhere.get(c.definition);
            if (param === undefined) {
                throw new Error(`${row.type}.${row.name}: component ${c.definition} is unknown`);
            }
            return { expression: c.expression, param };
        }));
    }
}

function checkRows(rows, typeIndex) {
    rows.forEach((r, i) => {
        if (!typeIndex.has(r.type)) {
            throw new Error(`search parameter ${r.url}: unknown base ${r.type}`);
        }
        if (i > 0 && rows[i - 1].type === r.type && rows[i - 1].name === r.name) {
            throw new Error(`search parameter ${r.type}.${r.name} is defined twice`);
        }
        r.targets.forEach((t) => {
            if (!typeIndex.has(t)) {
                throw new Error(`search parameter ${r.url}: unknown target ${t}`);
            }
        });
    });
}

// "Type expression" lines; # begins a comment, a lone - means none.
export function readDef(text, typeIndex, file) {
    const rows = text.split('\n').map((l) => l.replace(/#.*/, '').trim()).filter(Boolean)
        .map((l) => [l.split(/\s+/)[0], l.replace(/^\S+\s*/, '')]);
    for (const [type, expression] of rows) {
        if (!typeIndex.has(type) || !expression) {
            throw new Error(`${file}: "${type} ${expression}" is not a type and an expression`);
        }
    }
    return rows;
}

// Each plain path of the expression must exist in the tables.
function checkPaths(expression, types, typeIndex, file) {
    for (const path of expression.match(/[A-Z][A-Za-z]+(\.[a-z][A-Za-z]*)+(?![A-Za-z(])/g) || []) {
        const [root, ...names] = path.split('.');
        let type = types[typeIndex.get(root)];
        for (const name of names) {
            const elem = type && type.elems.find((e) => e.name === name);
            if (!elem) {
                throw new Error(`${file}: ${path} does not exist`);
            }
            type = types[typeIndex.get(elem.options[0].type)];
        }
    }
}

function patientLinks(compartment, extra, rows) {
    const at = new Map(rows.map((r, i) => [`${r.type} ${r.name}`, i]));
    const links = compartment.resource.flatMap((r) => (r.param || []).map((name) => {
        const param = at.get(`${r.code} ${name}`);
        if (param === undefined) {
            throw new Error(`patient compartment: ${r.code} has no parameter ${name}`);
        }
        return { type: r.code, param, expression: rows[param].expression };
    }));
    return [...links, ...extra.map(([type, expression]) => ({ type, param: 0xffff, expression }))];
}

// { compartment, type, param }: by which parameters a type's resources belong to a compartment.
function compartmentRows(compartments, rows) {
    const at = new Map(rows.map((r, i) => [`${r.type} ${r.name}`, i]));
    return compartments.flatMap((c) => c.resource.flatMap((r) => (r.param || [])
        .map((name) => ({ compartment: c.code, type: r.code, param: at.get(`${r.code} ${name}`) }))))
        .filter((r) => r.param !== undefined)
        .sort((a, b) => byteOrder(a.compartment, b.compartment) || byteOrder(a.type, b.type) || a.param - b.param);
}

// Paths (without [x]) of a type's elements, at any depth, that may refer to a patient, or to anything.
function patientPaths(types, owner) {
    return types.filter((t) => t.name === owner || t.name.startsWith(`${owner}.`)).flatMap((t) => t.elems
        .filter((e) => e.options.some((o) => o.type === 'Reference' &&
            (o.targets.length === 0 || o.targets.includes('Patient') || o.targets.includes('Resource'))))
        .map((e) => ({ path: `${t.name}.${e.name.replace('[x]', '')}`, named: /^(patient|subject)(\[x\])?$/.test(e.name) })));
}

// No element by which a resource could be a patient's is forgotten: see patient-links.def.
function checkPatients(types, links, exempt) {
    const covered = new Map(links.map((l) => [l.type, []]));
    links.forEach((l) => covered.get(l.type).push(l.expression));
    exempt.forEach(([type, path]) => covered.set(type, [...covered.get(type) ?? [], path]));
    const compartment = new Set(links.filter((l) => l.param !== 0xffff).map((l) => l.type));
    for (const t of types.filter((x) => x.kind === 'RESOURCE' && !x.abstract && x.name !== 'Patient')) {
        for (const { path, named } of patientPaths(types, t.name)) {
            const must = named || !compartment.has(t.name);
            if (must && !(covered.get(t.name) ?? []).some((text) => text.includes(path))) {
                throw new Error(`patient-links.def: ${path} may refer to a patient; give a line for it`);
            }
        }
    }
}

// { params, links, dates, compartments } in the order of the C tables.
export function makeParams(definitions, tables, own) {
    const { types, typeIndex } = tables;
    const params = [...[...definitions.params.values()].flatMap((p) => rowsOf(p, false)),
        ...own.params.flatMap((p) => rowsOf(p, true))]
        .sort((a, b) => byteOrder(a.type, b.type) || byteOrder(a.name, b.name));
    checkRows(params, typeIndex);
    addComponents(params);
    const ownLinks = readDef(own.links, typeIndex, 'patient-links.def');
    const links = patientLinks(definitions.compartment, ownLinks.filter(([, e]) => !e.startsWith('not ')), params)
        .sort((a, b) => byteOrder(a.type, b.type));
    const dates = readDef(own.dates, typeIndex, 'clinical-date.def').sort((a, b) => byteOrder(a[0], b[0]));
    links.forEach((l) => checkPaths(l.param === 0xffff ? l.expression : '', types, typeIndex, 'patient-links.def'));
    checkPatients(types, links, ownLinks.filter(([, e]) => e.startsWith('not ')).map(([type, e]) => [type, e.slice(4).trim()]));
    dates.forEach(([, e]) => checkPaths(e, types, typeIndex, 'clinical-date.def'));
    checkDates(types, dates);
    return { params, links, dates, compartments: compartmentRows(definitions.compartments, params) };
}

function checkDates(types, dates) {
    const named = new Set(dates.map(([type]) => type));
    const missing = types.filter((t) => t.kind === 'RESOURCE' && !t.abstract && !named.has(t.name));
    if (missing.length > 0) {
        throw new Error(`clinical-date.def: no line for ${missing.map((t) => t.name).join(', ')}`);
    }
}
