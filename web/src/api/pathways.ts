/**
 * What the server says about its pathways and what this person may do: plain objects made from the Parameters of
 * `$pathways` and `$actions`. No name of a pathway, state or action is known here.
 */
import { partText, partValue, valueOf } from '../logic/fhir.ts';
import type { Attachment, Parameter, Parameters, Reference } from '../logic/fhir.ts';
import type { Questionnaire } from '../logic/questionnaire.ts';
import type { Response } from '../logic/response.ts';
import { translate } from '../logic/translate.ts';

export interface StateInfo { code: string; title: string; color?: string; open: boolean; next?: string }
export interface StepInfo { code: string; title: string }
export interface ListInfo { code: string; title: string; query: string; live: boolean; alert: boolean; pathway: string }
export interface PrintInfo { code: string; title: string; states: string[] }
export interface Pathway {
  code: string; title: string; version?: string; color?: string; start: boolean;
  states: StateInfo[]; steps: StepInfo[]; lists: ListInfo[]; prints: PrintInfo[];
}
export interface Action {
  code: string; title: string; deadline?: string; questionnaire?: Questionnaire; response?: Response;
  receipt: boolean; primary: boolean; danger: boolean;
  /** It puts the person's signature under something; `signPassword`: only with the password given again. */
  sign: boolean; signPassword: boolean; show: (Reference | Attachment)[];
}

/** Parts named `one` directly, or inside parts named `many`. */
function children(parameter: Parameter, one: string, many: string): Parameter[] {
  const direct = (parameter.part ?? []).filter((p) => p.name === one);
  const nested = (parameter.part ?? []).filter((p) => p.name === many).flatMap((p) => {
    const inner = (p.part ?? []).filter((q) => q.name === one);
    return inner.length > 0 ? inner : [p];
  });
  return [...direct, ...nested];
}

function textsOf(parameter: Parameter, ...names: string[]): string[] {
  const found = (parameter.part ?? []).filter((p) => names.includes(p.name)).flatMap((p) => p.part?.length ? p.part.map((q) => valueOf(q)) : [valueOf(p)]);
  return found.filter((v): v is string => typeof v === 'string').flatMap((v) => v.split(',')).map((v) => v.trim()).filter(Boolean);
}

function stateInfo(p: Parameter): StateInfo {
  return {
    code: partText(p, 'code') ?? '', title: partText(p, 'title') ?? partText(p, 'code') ?? '', color: partText(p, 'color'),
    open: partValue(p, 'open') === true, next: partText(p, 'next'),
  };
}

function listInfo(p: Parameter, pathway: string): ListInfo {
  return {
    code: partText(p, 'code') ?? '', title: partText(p, 'title') ?? '', query: partText(p, 'query') ?? '', pathway,
    live: partValue(p, 'live') !== false, alert: partValue(p, 'alert') === true,
  };
}

function pathwayInfo(p: Parameter): Pathway {
  const code = partText(p, 'code') ?? '';
  return {
    code, title: partText(p, 'title') ?? code, version: partText(p, 'version'), color: partText(p, 'color'),
    start: partValue(p, 'start') === true,
    states: children(p, 'state', 'states').map(stateInfo),
    steps: children(p, 'step', 'steps').map((s) => ({ code: partText(s, 'code') ?? '', title: partText(s, 'title') ?? '' })),
    lists: children(p, 'list', 'lists').map((l) => listInfo(l, code)),
    prints: children(p, 'print', 'prints').map((r) => ({
      code: partText(r, 'code') ?? '', title: partText(r, 'title') ?? '', states: textsOf(r, 'state', 'when'),
    })),
  };
}

export function pathwaysOf(parameters: Parameters | undefined): Pathway[] {
  return (parameters?.parameter ?? []).filter((p) => p.name === 'pathway').map(pathwayInfo);
}

function partResource<T>(p: Parameter, name: string): T | undefined {
  return p.part?.find((q) => q.name === name)?.resource as T | undefined;
}

function actionInfo(p: Parameter, lang: string): Action {
  const form = partResource<Questionnaire>(p, 'questionnaire');
  return {
    code: partText(p, 'code') ?? '', title: partText(p, 'title') ?? partText(p, 'code') ?? '', deadline: partText(p, 'deadline'),
    questionnaire: form && translate(form, lang), response: partResource<Response>(p, 'response'),
    receipt: partValue(p, 'receipt') === true, primary: partValue(p, 'primary') === true, danger: partValue(p, 'danger') === true,
    sign: partValue(p, 'sign') === true, signPassword: partValue(p, 'signPassword') === true,
    show: (p.part ?? []).filter((q) => q.name === 'show').map((q) => valueOf(q) as Reference | Attachment).filter(Boolean),
  };
}

export function actionsOf(parameters: Parameters | undefined, lang: string): Action[] {
  return (parameters?.parameter ?? []).filter((p) => p.name === 'action').map((p) => actionInfo(p, lang));
}
