// Figures of the release build: the store beside the disk's flush, extraction, validation.
//   ./dev bench [store|extract|validate …]   all of them without a name
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = join(root, 'build/release');
const suites = process.env.MENKOU_SUITES;

function sample(type) {
    const folder = suites && join(suites, '02-fhir-r4-examples/instances');
    if (!folder || !existsSync(folder)) return null;
    return join(folder, readdirSync(folder).find((f) => f.startsWith(`${type}-`)));
}

const benches = {
    store: { target: 'src/store/store-bench', args: () => ['20000'] },
    extract: { target: 'bench/bench_extract', args: () => [sample('Observation')].filter(Boolean) },
    validate: { target: 'bench/bench_validate', args: () => [sample('Observation')].filter(Boolean) },
};

const wanted = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(benches);
for (const name of wanted) {
    const bench = benches[name];
    if (!bench) {
        console.error(`bench: no '${name}'; there are ${Object.keys(benches).join(', ')}`);
        process.exit(2);
    }
    const made = spawnSync('ninja', ['-C', build, bench.target], { encoding: 'utf8' });
    if (made.status !== 0) {
        console.error(made.stdout);
        process.exit(1);
    }
    const args = bench.args();
    if (args.length === 0) {
        console.log(`\n== ${name}: SKIPPED, the examples are not in $MENKOU_SUITES`);
        continue;
    }
    console.log(`\n== ${name}`);
    const r = spawnSync(join(build, bench.target), args, { stdio: 'inherit' });
    if (r.status !== 0) process.exit(1);
}
