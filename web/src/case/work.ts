/** Starting and acting: the two writes that move a case, and their dry run. */
import { call, newKey, type Answer } from '../api/http.ts';
import type { Action, Pathway } from '../api/pathways.ts';
import type { Parameter, Parameters, Task } from '../logic/fhir.ts';
import type { Response } from '../logic/response.ts';

export type Work =
  | { kind: 'begin'; pathway: Pathway; patient: string; action: Action }
  | { kind: 'move'; task: Task; action: Action };

/** Names a form that is being filled, in the words of the server's drafts. */
export function workKey(work: Work): string {
  return work.kind === 'move' ? `Task/${work.task.id}:${work.action.code}` : `start:${work.pathway.code}:${work.patient}`;
}

/** What is given again to sign with: the password, or a code of the second factor. */
export interface Secret { by: 'password' | 'otp'; value: string }

/** `secret` goes out with this one request and is kept nowhere. */
export function workBody(work: Work, form: Response | undefined, secret?: Secret): Parameters {
  const head: Parameter[] = work.kind === 'move'
    ? [{ name: 'action', valueCode: work.action.code }]
    : [{ name: 'pathway', valueCode: work.pathway.code }, { name: 'patient', valueReference: { reference: work.patient } }];
  const parameter = form ? [...head, { name: 'form', resource: form }] : head;
  return { resourceType: 'Parameters', parameter: secret?.value ? [...parameter, { name: secret.by, valueString: secret.value }] : parameter };
}

function pathOf(work: Work): string {
  return work.kind === 'move' ? `/fhir/Task/${work.task.id}/$act` : '/fhir/$start';
}

export function versionTag(task: Task): string {
  return `W/"${task.meta?.versionId ?? ''}"`;
}

export function sendWork(work: Work, body: Parameters, key: string): Promise<Answer<Task>> {
  return call<Task>(pathOf(work), { method: 'POST', body, key, ifMatch: work.kind === 'move' ? versionTag(work.task) : undefined });
}

export async function dryRun(work: Work, form: Response, signal: AbortSignal): Promise<Response> {
  const answer = await call<Response>(`${pathOf(work)}?_dry=true`, {
    method: 'POST', body: workBody(work, form), key: newKey(), signal, ifMatch: work.kind === 'move' ? versionTag(work.task) : undefined,
  });
  return answer.body;
}
