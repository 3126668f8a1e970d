/** Choices: few and short ones are buttons, many are a list to type into; several may be chosen where the form says so. */
import { AutoComplete, Checkbox, Radio, Select } from 'antd';
import { useQuery } from '@tanstack/react-query';
import { getJson } from '../api/http.ts';
import { valueOf, type Coding, type Resource } from '../logic/fhir.ts';
import { itemControl, sameAnswer, type Answer, type Item, type Option } from '../logic/questionnaire.ts';
import { colorOf } from '../logic/response.ts';
import { useAnswers, useForm, type FieldProps } from './context.ts';

interface Shown { key: string; label: string; answer: Answer; color?: string }

interface ValueSet extends Resource {
  expansion?: { contains?: Coding[] };
  compose?: { include?: { system?: string; concept?: { code: string; display?: string }[] }[] };
}

export function optionLabel(value: unknown): string {
  if (typeof value === 'object' && value) {
    const coding = value as Coding & { reference?: string };
    return coding.display ?? coding.code ?? coding.reference ?? '';
  }
  return String(value ?? '');
}

function shownOf(option: Option): Shown {
  const key = Object.keys(option).find((k) => k.startsWith('value')) ?? 'valueString';
  const value = option[key];
  const code = (value as Coding)?.code ?? String(value);
  return { key: code, label: optionLabel(value), answer: { [key]: value }, color: colorOf(option) };
}

function codingsOf(set: ValueSet | undefined): Coding[] {
  const listed = (set?.compose?.include ?? []).flatMap((i) => (i.concept ?? []).map((c) => ({ system: i.system, ...c })));
  return set?.expansion?.contains ?? listed;
}

function useOptions(item: Item): Shown[] {
  const canonical = item.answerValueSet;
  const remote = canonical && !canonical.startsWith('#') ? canonical : undefined;
  const expanded = useQuery({
    queryKey: ['ValueSet', 'expand', remote],
    queryFn: ({ signal }) => getJson<ValueSet>(`/fhir/ValueSet/$expand?url=${encodeURIComponent(remote ?? '')}`, signal),
    enabled: Boolean(remote),
    staleTime: Infinity,
  });
  if (item.answerOption) return item.answerOption.map(shownOf);
  return codingsOf(expanded.data).map(({ system, code, display }) => shownOf({ valueCoding: { system, code, display } }));
}

function fitsButtons(options: Shown[], control: string | undefined): boolean {
  if (control === 'radio-button') return true;
  if (control === 'drop-down' || control === 'autocomplete') return false;
  return options.length <= 5 && options.reduce((n, o) => n + o.label.length + 3, 0) <= 44;
}

function isShort(options: Shown[]): boolean {
  return options.length <= 5 && options.every((o) => o.label.length <= 12);
}

function OpenChoice({ item, path, options }: FieldProps & { options: Shown[] }) {
  const { disabled } = useForm();
  const [answers, set] = useAnswers(path);
  const take = (text: string) => {
    const known = options.find((o) => o.label === text);
    set(text ? [known ? known.answer : { valueString: text }] : []);
  };
  return (
    <AutoComplete id={`f-${path}`} disabled={disabled} value={optionLabel(valueOf(answers[0])) || undefined} onChange={(text: string) => take(text ?? '')}
      options={options.map((o) => ({ value: o.label }))} filterOption={(typed, o) => String(o?.value).includes(typed)} allowClear maxLength={item.maxLength} />
  );
}

function Several({ path, options, buttons }: { path: string; options: Shown[]; buttons: boolean }) {
  const { disabled } = useForm();
  const [answers, set] = useAnswers(path);
  const chosen = options.filter((o) => answers.some((a) => sameAnswer(valueOf(a), valueOf(o.answer)))).map((o) => o.key);
  const take = (keys: string[]) => set(options.filter((o) => keys.includes(o.key)).map((o) => o.answer));
  const shown = options.map((o) => ({ value: o.key, label: o.label }));
  if (buttons) return <Checkbox.Group disabled={disabled} value={chosen} options={shown} onChange={(v) => take(v as string[])} />;
  return <Select id={`f-${path}`} mode="multiple" disabled={disabled} value={chosen} options={shown} optionFilterProp="label" onChange={take} />;
}

export function ChoiceField({ item, path }: FieldProps) {
  const { disabled, large } = useForm();
  const [answers, set] = useAnswers(path);
  const options = useOptions(item);
  const buttons = fitsButtons(options, itemControl(item));
  if (item.repeats) return <Several path={path} options={options} buttons={buttons || options.length <= 10} />;
  if (item.type === 'open-choice') return <OpenChoice item={item} path={path} options={options} />;
  const chosen = options.find((o) => answers.length > 0 && sameAnswer(valueOf(answers[0]), valueOf(o.answer)))?.key;
  const take = (key: string | undefined) => {
    const option = options.find((o) => o.key === key);
    set(option ? [option.answer] : []);
  };
  if (buttons) {
    return (
      <Radio.Group id={`f-${path}`} name={`f-${path}`} value={chosen} disabled={disabled} size={large ? 'large' : undefined}
        optionType={isShort(options) ? 'button' : 'default'} buttonStyle="solid" onChange={(e) => take(e.target.value as string)}
        options={options.map((o) => ({ value: o.key, label: o.label, className: o.color ? `q-option-${o.color}` : undefined }))} />
    );
  }
  return (
    <Select id={`f-${path}`} value={chosen} disabled={disabled} showSearch allowClear={!item.required} optionFilterProp="label"
      options={options.map((o) => ({ value: o.key, label: o.label }))} onChange={take} />
  );
}

