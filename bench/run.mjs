// Figures of the release build: the store beside the disk's flush, the API beside a bare responder, actions of cases,
// published workloads, extraction, validation.
//   ./dev bench [store|http|flow|fhir|extract|validate …]   all of them without a name
// MENKOU_BENCH_RESOURCES is the size of the store (100,000).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = join(root, 'build/release');
// The public suites: where .ci/run unpacks them, if nothing else is said.
const unpacked = join(root, 'build/suites');
const suites = process.env.MENKOU_SUITES ?? (existsSync(unpacked) ? unpacked : undefined);

function sample(type) {
    const folder = suites && join(suites, '02-fhir-r4-examples/instances');
    if (!folder || !existsSync(folder)) return null;
    return join(folder, readdirSync(folder).find((f) => f.startsWith(`${type}-`)));
}

const data = mkdtempSync(join(tmpdir(), 'menkou-bench-'));
process.on('exit', () => rmSync(data, { recursive: true, force: true }));

/** The folder of the 120 Synthea bundles, unpacked once; [] without the suites. */
function synthea() {
    const pack = suites && join(suites, '06-synthea/synthea-r4-dev120.tar.zst');
    if (!pack || !existsSync(pack)) return [];
    const folder = join(data, 'synthea-r4-dev120');
    if (!existsSync(folder)) execFileSync('tar', ['--zstd', '-xf', pack, '-C', data]);
    return [folder];
}

const filled = join(data, 'store');
const fill = {
    target: 'src/store/store-bench',
    args: () => {
        if (!synthea().length) console.log('observations made up: Synthea is not in $MENKOU_SUITES');
        mkdirSync(filled);
        return [process.env.MENKOU_BENCH_RESOURCES ?? '100000', filled, ...synthea()];
    },
};
const benches = {
    store: fill,
    http: { targets: ['src/cmd/menkou', 'bench/bench_load', 'bench/bench_responder'], script: 'bench/http.mjs', args: () => [build, filled], after: 'store' },
    flow: { targets: ['src/cmd/menkou', 'bench/bench_load'], script: 'bench/flow.mjs', args: () => [build, data] },
    fhir: { targets: ['src/cmd/menkou', 'bench/bench_load'], script: 'bench/fhir.mjs', args: () => (synthea().length ? [build, join(data, 'fhir'), ...synthea()] : []) },
    extract: { target: 'bench/bench_extract', args: () => [sample('Observation')].filter(Boolean) },
    validate: { target: 'bench/bench_validate', args: () => [sample('Observation')].filter(Boolean) },
};

const asked = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(benches);
for (const name of asked) {
    if (!benches[name]) {
        console.error(`bench: no '${name}'; there are ${Object.keys(benches).join(', ')}`);
        process.exit(2);
    }
}
// What another one's data is needed for stands behind it, once.
const wanted = [...new Set(asked.flatMap((name) => (benches[name].after ? [benches[name].after, name] : [name])))];
for (const name of wanted) {
    const bench = benches[name];
    const made = spawnSync('ninja', ['-C', build, ...(bench.targets ?? [bench.target])], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
    if (made.status !== 0) {
        console.error(made.stdout);
        process.exit(1);
    }
    const args = bench.args();
    if (args.length === 0) {
        console.log(`\n== ${name}: SKIPPED, what it needs is not in $MENKOU_SUITES`);
        continue;
    }
    console.log(`\n== ${name}`);
    const [path, ...first] = bench.script ? [process.execPath, join(root, bench.script)] : [join(build, bench.target)];
    const r = spawnSync(path, [...first, ...args], { stdio: 'inherit' });
    if (r.status !== 0) process.exit(1);
}
