// The switch of the stores: with MENKOU_DB=postgresql every data directory that a scenario makes names a schema of its
// own in one PostgreSQL, that of $MENKOU_PG (tests/run.mjs starts one) or a server of this process's own.
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const script = join(dirname(fileURLToPath(import.meta.url)), "postgres");
export const onPostgres = process.env.MENKOU_DB === "postgresql";
/** For tests of what SQLite's files are: {skip: reason} on PostgreSQL. */
export const filesOnly = onPostgres ? { skip: "of SQLite's files" } : {};

const ENOUGH = 2 * 2 ** 30; // bytes: what is too small for a whole run's data and log ends the server in the middle

/** Whether files may lie in memory; a container's /dev/shm often holds 64 MB. */
export function memoryHasRoom() {
  if (!existsSync("/dev/shm")) return false;
  const fs = statfsSync("/dev/shm");
  return fs.bavail * fs.bsize > ENOUGH;
}

/** A folder for a server: its path is short (a socket lies in it) and the server's user may walk to it. */
export const serverFolder = () => `${memoryHasRoom() ? "/dev/shm" : "/tmp"}/mkpg-${process.pid}`;

/** A server of this process's own; null, said loudly, where there is none on this machine. */
export function startPostgres(folder) {
  const r = spawnSync(script, ["start", folder], { encoding: "utf8" });
  if (r.status !== 0) {
    console.log(`SKIPPED on PostgreSQL: ${(r.stderr || r.error?.message || "").trim()}`);
    return null;
  }
  process.on("exit", () => execFileSync(script, ["stop", folder]));
  return r.stdout.trim();
}

let address = process.env.MENKOU_PG;

const started = () => {
  address ||= startPostgres(serverFolder());
  return address;
};

/** Why a test that needs PostgreSQL is skipped, or false. */
export const postgresMissing = () => !started() && "no PostgreSQL (15 or later) on this machine";

/** A database that nobody else uses: the address of a new schema. */
export function newDatabase() {
  if (!started()) throw new Error("MENKOU_DB=postgresql, but no PostgreSQL can be started");
  return `${address}&schema=s${randomBytes(6).toString("hex")}`;
}

/** The arguments of a command, with --db where it makes a data directory. */
export function withDatabase(args) {
  const dir = args[args.indexOf("--data", 1) + 1];
  const makes = onPostgres && ["init", "demo", "restore"].includes(args[0]) && dir !== args[0] && dir !== undefined;
  const named = args.includes("--db") || args.includes("--help") || (makes && existsSync(join(dir, "database")));
  return makes && !named ? [...args, "--db", newDatabase()] : args;
}
