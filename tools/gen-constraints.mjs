// The invariants of R4 as rows by type: those of an element stand at the type that owns it.

import { byteOrder } from './gen-tables.mjs';

const WORD = /^[a-z]\w*$/i;

// { "dom-2" or "inv-1:Parameters.parameter" } of what gen/constraints.def leaves to others.
function leftOut(text) {
    return new Set(text.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.split(/\s+/)[0]));
}

// A snapshot repeats what it inherits; source says where a constraint was stated.
const isOwn = (c, structure) => !c.source || [structure.url, structure.id].includes(c.source);

function rowOf(c, path, types) {
    if (types.has(path)) {
        return { type: path, expression: c.expression };
    }
    const name = path.split('.').pop().replace('[x]', '');
    return { type: path.slice(0, path.lastIndexOf('.')), expression: `${WORD.test(name) ? name : `\`${name}\``}.all(${c.expression})` };
}

// [{ type, key, warning, expression, human }] in the order of types and keys.
export function makeConstraints(definitions, tables, text) {
    const out = leftOut(text);
    const types = new Set(tables.types.map((t) => t.name));
    const rows = new Map();
    for (const structure of tables.used.filter((s) => s.resourceType === 'StructureDefinition')) {
        for (const e of structure.snapshot.element) {
            for (const c of (e.constraint || []).filter((x) => x.expression && isOwn(x, structure))) {
                const row = { ...rowOf(c, e.path, types), key: c.key, warning: c.severity === 'warning', human: c.human };
                if (types.has(row.type) && !out.has(c.key) && !out.has(`${c.key}:${row.type}`)) {
                    rows.set(`${row.type} ${c.key} ${row.expression}`, row);
                }
            }
        }
    }
    return [...rows.values()].sort((a, b) => byteOrder(a.type, b.type) || byteOrder(a.key, b.key) || byteOrder(a.expression, b.expression));
}
