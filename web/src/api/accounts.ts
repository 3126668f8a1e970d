/** Accounts, as the three administrators see and change them (docs/formats/accounts.md), and the own second factor. */
import { call, getJson } from './http.ts';

export type PostState = 'proposed' | 'coming' | 'in-force' | 'ended';
export interface AccountPost { post: string; role: string; organization: string; organizationName?: string; state: PostState }
export interface Account {
  username: string; name: string; practitioner?: string; role: string; organization?: string; created: string;
  state: 'active' | 'disabled' | 'waiting' | 'first-password'; factor: boolean; locked: boolean; posts: AccountPost[];
  sessions?: { post?: string; since: string; seen: string }[];
  failures?: { address: string; count: number; lockedUntil?: string }[];
}
export interface AccountPage { total: number; may: string[]; accounts: Account[] }
export interface AccountAnswer { account: Account; password?: string }
export interface NewAccount { username: string; name: string; role: string; organization?: string }
export interface AccountsAsked { text: string; state: string; role: string; offset: number }

export const PAGE = 50;

export function accountsPath({ text, state, role, offset }: AccountsAsked): string {
  const query = new URLSearchParams({ count: String(PAGE), offset: String(offset) });
  for (const [key, value] of [['q', text.trim()], ['state', state], ['role', role]]) if (value) query.set(key, value);
  return `/accounts?${query.toString()}`;
}

export const listAccounts = (asked: AccountsAsked, signal?: AbortSignal) => getJson<AccountPage>(accountsPath(asked), signal);

export async function readAccount(username: string, signal?: AbortSignal): Promise<Account> {
  return (await getJson<AccountAnswer>(`/accounts/${encodeURIComponent(username)}`, signal)).account;
}

export async function createAccount(body: NewAccount): Promise<AccountAnswer> {
  return (await call<AccountAnswer>('/accounts', { method: 'POST', body })).body;
}

export async function changeAccount(username: string, what: string, body: Record<string, string> = {}): Promise<AccountAnswer> {
  return (await call<AccountAnswer>(`/accounts/${encodeURIComponent(username)}/${what}`, { method: 'POST', body })).body;
}

export interface FactorOffer { secret: string; uri: string }

export async function beginFactor(password: string): Promise<FactorOffer> {
  return (await call<FactorOffer>('/auth/factor', { method: 'POST', body: { password } })).body;
}

export async function confirmFactor(otp: string): Promise<string[]> {
  return (await call<{ recovery: string[] }>('/auth/factor/confirm', { method: 'POST', body: { otp } })).body.recovery;
}
