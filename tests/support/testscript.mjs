// Runs FHIR TestScripts (R4) against a server: operations in their order, asserts on the last answer. What a script asks
// that is not known here is an error, never passed over.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const METHODS = {
    read: 'GET', vread: 'GET', search: 'GET', history: 'GET', capabilities: 'GET', create: 'POST', update: 'PUT', updateCreate: 'PUT',
    patch: 'PATCH', delete: 'DELETE', batch: 'POST', transaction: 'POST',
};
const MEDIA = { json: 'application/fhir+json', xml: 'application/fhir+xml' };

/** All scripts below a folder: [{name, script}], name as "fhir-r4-base/MUST/silent-ignore". */
export function scriptsIn(folder, from = folder) {
    return readdirSync(from).sort().flatMap((name) => {
        const path = join(from, name);
        if (statSync(path).isDirectory()) return scriptsIn(folder, path);
        return name.endsWith('.json') ? [{ name: relative(folder, path).replace('.json', ''), script: JSON.parse(readFileSync(path, 'utf8')) }] : [];
    });
}

class Run {
    constructor(client, script) {
        Object.assign(this, { client, script, sources: {}, variables: {} });
        for (const v of script.variable ?? []) this.variables[v.name] = v.defaultValue;
        for (const f of script.fixture ?? []) {
            this.sources[f.id] = script.contained?.find((r) => `#${r.id}` === f.resource?.reference);
        }
    }

    text = (s) => s.replace(/\$\{([^}]+)\}/g, (whole, name) => this.variables[name] ?? whole);

    path(o) {
        if (o.url) return this.text(o.url);
        const params = this.text(o.params ?? '');
        if (o.pathFromRoot) return params;
        if (o.type?.code === 'capabilities') return `/fhir/metadata${params}`;
        const where = o.resource ? `/${o.resource}` : '';
        return `/fhir${where}${o.type?.code === 'history' ? '/_history' : ''}${params}`;
    }

    async operation(o) {
        const method = o.method?.toUpperCase() ?? METHODS[o.type?.code] ?? 'GET';
        const headers = Object.fromEntries((o.requestHeader ?? []).map((h) => [h.field, this.text(h.value)]));
        if (o.accept) headers.Accept = MEDIA[o.accept] ?? o.accept;
        const body = o.sourceId ? this.sources[o.sourceId] : undefined;
        if (o.sourceId && !body) throw new Error(`no fixture ${o.sourceId}`);
        const path = this.path(o).replace(/[|<>"\s{}`^\\]/g, encodeURIComponent);
        this.answer = await this.client.send(method, path, { headers, body, type: body && (MEDIA[o.contentType] ?? 'application/fhir+json') });
        if (o.responseId) this.sources[o.responseId] = this.answer.json;
    }

    /** What an assert looks at: [found, wanted]. */
    looked(a) {
        const { status, headers, text, json } = this.answer;
        if (a.response) return [String(status), { okay: '200', created: '201', noContent: '204', notModified: '304', bad: '400', forbidden: '403', notFound: '404', methodNotAllowed: '405', conflict: '409', gone: '410', preconditionFailed: '412', unprocessable: '422' }[a.response]];
        if (a.responseCode) return [String(status), a.responseCode];
        if (a.headerField) return [headers[a.headerField.toLowerCase()] ?? '', a.value];
        if (a.contentType) return [headers['content-type'] ?? '', a.contentType];
        if (a.responseBody) return [text, a.responseBody];
        if (a.resource) return [json?.resourceType ?? '', a.resource];
        if (a.path) return [a.path.split('.').reduce((v, key) => v?.[key], json) ?? '', a.value];
        throw new Error(`an assert that is not known: ${JSON.stringify(a)}`);
    }

    assert(a) {
        const [found, wanted] = this.looked(a);
        const kinds = {
            equals: () => found === wanted, notEquals: () => found !== wanted,
            in: () => wanted.split(',').includes(found), notIn: () => !wanted.split(',').includes(found),
            contains: () => found.includes(wanted), notContains: () => !found.includes(wanted),
            empty: () => found === '', notEmpty: () => found !== '',
            matchesRegex: () => new RegExp(wanted).test(found), matchesMimeClass: () => found.split(';')[0].includes(wanted),
        };
        const kind = kinds[a.operator ?? 'equals'];
        if (!kind) throw new Error(`an operator that is not known: ${a.operator}`);
        if (!kind()) throw new Error(`${a.label ?? a.operator}: found ${String(found).slice(0, 200)}, wanted ${a.operator ?? 'equals'} ${wanted}`);
    }

    async actions(list = []) {
        for (const { operation, assert } of list) {
            if (operation) await this.operation(operation);
            if (assert) this.assert(assert);
        }
    }
}

/** Runs setup, every test and teardown; throws what was not as asserted. */
export async function runScript(client, script) {
    const run = new Run(client, script);
    try {
        await run.actions(script.setup?.action);
        for (const t of script.test ?? []) await run.actions(t.action);
    } finally {
        await run.actions(script.teardown?.action);
    }
}
