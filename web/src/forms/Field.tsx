/** One question: label, control, help, and what is wrong with it. */
import { useTranslation } from 'react-i18next';
import { Tag } from 'antd';
import type { ComponentType } from 'react';
import type { Fault } from '../logic/faults.ts';
import { isServerFilled, itemControl, unitOf, type Item } from '../logic/questionnaire.ts';
import { useForm, type FieldProps } from './context.ts';
import { BooleanField, DateField, NumberField, QuantityField, TextField, TimeField } from './simple.tsx';
import { ChoiceField } from './ChoiceField.tsx';
import { ReferenceField } from './ReferenceField.tsx';
import { AttachmentField } from './AttachmentField.tsx';
import { ServerField } from './ServerField.tsx';

const CONTROLS: Record<string, ComponentType<FieldProps>> = {
  string: TextField, text: TextField, url: TextField, integer: NumberField, decimal: NumberField, boolean: BooleanField,
  date: DateField, dateTime: DateField, time: TimeField, choice: ChoiceField, 'open-choice': ChoiceField,
  reference: ReferenceField, attachment: AttachmentField, quantity: QuantityField,
};

export function useFaultText(): (fault: Fault) => string {
  const { t } = useTranslation();
  return (fault) => t(`fault.${fault.code}`, 'limit' in fault ? { limit: fault.limit } : {});
}

function helpOf(item: Item): string {
  return (item.item ?? []).filter((i) => i.type === 'display' && itemControl(i) === 'help').map((i) => i.text).join(' ');
}

export function Field({ item, path }: FieldProps) {
  const { faults, refused, colors } = useForm();
  const faultText = useFaultText();
  const fault = faults.get(path);
  const words = [...(fault ? [faultText(fault)] : []), ...(refused.get(item.linkId) ?? [])];
  const Control = isServerFilled(item) ? ServerField : (CONTROLS[item.type] ?? TextField);
  const help = helpOf(item);
  const unit = item.type === 'quantity' ? undefined : unitOf(item);
  return (
    <div className={`q-field${words.length > 0 ? ' q-wrong' : ''}${colors[path] ? ` q-${colors[path]}` : ''}`} data-link={item.linkId}>
      <label className="q-label" htmlFor={`f-${path}`}>
        {item.required && !isServerFilled(item) && <span className="q-star" aria-hidden>*</span>}
        {item.prefix && `${item.prefix} `}
        {item.text ?? item.linkId}
        {unit && <span className="q-unit">{unit.display ?? unit.code}</span>}
      </label>
      <div className="q-control"><Control item={item} path={path} /></div>
      {help && <div className="q-help">{help}</div>}
      {words.map((w) => <div key={w} className="q-error" role="alert">{w}</div>)}
    </div>
  );
}

export function ColorTag({ color, children }: { color?: string; children: React.ReactNode }) {
  return <Tag color={color} className="q-level">{children}</Tag>;
}
