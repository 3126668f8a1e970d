// R4's own profiles and extension definitions, cut down to what a validator reads of them: the
// differentials, without words for people. One JSON text each, in the order of their urls.

const BASE = 'http://hl7.org/fhir/StructureDefinition/';
const HEAD = ['url', 'name', 'kind', 'type', 'baseDefinition', 'context', 'contextInvariant'];
const ELEMENT = /^(id|path|sliceName|slicing|min|max|maxLength|contentReference|isModifier|(fixed|pattern|minValue|maxValue)[A-Z]\w*)$/;

const pick = (object, keep) => Object.fromEntries(Object.entries(object).filter(([k]) => keep(k)));

function typeOf(t) {
    return pick(t, (k) => ['code', 'profile', 'targetProfile'].includes(k));
}

function elementOf(e) {
    const out = pick(e, (k) => ELEMENT.test(k));
    if (e.type) {
        out.type = e.type.map(typeOf);
    }
    if (e.binding && e.binding.valueSet && ['required', 'extensible'].includes(e.binding.strength)) {
        out.binding = pick(e.binding, (k) => ['strength', 'valueSet'].includes(k));
    }
    if (e.constraint) {
        out.constraint = e.constraint.filter((c) => c.expression)
            .map((c) => pick(c, (k) => ['key', 'severity', 'human', 'expression'].includes(k)));
    }
    return out;
}

// { name: [element] } of gen/extension-contexts.def.
function moreContexts(text) {
    const rows = text.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.trim().split(/\s+/));
    return (name) => rows.filter(([n]) => n === name).map(([, expression]) => ({ type: 'element', expression }));
}

// The element with its binding as gen/profile-bindings.def corrects it.
function corrector(text) {
    const rows = text.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.trim().split(/\s+/));
    return (name, element) => {
        const row = rows.find(([n, path]) => n === name && path === element.path);
        return row && element.binding ? { ...element, binding: { ...element.binding, strength: row[2] } } : element;
    };
}

function textOf(structure, contexts, correct) {
    const out = pick(structure, (k) => HEAD.includes(k));
    const name = structure.url.slice(BASE.length), more = contexts(name);
    if (more.length > 0) {
        out.context = [...out.context, ...more];
    }
    return JSON.stringify({ resourceType: 'StructureDefinition', ...out, derivation: 'constraint',
        differential: { element: structure.differential.element.map((e) => elementOf(correct(name, e))) } });
}

const isPublished = (s) => s.derivation === 'constraint' && s.differential && /^http:\/\/hl7\.org\/fhir\/StructureDefinition\/[^/]+$/.test(s.url);

// { rows: [{ url, text }], used }: what was read stands in `used`.
export function makeProfiles(definitions, contextsText, bindingsText) {
    const contexts = moreContexts(contextsText), correct = corrector(bindingsText);
    const used = [...definitions.structures.values()].filter(isPublished);
    return { rows: used.map((s) => ({ url: s.url, text: textOf(s, contexts, correct) })), used };
}
