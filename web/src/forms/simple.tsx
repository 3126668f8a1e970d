/** Fields of one value: text, number, yes/no, dates. Each keeps what the person typed until it is a value. */
import { useEffect, useRef } from 'react';
import { Button, Checkbox, DatePicker, Input, InputNumber, Radio, Select, TimePicker, type GetRef } from 'antd';
import { CloseOutlined, PlusOutlined } from '../app/icons.ts';
import { useTranslation } from 'react-i18next';
import dayjs from 'dayjs';
import { ClearIcon } from '../app/inputs.tsx';
import { extensionValue, extensionsOf, valueOf } from '../logic/fhir.ts';
import type { Coding, Quantity } from '../logic/fhir.ts';
import { timeText, zoneText } from '../logic/clock.ts';
import { answerOf, itemControl, phrasesOf, unitOf, type Answer, type Item, type Phrase } from '../logic/questionnaire.ts';
import { useAnswers, useForm, type FieldProps } from './context.ts';
import { setInsertTarget } from './insert.ts';

/** A repeating question of a simple type: one control per answer and one more. */
function Repeated({ item, path, draw }: FieldProps & { draw: (answer: Answer | undefined, set: (a: Answer | undefined) => void, id: string) => React.ReactNode }) {
  const { t } = useTranslation();
  const [answers, set] = useAnswers(path);
  const id = `f-${path}`;
  if (!item.repeats) return <>{draw(answers[0], (a) => set(a ? [a] : []), id)}</>;
  const shown = answers.length > 0 ? answers : [{}];
  return (
    <>
      {shown.map((answer, n) => (
        <div key={n} className="q-repeat">
          {draw(answer, (a) => set(shown.map((old, m) => (m === n ? (a ?? {}) : old))), n === 0 ? id : `${id}-${n}`)}
          {shown.length > 1 && <Button type="text" size="small" icon={<CloseOutlined />} aria-label={t('form.remove')} onClick={() => set(shown.filter((_, m) => m !== n))} />}
        </div>
      ))}
      <Button size="small" type="dashed" icon={<PlusOutlined />} onClick={() => set([...shown, {}])}>{t('form.add')}</Button>
    </>
  );
}

/** Puts a phrase where the cursor stands; Alt+1 … Alt+9 choose by number. */
function Phrases({ phrases, insert }: { phrases: Phrase[]; insert: (text: string) => void }) {
  if (phrases.length === 0) return null;
  return (
    <div className="q-phrases">
      {phrases.map((p, n) => (
        <Button key={p.title + n} size="small" tabIndex={-1} title={n < 9 ? `Alt+${n + 1}  ${p.text}` : p.text} onClick={() => insert(p.text)}>{p.title}</Button>
      ))}
    </div>
  );
}

function TextControl({ item, id, value, set }: { item: Item; id: string; value: string; set: (text: string) => void }) {
  const { disabled, large } = useForm();
  const area = useRef<GetRef<typeof Input.TextArea>>(null);
  const phrases = phrasesOf(item);
  const insert = (text: string) => {
    const box = area.current?.resizableTextArea?.textArea;
    const at = box?.selectionStart ?? value.length;
    const before = value.slice(0, at);
    const gap = before && !/[\s,。;,;]$/.test(before) ? (item.type === 'text' ? '\n' : ' ') : '';
    set(`${before}${gap}${text}${value.slice(box?.selectionEnd ?? at)}`);
    box?.focus();
  };
  const latest = useRef(insert);
  latest.current = insert;
  const listen = useRef((text: string) => latest.current(text));
  useEffect(() => () => setInsertTarget(undefined), []);
  const byKey = (e: React.KeyboardEvent) => {
    const phrase = e.altKey && /^[1-9]$/.test(e.key) ? phrases[Number(e.key) - 1] : undefined;
    if (!phrase) return;
    e.preventDefault();
    insert(phrase.text);
  };
  const common = { id, value, disabled, maxLength: item.maxLength, placeholder: extensionValue(item, 'entryFormat') as string | undefined };
  const long = item.type === 'text' || itemControl(item) === 'text-area' || phrases.length > 0;
  return (
    <>
      {long
        ? <Input.TextArea ref={area} {...common} autoSize={{ minRows: item.type === 'text' ? 3 : 2, maxRows: 12 }} onKeyDown={byKey} onFocus={() => setInsertTarget(listen.current)} onChange={(e) => set(e.target.value)} />
        : <Input {...common} size={large ? 'large' : undefined} autoComplete="off" onChange={(e) => set(e.target.value)} />}
      <Phrases phrases={phrases} insert={insert} />
    </>
  );
}

