/**
 * The one door to the server: same origin, the session in a cookie, `X-Menkou` and `Idempotency-Key` on writes, the
 * caller's language on everything. A refusal is an `ApiError`; status 0 means that the server was not reached.
 */
import { refusalOf, issueText, type Refusal } from '../logic/outcome.ts';

export class ApiError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.issues.map(issueText).join('; ') || String(refusal.status));
    this.refusal = refusal;
  }

  get status(): number { return this.refusal.status; }
}

/** `place`: where work that goes on behind the answer is told of; `progress`: how far it is. */
export interface Answer<T> { status: number; body: T; etag?: string; location?: string; place?: string; progress?: string }

export interface Call {
  method?: string;
  body?: unknown;
  ifMatch?: string;
  ifNoneExist?: string;
  key?: string;
  /** The work is done behind the answer. */
  behind?: boolean;
  signal?: AbortSignal;
}

let language = 'zh-CN';
let onUnauthorized: () => void = () => undefined;

export function setApiLanguage(lang: string): void { language = lang; }
/** Called when a session has ended under the person's hands. */
export function setUnauthorizedHandler(handler: () => void): void { onUnauthorized = handler; }
export function sessionEnded(): void { onUnauthorized(); }

/** 1–64 characters, fresh for each intent of the person; works without a secure context. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

function headersOf(call: Call, path: string): Headers {
  const headers = new Headers({ Accept: path.startsWith('/fhir') ? 'application/fhir+json' : 'application/json' });
  headers.set('Accept-Language', language);
  const method = call.method ?? 'GET';
  if (method !== 'GET') headers.set('X-Menkou', '1');
  if (method === 'POST') headers.set('Idempotency-Key', call.key ?? newKey());
  if (call.body !== undefined) headers.set('Content-Type', path.startsWith('/fhir') ? 'application/fhir+json' : 'application/json');
  if (call.ifMatch) headers.set('If-Match', call.ifMatch);
  if (call.behind) headers.set('Prefer', 'respond-async');
  if (call.ifNoneExist) headers.set('If-None-Exist', call.ifNoneExist);
  return headers;
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

export async function call<T>(path: string, options: Call = {}): Promise<Answer<T>> {
  let response: globalThis.Response;
  let text: string;
  try {
    response = await fetch(path, {
      method: options.method ?? 'GET',
      headers: headersOf(options, path),
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      credentials: 'same-origin',
    });
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError({ status: 0, issues: [] });
  }
  const body = parsed(text);
  if (!response.ok) {
    if (response.status === 401 && !path.startsWith('/auth/')) onUnauthorized();
    throw new ApiError(refusalOf(response.status, body, response.headers.get('Retry-After')));
  }
  return {
    status: response.status,
    body: body as T,
    etag: response.headers.get('ETag') ?? undefined,
    location: response.headers.get('Location') ?? undefined,
    place: response.headers.get('Content-Location') ?? undefined,
    progress: response.headers.get('X-Progress') ?? undefined,
  };
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call<T>(path, { signal })).body;
}

/** A page made by the server, in the caller's language. */
export async function getPage(path: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(path, { headers: { Accept: 'text/html', 'Accept-Language': language }, credentials: 'same-origin', signal });
  const text = await response.text();
  if (response.ok) return text;
  if (response.status === 401) onUnauthorized();
  throw new ApiError(refusalOf(response.status, parsed(text), response.headers.get('Retry-After')));
}

/**
 * One key for one intent: the same body sent again (a double click, a lost answer) carries the same key, a changed body
 * a new one, as the server demands.
 */
export class IntentKey {
  private body = '';
  private key = '';

  keyFor(body: unknown): string {
    const text = JSON.stringify(body);
    if (text !== this.body || !this.key) {
      this.body = text;
      this.key = newKey();
    }
    return this.key;
  }
}

/** Sends raw bytes, with progress from 0 to 1. XMLHttpRequest: fetch does not tell how much is sent. */
export function sendBytes<T>(path: string, file: Blob, headers: Record<string, string>, onProgress: (share: number) => void, signal?: AbortSignal): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    const all = { 'Accept-Language': language, 'X-Menkou': '1', 'Idempotency-Key': newKey(), ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => { if (e.lengthComputable) onProgress(e.loaded / e.total); };
    request.onerror = () => reject(new ApiError({ status: 0, issues: [] }));
    request.onload = () => {
      const body = parsed(request.responseText);
      if (request.status >= 300) {
        if (request.status === 401) onUnauthorized();
        reject(new ApiError(refusalOf(request.status, body, request.getResponseHeader('Retry-After'))));
        return;
      }
      resolve({ status: request.status, body: body as T, location: request.getResponseHeader('Location') ?? undefined });
    };
    signal?.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

export interface Uploaded { id: string; contentType?: string }

/** A file as a Binary; `patient` says whose it is. */
export async function uploadBinary(
  file: Blob, contentType: string, patient: string | undefined, onProgress: (share: number) => void, signal?: AbortSignal,
): Promise<Uploaded> {
  const headers = { 'Content-Type': contentType, Accept: 'application/fhir+json', ...(patient && { 'X-Security-Context': patient }) };
  const answer = await sendBytes<{ id?: string; contentType?: string } | undefined>('/fhir/Binary', file, headers, onProgress, signal);
  const location = /Binary\/([A-Za-z0-9.-]+)/.exec(answer.location ?? '');
  const id = location?.[1] ?? answer.body?.id;
  if (!id) throw new ApiError({ status: answer.status, issues: [] });
  return { id, contentType: answer.body?.contentType };
}
