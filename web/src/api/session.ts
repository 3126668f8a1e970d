/** Who is working here. The token lives in an HttpOnly cookie that no script reads. */
import { ApiError, call, sessionEnded } from './http.ts';

export interface Post { post: string; role: string; organization?: string; organizationName?: string }
export interface User {
  name: string; practitioner?: string; role: string; organization?: string; organizationName?: string;
  post?: string; roles?: Post[];
}
/** `must`: nothing but enrolling may be done; `by`: until then it may be put off. */
export interface SecondFactor { on: boolean; must: boolean; by?: string }
export interface Session { user: User; mustChangePassword: boolean; secondFactor: SecondFactor }

interface SessionBody { user: User; must_change_password?: boolean; second_factor?: SecondFactor; now?: string; zone?: string }

let clockAhead = 0;

/** The server's clock: deadlines tick by it, not by this computer's. */
export function serverNow(): number { return Date.now() + clockAhead; }

export function takeServerTime(now: string | undefined): void {
  const at = Date.parse(now ?? '');
  if (!Number.isNaN(at)) clockAhead = at - Date.now();
}

function sessionOf(body: SessionBody): Session {
  takeServerTime(body.now);
  return { user: body.user, mustChangePassword: body.must_change_password === true, secondFactor: body.second_factor ?? { on: false, must: false } };
}

const LAST_NAME = 'menkou.username';

/** Who last logged in at this tab, so that an ended session asks for the password alone; forgotten by a log-out. */
export function lastUsername(): string { return sessionStorage.getItem(LAST_NAME) ?? ''; }

export async function logIn(username: string, password: string, otp?: string): Promise<Session> {
  const { body } = await call<SessionBody>('/auth/login', { method: 'POST', body: { username, password, ...(otp && { otp }) } });
  sessionStorage.setItem(LAST_NAME, username);
  return sessionOf(body);
}

export async function currentSession(): Promise<Session> {
  return sessionOf((await call<SessionBody>('/auth/me')).body);
}

/** Asks whether the session still stands; where it does not, the screen is told as by any refused call. */
export async function checkSession(): Promise<void> {
  await currentSession().catch((error: unknown) => { if (error instanceof ApiError && error.status === 401) sessionEnded(); });
}

export async function choosePost(post: string): Promise<Session> {
  return sessionOf((await call<SessionBody>('/auth/role', { method: 'POST', body: { post } })).body);
}

export async function changePassword(password: string, newPassword: string): Promise<void> {
  await call('/auth/password', { method: 'POST', body: { password, new_password: newPassword } });
}

export async function logOut(): Promise<void> {
  sessionStorage.removeItem(LAST_NAME);
  await call('/auth/logout', { method: 'POST' });
}