export function TextField({ item, path }: FieldProps) {
  return (
    <Repeated item={item} path={path} draw={(answer, set, id) => (
      <TextControl item={item} id={id} value={String(valueOf(answer) ?? '')} set={(text) => set(text ? answerOf(item.type, text) : undefined)} />
    )} />
  );
}

export function NumberField({ item, path }: FieldProps) {
  const { disabled, large } = useForm();
  const whole = item.type === 'integer';
  return (
    <Repeated item={item} path={path} draw={(answer, set, id) => (
      <InputNumber
        id={id} disabled={disabled} size={large ? 'large' : undefined} className="q-number" inputMode={whole ? 'numeric' : 'decimal'}
        value={valueOf(answer) as number | undefined} controls={false} keyboard={false} autoComplete="off"
        onChange={(v) => set(typeof v === 'number' ? answerOf(item.type, v) : undefined)}
      />
    )} />
  );
}

export function QuantityField({ item, path }: FieldProps) {
  const { disabled } = useForm();
  const options = extensionsOf(item, 'questionnaire-unitOption').map((e) => valueOf(e) as Coding);
  const units = options.length > 0 ? options : [unitOf(item)].filter((u): u is Coding => Boolean(u));
  return (
    <Repeated item={item} path={path} draw={(answer, set, id) => {
      const q = (valueOf(answer) ?? {}) as Quantity;
      const unit = units.find((u) => u.code === q.code) ?? units[0];
      const make = (value: number | undefined, u: Coding | undefined) => set(value === undefined ? undefined
        : answerOf('quantity', { value, ...(u ? { unit: u.display ?? u.code, system: u.system ?? 'http://unitsofmeasure.org', code: u.code } : {}) }));
      return (
        <span className="q-quantity">
          <InputNumber id={id} disabled={disabled} value={q.value} controls={false} onChange={(v) => make(typeof v === 'number' ? v : undefined, unit)} />
          {units.length > 1
            ? <Select value={unit?.code} options={units.map((u) => ({ value: u.code, label: u.display ?? u.code }))} onChange={(code: string) => make(q.value, units.find((u) => u.code === code))} />
            : <span className="q-unit">{unit?.display ?? unit?.code}</span>}
        </span>
      );
    }} />
  );
}

export function BooleanField({ item, path }: FieldProps) {
  const { t } = useTranslation();
  const { disabled } = useForm();
  const [answers, set] = useAnswers(path);
  const value = valueOf(answers[0]) as boolean | undefined;
  const give = (v: boolean) => set([answerOf('boolean', v)]);
  if (itemControl(item) === 'check-box') {
    return <Checkbox id={`f-${path}`} checked={value === true} disabled={disabled} onChange={(e) => give(e.target.checked)}>{t('yes')}</Checkbox>;
  }
  return (
    <Radio.Group id={`f-${path}`} name={`f-${path}`} value={value} disabled={disabled} optionType="button" buttonStyle="solid"
      options={[{ value: false, label: t('no') }, { value: true, label: t('yes') }]} onChange={(e) => give(e.target.value as boolean)} />
  );
}

/** The county's wall clock stands in the picker; the offset is put back when the value is made. */
export function DateField({ item, path }: FieldProps) {
  const { disabled, large } = useForm();
  const timed = item.type === 'dateTime';
  const format = timed ? 'YYYY-MM-DD HH:mm' : 'YYYY-MM-DD';
  return (
    <Repeated item={item} path={path} draw={(answer, set, id) => {
      const text = timeText(valueOf(answer) as string | undefined);
      return (
        <DatePicker
          allowClear={{ clearIcon: <ClearIcon /> }}
          id={id} disabled={disabled} size={large ? 'large' : undefined} showTime={timed ? { format: 'HH:mm' } : false} format={format} needConfirm={false}
          value={text ? dayjs(text) : null} changeOnBlur
          onChange={(d) => set(d ? answerOf(item.type, timed ? `${d.format('YYYY-MM-DDTHH:mm')}:00${zoneText()}` : d.format('YYYY-MM-DD')) : undefined)}
        />
      );
    }} />
  );
}

export function TimeField({ item, path }: FieldProps) {
  const { disabled } = useForm();
  return (
    <Repeated item={item} path={path} draw={(answer, set, id) => {
      const text = valueOf(answer) as string | undefined;
      return (
        <TimePicker allowClear={{ clearIcon: <ClearIcon /> }} id={id} disabled={disabled} format="HH:mm" needConfirm={false} value={text ? dayjs(`2000-01-01T${text}`) : null}
          changeOnScroll onChange={(d) => set(d ? answerOf('time', `${d.format('HH:mm')}:00`) : undefined)} />
      );
    }} />
  );
}
