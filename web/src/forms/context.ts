/** What every field of a form may need, handed down once. */
import { createContext, useContext } from 'react';
import type { Attachment } from '../logic/fhir.ts';
import type { Fault } from '../logic/faults.ts';
import type { Answer, FormState, Item } from '../logic/questionnaire.ts';

export interface FormContext {
  state: FormState;
  faults: Map<string, Fault>;
  /** The server's words, by linkId. */
  refused: Map<string, string[]>;
  colors: Record<string, string>;
  patient?: string;
  large: boolean;
  disabled: boolean;
  labelOf: (linkId: string) => string;
  change: (path: string, answers: Answer[]) => void;
  replace: (state: FormState) => void;
  /** Uploads under way keep the form from being sent. */
  busy: (key: string, on: boolean) => void;
  onFiles?: (item: Item, files: Attachment[]) => void;
}

export const FormScope = createContext<FormContext | undefined>(undefined);

export function useForm(): FormContext {
  const scope = useContext(FormScope);
  if (!scope) throw new Error('a field stands outside of its form');
  return scope;
}

export interface FieldProps { item: Item; path: string }

export function useAnswers(path: string): [Answer[], (answers: Answer[]) => void] {
  const { state, change } = useForm();
  return [state.answers[path] ?? [], (answers) => change(path, answers)];
}
