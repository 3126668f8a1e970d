// One-time codes by the clock as RFC 6238 has them, computed by the test itself.
import { createHmac } from "node:crypto";

const ABC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export function base32(text) {
  const bits = [...text].map((c) => ABC.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
}

/** The six digits of a base32 secret at a time in ms; `aside`: so many steps of 30 s later. */
export function totp(secret, ms, aside = 0) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000) + aside));
  const mac = createHmac("sha1", Buffer.isBuffer(secret) ? secret : base32(secret)).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
