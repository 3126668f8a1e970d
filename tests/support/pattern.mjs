// JSON patterns of the terminology ecosystem's test suite: an answer fits when it has what the pattern has and
// nothing else; lists are sets; `$optional$`, `$optional-properties$` and `$kind$` words loosen that.

const WORDS = {
    string: /^[\s\S]+$/, id: /^[A-Za-z0-9.-]{1,64}$/, token: /^\S+$/, url: /^\S+:\S+$/, uuid: /^urn:uuid:[0-9a-f-]{36}$/,
    instant: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, date: /^\d{4}(-\d\d(-\d\d(T.*)?)?)?$/, semver: /^\d+\.\d+\.\d+/, version: /^\d+\.\d+/,
};

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const isOptional = (v) => (Array.isArray(v) ? v.every(isOptional) : isObject(v) && Boolean(v.$optional$));

function wordFits(pattern, value, texts) {
    const text = pattern.slice(1, -1);
    const [kind, ...rest] = text.split(':');
    const tail = rest.join(':');
    if (text === '') return true;
    if (kind === 'choice') return tail.split('|').includes(value);
    if (kind === 'fragments') return tail.split('|').every((f) => value.includes(f));
    if (kind === 'external') return value === texts?.[rest[0]] || (rest.length > 1 && value.includes(rest.slice(1).join(':')));
    return WORDS[kind] ? typeof value === 'string' && WORDS[kind].test(value) : false;
}

function listDiffers(pattern, value, path, texts) {
    if (!Array.isArray(value)) return `${path}: no list`;
    const left = [...value];
    for (const item of pattern) {
        const at = left.findIndex((v) => !differs(item, v, path, texts));
        if (at >= 0) left.splice(at, 1);
        else if (!isOptional(item)) return `${path}: nothing fits ${JSON.stringify(item).slice(0, 600)}; left ${JSON.stringify(left).slice(0, 1200)}`;
    }
    return left.length ? `${path}: too much: ${JSON.stringify(left).slice(0, 900)}` : '';
}

/** '' when the value fits the pattern, else where and why not; texts: sentences that `$external:N:…$` means. */
export function differs(pattern, value, path = '', texts = {}) {
    if (Array.isArray(pattern)) return listDiffers(pattern, value, path, texts);
    if (!isObject(pattern)) {
        if (typeof pattern === 'string' && /^\$.*\$$/s.test(pattern)) {
            return value !== undefined && wordFits(pattern, value, texts) ? '' : `${path}: ${JSON.stringify(value)} is no ${pattern}`;
        }
        return pattern === value ? '' : `${path}: ${JSON.stringify(value)} instead of ${JSON.stringify(pattern)}`;
    }
    if (!isObject(value)) return `${path}: no object`;
    // location says the same as expression, and is old: the suite's runner does not look at it.
    const loose = new Set([...(pattern['$optional-properties$'] ?? []), 'location']);
    for (const [key, p] of Object.entries(pattern)) {
        if (key.startsWith('$')) continue;
        if (value[key] === undefined) {
            if (!loose.has(key) && !isOptional(p)) return `${path}.${key} is missing`;
            continue;
        }
        if (loose.has(key) && key === 'compose') continue;
        const why = differs(p, value[key], `${path}.${key}`, texts);
        if (why) return why;
    }
    const extra = Object.keys(value).find((key) => pattern[key] === undefined && !loose.has(key));
    return extra ? `${path}.${extra} is too much: ${JSON.stringify(value[extra]).slice(0, 300)}` : '';
}

/** '' when everything that the pattern has is in the value, which may have more. */
export function lacks(pattern, value, path = '') {
    if (Array.isArray(pattern)) {
        const missing = pattern.find((p) => !(value ?? []).some((v) => !lacks(p, v, path)));
        return missing === undefined ? '' : `${path}: nothing has ${JSON.stringify(missing).slice(0, 300)}`;
    }
    if (!isObject(pattern)) return differs(pattern, value, path);
    if (!isObject(value)) return `${path}: no object`;
    return Object.entries(pattern).filter(([key]) => !key.startsWith('$'))
        .map(([key, p]) => lacks(p, value[key], `${path}.${key}`)).find(Boolean) ?? '';
}
